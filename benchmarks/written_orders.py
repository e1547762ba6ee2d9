"""Payment orders as the base model itself extracts them, under a grammar: what the adapter is measured beside."""

from __future__ import annotations

import json
from typing import Any

from finslm.tasks.base import Task, TaskKind, conversation
from finslm.tasks.extraction import MENTIONED_AS, VERBATIM
from finslm.types import Prompt, SamplingParams
from redaction.text import RedactedText

_TEXT_OR_NULL = {"type": ["string", "null"], "maxLength": 140, VERBATIM: True}
_CURRENCY_WORDS = {
    "EUR": ["€", "euro", "euros"],
    "USD": ["$", "dollar", "dollars"],
    "GBP": ["£", "pound", "pounds"],
    "CHF": ["franc", "francs"],
    "JPY": ["¥", "yen"],
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "amount": {**_TEXT_OR_NULL, "pattern": "^[0-9][0-9.,' ]*$"},
        "currency": {"type": ["string", "null"], "pattern": "^[A-Z]{3}$", MENTIONED_AS: _CURRENCY_WORDS},
        "beneficiary": _TEXT_OR_NULL,
        "account": _TEXT_OR_NULL,
        "reference": _TEXT_OR_NULL,
    },
    "required": ["amount", "currency", "beneficiary", "account", "reference"],
    "additionalProperties": False,
}
"""Amounts are text as written: a JSON number would lose cents in many readers. Currency: ISO 4217.
A reference has at most 140 characters, as in ISO 20022 unstructured remittance information."""

SYSTEM = "Extract the payment from the message as JSON. Copy values exactly. Use null for what is not there."
_SHOWN = (
    (
        "Please transfer EUR 1,250.00 to <PERSON_1>, IBAN <IBAN_CODE_1>, reference invoice 2291.",
        ("1,250.00", "EUR", "<PERSON_1>", "<IBAN_CODE_1>", "invoice 2291"),
    ),
    ("Send 80 pounds to <ORGANIZATION_1> tomorrow, thanks.", ("80", "GBP", "<ORGANIZATION_1>", None, None)),
    (
        "Dear <PERSON_1>, could you pay <ORGANIZATION_1>? It is $4,100.50 for the office rent. "
        "The account number is <BANK_ACCOUNT_1>.",
        ("4,100.50", "USD", "<ORGANIZATION_1>", "<BANK_ACCOUNT_1>", "office rent"),
    ),
    (
        "I want to send CHF 315 to the account of <PERSON_1>, <IBAN_CODE_1>, with the note birthday.",
        ("315", "CHF", "<PERSON_1>", "<IBAN_CODE_1>", "birthday"),
    ),
)
EXAMPLES = tuple(
    (message, json.dumps(dict(zip(SCHEMA["required"], values, strict=True)))) for message, values in _SHOWN
)


def render(text: RedactedText) -> Prompt:
    """Instruction, examples, then the message; the answer starts inside the object."""
    return conversation(SYSTEM, text, examples=EXAMPLES, prefill='{"amount":')


WRITTEN_ORDER = Task(
    "payment_instruction",
    TaskKind.EXTRACT,
    "The fields of a payment order, written by the base model under a grammar.",
    render,
    defaults=SamplingParams(max_tokens=128, stop=("\n",)),
    schema=SCHEMA,
)
