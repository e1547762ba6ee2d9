"""Which of the labels that a request names fits a text."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind, conversation
from finslm.types import Prompt
from redaction.text import RedactedText

SYSTEM = "You read texts and name what each is about. Answer with a label of one to four words, in lower case."
EXAMPLES = (
    ("When does the branch open on Monday?", "opening hours"),
    ("<ORGANIZATION_1> shares fall after a weak forecast", "falling shares"),
    ("Thank you for the help of your colleague.", "praise for staff"),
    ("I forgot the answer to my security question", "security question"),
)


@TASKS.register(
    "choose_label",
    TaskKind.CLASSIFY,
    "Says how well each label that the request names fits a text.",
    takes_labels=True,
    temperature=2.0,  # docs/engine.md, "Labels of the request": fitted on training rows of BANKING77
)
def choose_label(text: RedactedText) -> Prompt:
    """Instruction, examples of labels, then the text. Not the labels: with them in it, a small model chooses worse."""
    return conversation(SYSTEM, text, examples=EXAMPLES)
