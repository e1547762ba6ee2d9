"""One walk over a text that finds the numbers of all kinds, shared by their recognizers."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.national.announce import Announcements, Places, distance
from redaction.recognizers.national.kind import LIKELY, Kind
from redaction.recognizers.national.kinds import Named, Shaped, by_length
from redaction.recognizers.national.rows import Reading, is_whole, readings

_CUED: Final = 0.9
"""Score of a number without check digit whose cue stands directly before it."""
_ODD: Final = 0.6
"""The same where it is divided as numbers of its kind are not: perhaps it is of another kind."""
_CERTAIN: Final = 0.9

_Judged = tuple[bool, float, int, bool]
"""Proven, the score, minus the distance of the cue (the greatest is the best); whether the check is passed."""


@final
class Search:
    """Finds numbers of the kinds that were added; keeps, per thread, what it found in the last text.

    ``kinds`` are these, each with the name of its recognizer.

    The recognizers of some hundred kinds are asked about one text one after the other: the first makes the walk.
    """

    def __init__(self) -> None:
        self.kinds: list[Named] = []
        self._last = threading.local()

    def add(self, name: str, kind: Kind) -> None:
        """Add a kind; ``name`` is that of its recognizer."""
        self.kinds.append((name, kind))
        self.__dict__.pop("_announcements", None)
        self.__dict__.pop("_by_length", None)
        self._last = threading.local()

    def in_text(self, text: str) -> dict[str, list[Detection]]:
        """Return what is found, by recognizer.

        Raises:
            DetectionFailed: the pass over the announcing words failed.
        """
        last: tuple[str, dict[str, list[Detection]]] | None = getattr(self._last, "found", None)
        if last is None or last[0] != text:
            self._last.found = last = text, self._walk(text)
        return last[1]

    @cached_property
    def _announcements(self) -> Announcements:
        return Announcements([kind for _, kind in self.kinds])

    @cached_property
    def _by_length(self) -> dict[tuple[int, bool], Shaped]:
        return by_length(self.kinds)

    def _walk(self, text: str) -> dict[str, list[Detection]]:
        places: Places | None = None
        known: dict[tuple[int, str], bool] = {}  # what was checked already: hostile text repeats itself
        best: dict[tuple[int, int], tuple[_Judged, Detection]] = {}
        for reading in readings(text):
            shaped = self._by_length.get((len(reading.number), reading.number.isdigit()))
            if shaped is None or not shaped.shape.fullmatch(reading.number):
                continue
            if places is None:
                places = self._announcements.of(text)
            for name, kind in shaped.of(places, text[reading.start : reading.end]):
                judged = _judge(kind, text, reading, places.get(id(kind)), known)
                if judged is None:
                    continue
                span = reading.start, _closed(text, reading)
                if span not in best or judged > best[span][0]:
                    best[span] = judged, Detection(*span, kind.type, judged[1], name, judged[0])
        found: defaultdict[str, list[tuple[_Judged, Detection]]] = defaultdict(list)
        for each in best.values():
            found[each[1].source].append(each)
        return {name: _longest(same) for name, same in found.items()}


def _longest(same: list[tuple[_Judged, Detection]]) -> list[Detection]:
    """Of the findings of one kind the longest that pass the check; of those that fail it what touches none of these."""
    passed: list[Detection] = []
    for detection in sorted((d for judged, d in same if judged[3]), key=lambda d: (d.start, -d.end)):
        last = passed[-1] if passed else None
        if last is None or detection.end > last.end:
            passed.append(detection)
        elif detection.score > last.score:
            passed[-1] = replace(last, score=detection.score, validated=detection.validated)
    starts = [d.start for d in passed]
    failed = [d for judged, d in same if not judged[3]]
    return passed + [d for d in failed if not _touches(d, passed, bisect_left(starts, d.end))]


def _touches(detection: Detection, others: list[Detection], behind: int) -> bool:
    """Whether it overlaps the last of ``others`` that starts before its end."""
    return behind > 0 and others[behind - 1].end > detection.start


def _closed(text: str, reading: Reading) -> int:
    """The end, with the bracket that one inside opens."""
    opens = "(" in text[reading.start : reading.end]
    return reading.end + 1 if opens and text[reading.end : reading.end + 1] == ")" else reading.end


def _judge(
    kind: Kind, text: str, reading: Reading, spans: list[tuple[int, int]] | None, known: dict[tuple[int, str], bool]
) -> _Judged | None:
    """Judge a reading as a number of a kind; the check comes last, it costs most."""
    if not kind.has_shape(reading.number):
        return None
    near = distance(spans, text, reading.start, reading.end) if spans else None
    if reading.glued and (near is None or near[0]):
        return None
    bare = _bare(kind, text, reading)
    if near is None and bare < LIKELY:
        return None
    key = id(kind), reading.number
    valid = known.get(key)
    if valid is None:
        valid = known[key] = kind.valid(reading.number)
    if near is None:
        return (kind.proves or bare >= _CERTAIN, bare, 0, True) if valid else None
    far, direct = near
    if valid:
        return _passed(kind, far, bare, direct=direct, written=text[reading.start : reading.end])
    mistyped = direct and kind.wrong and is_whole(text, reading)
    return (False, kind.wrong, -far, False) if mistyped else None


def _bare(kind: Kind, text: str, reading: Reading) -> float:
    """Score of the reading, were it valid, where nothing announces it."""
    written = text[reading.start : reading.end]
    divided = kind.is_divided(written)
    score = kind.divided if kind.divided > kind.alone and divided else kind.alone
    if not divided and written[0].isalpha() and written[1] == " ":
        return 0.0  # a letter that only stands beside it: "T 213 650 764" is a telephone
    return score if score and is_whole(text, reading) else 0.0


def _passed(kind: Kind, far: int, bare: float, *, direct: bool, written: str) -> _Judged | None:
    """Near a cue, with the check passed."""
    if kind.checked:
        return True, 1.0, -far, True
    usual = written.isalnum() or not kind.grouped or kind.is_divided(written)
    score = max(bare, _CUED if usual else _ODD) if direct else bare
    return (score >= _CERTAIN, score, -far, True) if score else None


SEARCH: Final = Search()
"""Of every kind that is declared."""
