"""Presidio's own pattern recognizers as recognizers of ours: run only where triggered, within the time budget."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final, final

from redaction.detection import Detection
from redaction.presidio.deadline import fail_closed
from redaction.presidio.table import ROWS, Row
from redaction.recognizers.base import RECOGNIZERS, Recognizer

_BEFORE_CHARS: Final = 64
_AFTER_CHARS: Final = 24
"""How far from a value its context word may stand, code points."""
_WEAK: Final = 0.1
_WEAK_BEFORE_CHARS: Final = 32
"""The same before what is hardly more than some digits."""
_LIKELY: Final = 0.35
"""Patterns that score less are never run without a context word."""


@final
class StockRecognizer:
    """One of Presidio's pattern recognizers: its patterns, its check digits, its context words.

    Presidio raises weak findings near a context word; here a weak pattern without one does not run at all.

    Args:
        row: which one, and what it demands.

    Raises:
        TypeError: it matches in a way of its own, so a time-out could pass in silence.
    """

    def __init__(self, row: Row) -> None:
        kind: Any = row.kind
        own: Any = fail_closed(kind())
        self._own: Any = own
        self.name = (
            "presidio_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", row.kind.__name__.removesuffix("Recognizer")).lower()
        )
        self.types = tuple(own.supported_entities)
        self.version = f"1+presidio-analyzer-{version('presidio-analyzer')}"
        self.examples = row.examples
        self.counter_examples = row.counter_examples
        self._row = row
        self._cue = re.compile(rf"(?<![^\W_]){row.cue}", re.IGNORECASE)
        self._alone = [p for p in own.patterns if row.alone and p.score >= _LIKELY]
        self.trigger = "(?i)" + "|".join([row.cue, *(f"(?:{p.regex})" for p in self._alone)])

    def detect(self, text: str) -> list[Detection]:
        """Find what the patterns match and no check refutes.

        Raises:
            DetectionFailed: a pattern ran out of time.
        """
        cued = self._cue.search(text) is not None
        patterns = self._own.patterns if cued else self._alone
        found: dict[tuple[int, int], Detection] = {}
        for pattern in patterns:
            for start, end, sure in self._matches(pattern, text):
                near = cued and self._is_near(text, start, end, weak=pattern.score < _WEAK)
                if near or pattern in self._alone:
                    new = self._detection(start, end, pattern.score, sure=sure, near=near)
                    old = found.get((start, end))
                    found[start, end] = new if old is None else max(old, new, key=lambda d: d.score)
        return sorted(found.values(), key=lambda d: d.start)

    def _matches(self, pattern: Any, text: str) -> Iterator[tuple[int, int, bool]]:
        """Start, end and whether a check proves it, of each match that no check refutes."""
        for match in pattern.compiled_regex.finditer(text):
            value = match[0]
            start, end = match.span()
            inside = text[max(0, start - 1) : start].isalnum() or text[end : end + 1].isalnum()
            if inside or not value.strip() or (self._row.upper and value != value.upper()):
                continue
            verdict = self._own.validate_result(value)
            if verdict is not False and not self._own.invalidate_result(value):
                start += len(value) - len(value.lstrip())
                yield start, start + len(value.strip()), verdict is True and self._row.proves

    def _is_near(self, text: str, start: int, end: int, *, weak: bool) -> bool:
        before = _WEAK_BEFORE_CHARS if weak else _BEFORE_CHARS
        found = self._cue.search(text, max(0, start - before), start)
        return bool(found or (not weak and self._cue.search(text, end, end + _AFTER_CHARS)))

    def _detection(self, start: int, end: int, score: float, *, sure: bool, near: bool) -> Detection:
        raised = (1.0 if sure else min(0.85, max(0.6, score + 0.35))) if near else (0.6 if sure else score)
        return Detection(start, end, self.types[0], raised, self.name, validated=near and (sure or raised >= 0.8))


def presidio_recognizers() -> list[Recognizer]:
    """Return Presidio's recognizers for every type that none of ours finds."""
    ours = {type_ for name in RECOGNIZERS.names() for type_ in RECOGNIZERS.get(name)().types}
    every = map(StockRecognizer, ROWS)
    return [recognizer for recognizer in every if not ours.issuperset(recognizer.types)]
