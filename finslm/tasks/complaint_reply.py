"""A first reply to a customer's complaint, addressed to whoever wrote it."""

from __future__ import annotations

import re

from finslm.tasks.base import TASKS, TaskKind, conversation
from finslm.types import Prompt, SamplingParams
from redaction.text import RedactedText

SYSTEM = (
    "You work in the complaints team of a bank. Write a short, polite reply to the customer's complaint: say sorry, "
    "name what the complaint is about, and say that a colleague will look into it. Promise no money."
)
_FIRST_PERSON = re.compile(r"<PERSON_\d+>")


@TASKS.register(
    "complaint_reply",
    TaskKind.GENERATE,
    "Drafts a short first reply to a customer's complaint, for a colleague to check.",
    defaults=SamplingParams(max_tokens=80, repetition_penalty=1.1, stop=("\n\n",)),
)
def complaint_reply(text: RedactedText) -> Prompt:
    """Instruction, then the complaint; its opening is given, so that it greets the right person."""
    person = _FIRST_PERSON.search(text.value)
    greeting = f"Dear {person[0] if person else 'customer'}, we are sorry that"
    return conversation(SYSTEM, text, prefill=greeting)
