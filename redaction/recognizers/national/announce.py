"""Where in a text the words stand that announce a number."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from typing import Final, final

from redaction.pattern_set import PatternSet
from redaction.recognizers.national.kind import Kind

Places = dict[int, list[tuple[int, int]]]
"""Where the words of each announced kind (its ``id``) stand, in order."""

_BEFORE: Final = 56
_AFTER: Final = 24
"""How far before and after a number a word may stand that announces it, code points."""

_HUMP: Final = re.compile(r"([a-z])(?=[A-Z])")
_HUMPS: Final = 0
_FIRST: Final = 1
"""Places in the set: of the humps, of the first kind."""
_UNSPACED: Final = "\u2e80"
"""From here on are the letters of scripts without spaces between words."""
_LISTED: Final = re.compile(r"[,;/&]?\s+(?:(?:and|or|und|oder|y|e|et|ou|en|og|och|i|&)\s+)?")
"""What stands between the numbers of a list; in a row of CSV there is no space."""
_OTHER: Final = re.compile(
    r"\b(?:account|acct|amount|order|invoice|case|claim|phone|tel|fax|ref|routing|policy|loan"
    r"|customer (?:id|no|number))\b",
    re.IGNORECASE,
)
"""A number of some other kind was announced in between."""
_BACK: Final = re.compile(
    r"(?:[_/-]|[\s\"'),\]]{0,3})(?:[(\[]|(?:is|was|as|being|=)\b)?\s{0,2}(?:(?:my|his|her|their|our|your|the|an?|valid)\s){0,2}"
)
"""What stands between a number and words behind it that speak of it."""
_TO_NUMBER: Final = re.compile(
    r"[\s\"'\]:=#.,(\[>|/_-]{0,6}(?:(?:is|was|no|nr|num|number|code|id)\b[\s\"':=#.(\[-]{0,4}){0,2}[A-Z]{0,3}[0-9]"
)
"""A number follows: what was said announces that one."""
_STOP: Final = re.compile(r"[.!?][ \n]+[A-Z]|\n\s*\n")
"""A sentence or a paragraph ends."""
_DIRECT: Final = 40
"""How long the words between a cue and the number that it directly announces may be, code points."""


@final
class Announcements:
    """The cue words of all kinds, looked for in one pass of RE2."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._kinds = tuple(kinds)
        self._cues = {id(kind): _Cue(kind) for kind in kinds}
        cues = (rf"(?:^|[^A-Za-z0-9])(?i:{kind.cue_words})(?:[^a-z]|$)" for kind in kinds)
        self._set = PatternSet(["[a-z][A-Z]", *cues])

    def of(self, text: str) -> Places:
        """Return for each announced kind (its ``id``) where its words stand, in order.

        Raises:
            DetectionFailed: the pass failed.
        """
        matched = set(self._set.matching(text))
        if _HUMPS in matched:  # words of keys such as clientTaxId
            matched.update(self._set.matching(_HUMP.sub(r"\1_", text)))
        small = _small(text)
        places: Places = {}
        for kind in (self._kinds[number - _FIRST] for number in sorted(matched) if number >= _FIRST):
            spans = list(self._cues[id(kind)].spans(text, small))
            if spans:
                places[id(kind)] = spans
        return places


@final
class _Cue:
    """The cue words of a kind: found quickly in small letters, then looked at with what stands around them."""

    def __init__(self, kind: Kind) -> None:
        self._quick = re.compile(kind.cue_words)
        self._exact = re.compile(rf"(?i:{kind.cue_words})(?![a-z]|(?<=[A-Z])[A-Z])")

    def spans(self, text: str, small: str) -> Iterator[tuple[int, int]]:
        """Where they stand between word borders; a capital behind a small letter is one."""
        for quick in self._quick.finditer(small):
            start = quick.start()
            before = text[start - 1 : start] if start else ""
            if not before.isalnum() or before >= _UNSPACED or (before.islower() and text[start].isupper()):
                exact = self._exact.match(text, start)
                if exact:
                    yield exact.span()


def _small(text: str) -> str:
    """The text in small letters, each in its place: a few would become two."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def distance(spans: list[tuple[int, int]], text: str, start: int, end: int) -> tuple[int, bool] | None:
    """How far the nearest announcing word stands from ``text[start:end]``, and whether it speaks of just this number.

    Args:
        spans: where the words stand, in order.
        text: the text.
        start: where the number starts.
        end: where it ends.
    """
    at = bisect.bisect_left(spans, (start + 1, 0))
    while at and spans[at - 1][1] > start:
        at -= 1
    if at and start - spans[at - 1][1] <= _BEFORE:
        said = spans[at - 1][1]
        return start - said, _directly(text[said:start])
    after = next((span for span in spans[at : at + 3] if span[0] >= end), None)
    if after is None or after[0] - end > _AFTER or _TO_NUMBER.match(text, after[1]):
        return None
    return _BEFORE + after[0] - end, _BACK.fullmatch(text, end, after[0]) is not None


def _directly(gap: str) -> bool:
    """Whether nothing but words, or other numbers of the same list, stands between the cue and the number."""
    if len(gap) > _DIRECT or _STOP.search(gap) or _OTHER.search(gap):
        return False
    numbers = [place for place, c in enumerate(gap) if c.isdigit()]
    return not numbers or _LISTED.fullmatch(gap, numbers[-1] + 1) is not None
