"""Who a customer is, from a form, a note or a letter of customer due diligence (know your customer)."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind
from finslm.tasks.forms import Form
from finslm.types import Message, Prompt
from redaction.text import RedactedText

KYC_PROFILE = Form(
    "kyc_profile",
    (
        "full_name", "date_of_birth", "nationality", "address", "document_type", "document_number", "document_expiry",
        "tax_id", "occupation", "employer", "source_of_funds", "email", "phone",
    ),
    dates=("date_of_birth", "document_expiry"),
    codes=("document_number", "tax_id"),
    required=("full_name",),
)  # fmt: skip


@TASKS.register(
    "kyc_profile",
    TaskKind.EXTRACT,
    "Name, birth, nationality, address, identity document, work and source of funds of a customer.",
    adapter="extract-payment",
    form=KYC_PROFILE,
)
def kyc_profile(text: RedactedText) -> Prompt:
    """The text as it is."""
    return Prompt((Message("user", text),))
