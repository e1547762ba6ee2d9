"""Recognizers of our own, a file per family. To add one: a class with ``@RECOGNIZERS.register``, imported below."""

from __future__ import annotations

from redaction.recognizers import bank, cards, dates, web
from redaction.recognizers.base import RECOGNIZERS, Recognizer

__all__ = ["RECOGNIZERS", "Recognizer", "bank", "cards", "dates", "web"]
