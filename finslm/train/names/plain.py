"""Labels that need no model: dates, peoples and codes in natural text, by lists and patterns."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, final

from finslm.train.names.makers import Makers
from finslm.train.names.sample import Sample

UNKNOWN: Final = "UNKNOWN"
"""A type that nothing learns (see ``shards``): what these words are, nobody has said."""

_MONTH: Final = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?"
)
_DAY: Final = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DATES: Final = re.compile(
    rf"\b(?:{_DAY},? )?(?:\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}(?:,? \d{{4}})?"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?|{_MONTH} \d{{4}})"
    rf"|\b{_DAY}\b|\b\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}\b|\b\d{{4}}-\d\d-\d\d\b"
    r"|\b(?:19|20)\d\d\b|\b\d{1,2}(?::\d\d)? ?[ap]\.?m\b"
    r"|(?i:\b(?:yesterday|today|tomorrow|tonight"
    r"|(?:last|next) (?:week|month|year|night)|this (?:morning|week|month|year))\b)"
)
_CODES: Final = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.]+|https?://\S+|www\.\S+|[$€£] ?\d[\d,.]*\d(?: (?:million|billion))?|[$€£]\d"
)
_CAPITAL: Final = re.compile(r"(?<![.!?:;\"“(]) (?:[\"“(])?([A-Z][\w'’&-]*(?: [A-Z][\w'’&-]*)*)")


@final
class PlainLabels:
    """Finds what lists and patterns can find.

    Args:
        makers: whose lists of peoples and places are used.
    """

    def __init__(self, makers: Makers) -> None:
        rules = ("demonym", "people", "faith", "faithful", "party", "partisans")
        words = {
            word
            for rule in rules
            for word in makers.grammar.lines(rule)
            if word[0].isupper() and word not in ("Green", "Labour", "Orthodox")
        }
        self._peoples = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(words, key=len, reverse=True))) + r")\b")
        self._names = makers.lower_names()

    def added(self, sample: Sample) -> Sample:
        """Add dates (DATE_TIME), peoples (NRP) and codes (OTHER_ID) where nothing is labelled yet."""
        spans = list(sample.spans)
        for pattern, type_ in ((_CODES, "OTHER_ID"), (_DATES, "DATE_TIME"), (self._peoples, "NRP")):
            spans += [(*found.span(), type_) for found in pattern.finditer(sample.text) if _free(spans, *found.span())]
        return Sample(sample.text, tuple(sorted(spans)))

    def doubted(self, sample: Sample) -> Sample:
        """Label capitalised words inside of sentences UNKNOWN where nothing is labelled yet."""
        spans = list(sample.spans)
        for found in _CAPITAL.finditer(sample.text):
            if found[1] not in ("I", "I'm", "A") and _free(spans, *found.span(1)):
                spans.append((*found.span(1), UNKNOWN))
        return Sample(sample.text, tuple(sorted(spans)))

    def has_name(self, text: str) -> bool:
        """Whether a country, large town, people or well-known firm is named, in capitals or not."""
        words = re.findall(r"[a-z']+", text.lower())
        pairs = (" ".join(pair) for pair in pairwise(words))
        return not self._names.isdisjoint(words) or not self._names.isdisjoint(pairs)


def _free(spans: list[tuple[int, int, str]], start: int, end: int) -> bool:
    return all(end <= a or start >= b for a, b, _ in spans)
