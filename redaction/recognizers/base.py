"""What a recognizer is: a detector that shows by examples what it finds and what it leaves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from redaction.detection import Detection, Detector
from redaction.registry import Registry


class Recognizer(Detector, Protocol):
    """A detector that needs no model and takes time linear in the text."""

    @property
    def types(self) -> tuple[str, ...]:
        """Every type that it may find."""
        ...

    @property
    def trigger(self) -> str:
        """A pattern in RE2's syntax that matches somewhere in every text in which something is found.

        All triggers are looked for in one pass; a recognizer runs only where its own matched. The cheaper
        and the rarer in ordinary text, the faster; too narrow, and findings are lost (a test looks).
        """
        ...

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


class Family(Protocol):
    """Many recognizers that find what they find in one walk; each has it as its attribute ``family``."""

    def in_text(self, text: str) -> Mapping[str, Sequence[Detection]]:
        """Return what is found, by the name of the recognizer; see :meth:`Recognizer.detect`."""
        ...


RECOGNIZERS: Registry[type[Recognizer]] = Registry("recognizer")

DIGITS_3: Final = r"\d(?:\D*\d){2}"
DIGITS_6: Final = r"\d(?:\D*\d){5}"
DIGITS_8: Final = r"\d(?:\D*\d){7}"
"""Triggers that many recognizers share: so many digits anywhere. They are counted, not searched for."""

DIGIT_COUNTS: Final = {DIGITS_3: 3, DIGITS_6: 6, DIGITS_8: 8}

CUE_CHARS = 48
"""How far from a value a word may stand that says what the value is, code points."""


def cued(cue: re.Pattern[str], text: str, start: int, end: int) -> bool:
    """Whether a word of ``cue`` stands near ``text[start:end]``."""
    return bool(cue.search(text, max(0, start - CUE_CHARS), start) or cue.search(text, end, end + CUE_CHARS))
