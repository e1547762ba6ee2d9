"""What a customer wants, as one of the 77 intents of BANKING77, or that it is nothing of the kind."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind
from finslm.types import Message, Prompt
from redaction.text import RedactedText


@TASKS.register(
    "banking_intent",
    TaskKind.CLASSIFY,
    "What a customer of a bank wants: 77 intents (BANKING77, Casanueva et al. 2020), or out_of_scope.",
    adapter="intent",
)
def banking_intent(text: RedactedText) -> Prompt:
    """The text as it is: the adapter was trained without a template."""
    return Prompt((Message("user", text),))
