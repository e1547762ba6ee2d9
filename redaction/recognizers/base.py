"""What a recognizer is: a detector that shows by examples what it finds and what it leaves."""

from __future__ import annotations

import re
from typing import Protocol

from redaction.detection import Detection, Detector
from redaction.registry import Registry


class Recognizer(Detector, Protocol):
    """A detector of one type that needs no model and takes time linear in the text."""

    @property
    def examples(self) -> tuple[str, ...]:
        """Texts with what must be found between ``⟦`` and ``⟧``."""
        ...

    @property
    def counter_examples(self) -> tuple[str, ...]:
        """Texts in which nothing is found."""
        ...

    def detect(self, text: str) -> list[Detection]:
        """See :meth:`redaction.detection.Detector.detect`."""
        ...


RECOGNIZERS: Registry[type[Recognizer]] = Registry("recognizer")

CUE_CHARS = 48
"""How far from a value a word may stand that says what the value is, code points."""


def cued(cue: re.Pattern[str], text: str, start: int, end: int) -> bool:
    """Whether a word of ``cue`` stands near ``text[start:end]``."""
    return bool(cue.search(text, max(0, start - CUE_CHARS), start) or cue.search(text, end, end + CUE_CHARS))
