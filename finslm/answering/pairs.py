"""What the model reads of a question and a unit: one line, the same in training and in serving."""

from __future__ import annotations

from typing import Final

BETWEEN: Final = " ⇒ "
"""Stands between question and unit. One token of the encoder, and rare in documents; where one has it, the first is
still the one that parts them, because questions lose theirs."""
EVIDENCE: Final = "evidence"
"""Label of a unit that holds the answer, or a number that it is calculated from."""
OTHER: Final = "other"


def pair(question: str, unit: str) -> str:
    """The line of a question and a unit."""
    return f"{question.replace(BETWEEN.strip(), ' ').strip()}{BETWEEN}{unit}"
