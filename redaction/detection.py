"""What a detector says, and how the sayings of several detectors become one list.

The law of merging: every character that any detector found stays covered. A span is only ever made
longer; where two overlap, both become one (connected components). Dropping the smaller span, as most
redactors do, leaves its rest in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, final


@final
@dataclass(frozen=True, slots=True)
class Detection:
    """A piece of text and what it is; never the text itself.

    Args:
        start: first code point of the piece.
        end: code point after the last (half open).
        type: e.g. ``IBAN_CODE``.
        score: confidence in [0, 1].
        source: the detector.
        validated: a check digit, a list or a cue proved it, not only its shape.
    """

    start: int
    end: int
    type: str
    score: float
    source: str
    validated: bool = False


class Detector(Protocol):
    """Finds personal or confidential data. Implementations are safe to share among threads."""

    @property
    def name(self) -> str:
        """Stable name, used as ``source``."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the findings may change; part of the redactor's digest."""
        ...

    def detect(self, text: str) -> list[Detection]:
        """Return what was found, in any order, overlaps allowed; offsets are code points of ``text``.

        Raises:
            DetectionFailed: the detector failed or its time is up.
        """
        ...


_JOINING: Mapping[str, re.Pattern[str]] = {
    "PERSON": re.compile(r" |['’.-]|\. "),
    "STREET_ADDRESS": re.compile(r"[ \n]|, ?|,\n"),
}
"""What may stand between two parts of one name or address: a recognizer finds "Ada" and "Lovelace" apart."""


def merge(found: Iterable[Detection], *, yielding: frozenset[str] = frozenset()) -> list[Detection]:
    """Make one sorted list without overlaps that covers every character of ``found``.

    Args:
        found: detections of one text.
        yielding: types that are left in the text. They give way: where one overlaps another type, only
            the rest of it keeps its type, so that a date can never carry a name along into the clear.
    """
    every = list(found)
    firm = _unite(d for d in every if d.type not in yielding)
    rest = _subtract(_unite(d for d in every if d.type in yielding), firm)
    return sorted(firm + rest, key=lambda d: d.start)


def join_adjacent(merged: Sequence[Detection], text: str) -> list[Detection]:
    """Join neighbours of one type that only a space or the like parts: first and last name, number and street."""
    joined: list[Detection] = []
    for detection in merged:
        last = joined[-1] if joined else None
        if last is not None and last.type == detection.type and _may_join(last, detection, text):
            joined[-1] = replace(max(last, detection, key=_rank), start=last.start, end=detection.end)
        else:
            joined.append(detection)
    return joined


def _may_join(left: Detection, right: Detection, text: str) -> bool:
    pattern = _JOINING.get(left.type)
    return pattern is not None and (left.end == right.start or bool(pattern.fullmatch(text, left.end, right.start)))


def _rank(detection: Detection) -> tuple[bool, float, int, str, str]:
    """The best names the component: validated before guessed, then score, then length; the rest breaks ties."""
    length = detection.end - detection.start
    return detection.validated, detection.score, length, detection.type, detection.source


def _unite(found: Iterable[Detection]) -> list[Detection]:
    """Connected components of overlapping spans, each with the properties of its best member."""
    components: list[tuple[int, int, Detection]] = []
    for detection in sorted((d for d in found if d.start < d.end), key=lambda d: (d.start, d.end)):
        if components and detection.start < components[-1][1]:
            start, end, best = components[-1]
            components[-1] = (start, max(end, detection.end), max(best, detection, key=_rank))
        else:
            components.append((detection.start, detection.end, detection))
    return [replace(best, start=start, end=end) for start, end, best in components]


def _subtract(soft: list[Detection], firm: list[Detection]) -> list[Detection]:
    """The pieces of ``soft`` that ``firm`` leaves; both sorted and free of overlaps."""
    pieces: list[Detection] = []
    first = 0
    for detection in soft:
        while first < len(firm) and firm[first].end <= detection.start:
            first += 1
        start = detection.start
        for other in firm[first:]:
            if other.start >= detection.end:
                break
            if start < other.start:
                pieces.append(replace(detection, start=start, end=other.start))
            start = max(start, other.end)
        if start < detection.end:
            pieces.append(replace(detection, start=start))
    return pieces
