"""How a headline or a post about markets sees a price."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind
from finslm.types import Message, Prompt
from redaction.text import RedactedText


@TASKS.register(
    "news_sentiment",
    TaskKind.CLASSIFY,
    "How a headline or a post about markets sees a price: bearish, bullish or neutral.",
    adapter="sentiment",
)
def news_sentiment(text: RedactedText) -> Prompt:
    """The text as it is: the adapter was trained without a template."""
    return Prompt((Message("user", text),))
