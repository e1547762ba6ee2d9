"""Which product a complaint is about, to bring it to the right team."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind
from finslm.types import Message, Prompt
from redaction.text import RedactedText


@TASKS.register(
    "complaint_product",
    TaskKind.CLASSIFY,
    "Which product a complaint is about (products of the CFPB's Consumer Complaint Database).",
    adapter="complaint",
)
def complaint_product(text: RedactedText) -> Prompt:
    """The text as it is; of a long one the adapter reads the beginning."""
    return Prompt((Message("user", text),))
