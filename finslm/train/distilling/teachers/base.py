"""What a teacher is, and the only thing that one is ever handed: a redacted row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

from finslm.evaluate.datasets import Example
from finslm.train.redacted import Redaction
from finslm.types import Message, Prompt
from redaction.text import RedactedText


@final
@dataclass(frozen=True, slots=True)
class Row:
    """A redacted text and its label, which is one of a closed set.

    Raises:
        TypeError: the text is not of the type that redaction gives; a raw string does not type-check either.
    """

    text: RedactedText
    label: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, RedactedText):
            raise TypeError(f"a teacher reads RedactedText only, got {type(self.text).__name__}")

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the redacted text."""
        return hashlib.sha256(self.text.value.encode()).hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of text and label; with the teacher's digest it stands for the prompt."""
        return hashlib.sha256(json.dumps([self.text.value, self.label]).encode()).hexdigest()

    def prompt(self, instruction: str) -> Prompt:
        """The instruction and the label, which are the operator's, and then the text by itself."""
        told = RedactedText.trusted(f"{instruction} The answer is: {self.label}")
        return Prompt((Message("system", told), Message("user", self.text)))


class Teacher(Protocol):
    """Says why a row has its label."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of everything that an answer depends on, beside the row."""
        ...

    def explain(self, rows: Sequence[Row]) -> list[str]:
        """A rationale for each row, in their order; empty where it has nothing to say.

        Raises:
            ConfigError: it cannot be asked, or knows nothing of a row.
        """
        ...


def redacted_rows(rows: Sequence[Example], redaction: Redaction) -> list[Row]:
    """Rows that have passed the redaction stage, as the type that says so.

    Args:
        redaction: of the dataset that the rows are of; there is none for one that was not redacted.

    Raises:
        TypeError: ``redaction`` is none.
    """
    if not isinstance(redaction, Redaction):
        raise TypeError("rows that have not passed the redaction stage do not reach a teacher")
    return [Row(RedactedText(row.text), row.label) for row in rows]
