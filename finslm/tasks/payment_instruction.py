"""The fields of a payment order: in prose, a chat, a form, a table or a SWIFT message."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind
from finslm.tasks.forms import Form
from finslm.types import Message, Prompt
from redaction.text import RedactedText

PAYMENT = Form(
    "payment_instruction",
    (
        "amount", "currency", "beneficiary", "account", "bank_code", "reference", "execution_date", "payer",
        "payer_account",
    ),
    amounts=("amount",),
    dates=("execution_date",),
    numbers=("account", "payer_account", "bank_code"),
    required=("beneficiary", "amount", "account", "reference"),
)  # fmt: skip
"""Amounts are text as written: a JSON number would lose cents in many readers. Currency: ISO 4217."""


@TASKS.register(
    "payment_instruction",
    TaskKind.EXTRACT,
    "Beneficiary, account, bank, amount, currency, reference, date and payer of a payment order.",
    adapter="extract-payment",
    form=PAYMENT,
)
def payment_instruction(text: RedactedText) -> Prompt:
    """The text as it is."""
    return Prompt((Message("user", text),))
