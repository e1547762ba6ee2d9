"""Which of the labels that a request names fits a text."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind, conversation
from finslm.types import Prompt
from redaction.text import RedactedText

SYSTEM = "You sort texts. Answer with the one label that fits the text best, and nothing else."


@TASKS.register(
    "choose_label",
    TaskKind.CLASSIFY,
    "Says how well each label that the request names fits a text.",
    takes_labels=True,
    temperature=2.5,  # docs/engine.md, "Labels of the request": fitted on training rows of BANKING77
)
def choose_label(text: RedactedText) -> Prompt:
    """The instruction, then the text. Not the labels: with them in it, the model chooses worse (docs/engine.md)."""
    return conversation(SYSTEM, text)
