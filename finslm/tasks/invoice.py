"""The fields of an invoice, its rows included."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind
from finslm.tasks.forms import Form
from finslm.types import Message, Prompt
from redaction.text import RedactedText

INVOICE = Form(
    "invoice",
    (
        "number", "issue_date", "due_date", "seller", "buyer", "seller_tax_id", "purchase_order", "currency", "net",
        "tax_rate", "tax", "total", "account",
    ),
    amounts=("net", "tax", "total"),
    dates=("issue_date", "due_date"),
    items=("description", "quantity", "unit_price", "amount"),
    numbers=("account",),
    codes=("number", "purchase_order", "seller_tax_id"),
    required=("number", "seller", "buyer", "total", "issue_date"),
    sums=("net", "tax", "total"),
    counts=("quantity", "unit_price", "amount"),
    product=("quantity", "unit_price", "amount"),
)  # fmt: skip


@TASKS.register(
    "invoice",
    TaskKind.EXTRACT,
    "Number, dates, parties, amounts, tax, account and rows of an invoice.",
    adapter="extract-payment",
    form=INVOICE,
)
def invoice(text: RedactedText) -> Prompt:
    """The text as it is."""
    return Prompt((Message("user", text),))
