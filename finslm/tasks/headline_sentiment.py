"""Whether a financial headline is good or bad news for the company in it."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind, conversation
from finslm.types import Prompt, SamplingParams
from redaction.text import RedactedText

SYSTEM = "You read financial headlines. Answer with one word: positive, negative or neutral."
EXAMPLES = (
    ("<ORGANIZATION_1> raises its full-year profit forecast", "positive"),
    ("<ORGANIZATION_1> shares fall after the regulator opens an inquiry", "negative"),
    ("<ORGANIZATION_1> will publish its annual report on <DATE_TIME_1>", "neutral"),
)


@TASKS.register(
    "headline_sentiment",
    TaskKind.GENERATE,
    "Says in one word whether a financial headline is positive, negative or neutral.",
    defaults=SamplingParams(max_tokens=4, stop=("\n",)),
)
def headline_sentiment(text: RedactedText) -> Prompt:
    """Instruction, an example of each answer, then the headline."""
    return conversation(SYSTEM, text, examples=EXAMPLES)
