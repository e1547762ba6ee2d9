"""Notes or the transcript of a call in a few sentences."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind, conversation
from finslm.tasks.complaint_summary import SYSTEM
from finslm.types import Prompt, SamplingParams
from redaction.text import RedactedText


@TASKS.register(
    "call_summary",
    TaskKind.GENERATE,
    "Summarises notes or the transcript of a customer's call, and says which facts of the summary are not in them.",
    adapter="summarise",
    defaults=SamplingParams(max_tokens=128),
    grounded=True,
)
def call_summary(text: RedactedText) -> Prompt:
    """The instruction of complaints, then the notes: one adapter writes both."""
    return conversation(SYSTEM, text)
