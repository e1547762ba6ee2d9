"""Presidio's patterns under our time budget: where Presidio logs a time-out and goes on, these raise."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, final

import regex  # type: ignore[import-untyped]
from presidio_analyzer import EntityRecognizer, PatternRecognizer
from presidio_analyzer import predefined_recognizers as stock

from redaction.budget import remaining_s
from redaction.errors import DetectionFailed


@final
class Deadline:
    """A compiled pattern that raises when the time is up; Presidio would log and go on."""

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern

    def finditer(self, text: str, timeout: float | None = None) -> Iterator[Any]:  # noqa: ARG002
        """Yield the matches within the time that the budget leaves; Presidio's own limit is not used."""
        try:
            yield from self._pattern.finditer(text, timeout=remaining_s())
        except TimeoutError:
            raise DetectionFailed("a pattern ran out of time; the text was not looked at to its end") from None


def fail_closed(recognizer: EntityRecognizer) -> EntityRecognizer:
    """Give a pattern recognizer patterns of its own that honour the budget.

    Raises:
        TypeError: it matches in a way of its own, so a time-out could pass in silence.
    """
    if not isinstance(recognizer, PatternRecognizer):
        if isinstance(recognizer, stock.PhoneRecognizer):  # no pattern with a time-out; linear in the window
            return recognizer
        raise TypeError(f"{type(recognizer).__name__} is not known to fail closed")
    if type(recognizer).analyze is not PatternRecognizer.analyze:
        raise TypeError(f"{type(recognizer).__name__} matches in a way of its own")
    own: Any = recognizer
    own.patterns = patterns = [copy.copy(pattern) for pattern in own.patterns]  # theirs belong to the class
    for pattern in patterns:
        pattern.compiled_regex = Deadline(regex.compile(pattern.regex, recognizer.global_regex_flags))
        pattern.compiled_with_flags = recognizer.global_regex_flags
    return recognizer
