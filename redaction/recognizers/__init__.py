"""Recognizers of our own, a file per family. To add one: a class with ``@RECOGNIZERS.register``, imported below."""

from __future__ import annotations

from redaction.recognizers import (
    accounts,
    bank_national,
    bank_uk,
    bank_us,
    bic,
    card_details,
    card_disguised,
    cards,
    crypto,
    dates,
    devices,
    iban,
    national,
    partial_ids,
    payments,
    phones,
    postal,
    secrets,
    securities,
    sepa,
    web,
)
from redaction.recognizers.base import RECOGNIZERS, Recognizer

__all__ = [
    "RECOGNIZERS",
    "Recognizer",
    "accounts",
    "bank_national",
    "bank_uk",
    "bank_us",
    "bic",
    "card_details",
    "card_disguised",
    "cards",
    "crypto",
    "dates",
    "devices",
    "iban",
    "national",
    "partial_ids",
    "payments",
    "phones",
    "postal",
    "secrets",
    "securities",
    "sepa",
    "web",
]
