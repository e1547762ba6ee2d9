"""What a detector says, and how the sayings of several detectors become one list.

The law of merging: every letter and digit that any detector found stays covered. Where two findings
overlap, the better one names what it covers and the rest of the other keeps its own type, cut between
words; within a word nothing is cut, the better one grows. Dropping the smaller finding, as most
redactors do, leaves its rest in the text.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol, final


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

    def at(self, start: int, end: int) -> Detection:
        """The same finding with other offsets."""
        return Detection(start, end, self.type, self.score, self.source, self.validated)


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


WORDED: Final = frozenset(
    {"PERSON", "LOCATION", "ORGANIZATION", "STREET_ADDRESS", "NRP", "ZIP_CODE", "AGE", "DATE_TIME"}
)
"""Types that are words, or part of what is worded; all others are codes with a shape of their own."""

_FIRM_GUESS: Final = 0.5
"""From this score on a guess names all that it covers, however sure a shorter one is of its part."""

_FREE: Final = " \t\r\n\u00a0.,;:"
"""What need not stay covered at a cut: it says nothing."""


def merge(found: Iterable[Detection], *, text: str = "", yielding: frozenset[str] = frozenset()) -> list[Detection]:
    """Make one sorted list without overlaps that covers every letter and digit of ``found``.

    Args:
        found: detections of one text.
        text: the text; without it nothing is known of words, so nothing is cut.
        yielding: types that are left in the text. They give way: where one overlaps another type, only
            the rest of it keeps its type, so that a date can never carry a name along into the clear. Only a
            code that is proven (an ISIN) stands against mere guesses.
    """
    every = [d for d in found if d.start < d.end]
    if not _overlap(every):
        return sorted(every, key=lambda d: d.start)
    hidden = [d for d in every if d.type not in yielding]
    shown = _proven([d for d in every if d.type in yielding], hidden)
    firm = _settle(hidden + shown, text)
    soft = _settle([d for d in every if d.type in yielding and d not in shown], text)
    return sorted(firm + _subtract(soft, firm), key=lambda d: d.start)


def _proven(kept: Sequence[Detection], hidden: Sequence[Detection]) -> list[Detection]:
    """The codes among ``kept`` that are proven, unless something proven that must be hidden overlaps them."""
    codes = [d for d in kept if d.validated and d.type not in WORDED]
    if not codes:
        return []
    secrets = sorted((d.start, d.end) for d in _unite(d for d in hidden if d.validated))
    ends = [end for _, end in secrets]
    places = ((d, bisect_right(ends, d.start)) for d in codes)
    return [d for d, place in places if place == len(secrets) or secrets[place][0] >= d.end]


def rank(detection: Detection) -> tuple[int, bool, int, float, str, str]:
    """Order in who names what: proven, then codes of a firm shape, then words; of these the longer, then the surer."""
    proven = detection.validated or (detection.type == "URL" and detection.score >= 0.9)
    firm = detection.score >= _FIRM_GUESS
    kind = 2 if proven else int(firm and detection.type not in WORDED)
    length = detection.end - detection.start
    return kind, firm, length, detection.score, detection.type, detection.source


def _settle(found: Sequence[Detection], text: str) -> list[Detection]:
    """Let the best take what they cover, one after the other; the rest of each is what none before took."""
    if not _overlap(found):
        return sorted(found, key=lambda d: d.start)
    by_type: defaultdict[tuple[str, int], list[Detection]] = defaultdict(list)
    for detection in found:
        by_type[detection.type, rank(detection)[0]].append(detection)
    settled: list[Detection] = []
    united = [d for same in by_type.values() for d in _unite(same)]
    for detection in sorted(united, key=lambda d: (rank(d), d.start), reverse=True):
        for piece in _rests(detection, settled, text):
            insort(settled, piece, key=lambda d: d.start)
    return settled


def _overlap(found: Sequence[Detection]) -> bool:
    if len(found) < 2:
        return False
    spans = sorted((d.start, d.end) for d in found)
    return any(left[1] > right[0] for left, right in pairwise(spans))


def _unite(same: Iterable[Detection]) -> list[Detection]:
    """Connected components of overlapping spans, each with the properties of its best member."""
    components: list[tuple[int, int, Detection]] = []
    for detection in sorted(same, key=lambda d: (d.start, d.end)):
        if components and detection.start < components[-1][1]:
            start, end, best = components[-1]
            components[-1] = (start, max(end, detection.end), max(best, detection, key=rank))
        else:
            components.append((detection.start, detection.end, detection))
    return [best.at(start, end) for start, end, best in components]


def _rests(detection: Detection, settled: list[Detection], text: str) -> list[Detection]:
    """The pieces of ``detection`` between those of ``settled``; what is cut from a word goes to these."""
    place = bisect_right(settled, detection.start, key=lambda d: d.end)
    pieces: list[Detection] = []
    start = detection.start
    while start < detection.end:
        following = settled[place] if place < len(settled) and settled[place].start < detection.end else None
        end = detection.end if following is None else following.start
        if start < end:
            before = place - 1 if start > detection.start else None
            piece = _fit(detection.at(start, end), before, place if following else None, settled, text)
            pieces += [piece] if piece else []
        if following is None:
            break
        start = settled[place].end
        place += 1
    return pieces


def _fit(
    piece: Detection, before: int | None, behind: int | None, settled: list[Detection], text: str
) -> Detection | None:
    """Cut the piece at words; let its neighbours grow over the part of a word that they leave."""
    start, end = piece.start, piece.end
    if before is not None:
        cut = _word_end(text, start, end)
        settled[before] = settled[before].at(settled[before].start, cut)
        start = cut + _free(text[cut:end])
    if behind is not None and start < end:
        cut = _word_start(text, start, end)
        settled[behind] = settled[behind].at(cut, settled[behind].end)
        end = cut - _free(text[start:cut][::-1])
    if start >= end:
        return None
    return piece.at(start, end)


def _word_end(text: str, at: int, end: int) -> int:
    """Where the word that ``at`` is in the middle of ends, at most ``end``."""
    if not text:
        return end
    while at < end and text[at].isalnum() and text[at - 1].isalnum():
        at += 1
    return at


def _word_start(text: str, start: int, at: int) -> int:
    if not text:
        return start
    while at > start and text[at].isalnum() and text[at - 1].isalnum():
        at -= 1
    return at


def _free(text: str) -> int:
    """How many characters at the beginning need not be covered."""
    return len(text) - len(text.lstrip(_FREE))


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
                pieces.append(detection.at(start, other.start))
            start = max(start, other.end)
        if start < detection.end:
            pieces.append(detection.at(start, detection.end))
    return pieces
