"""The words of a sentence that answer a question: its figure, or what it says of what is asked."""

from __future__ import annotations

import re
from typing import Final

from finslm.answering.evidence import Evidence
from finslm.answering.words import content_words

_AMOUNT: Final = re.compile(
    r"\s*(?:how much|how many|what (?:is|was|were|are) the (?:\w+ )?(?:amount|value|number|total))", re.IGNORECASE
)
"""Questions that a figure answers."""
_FIGURE: Final = re.compile(r"(?:US\$|[$€£¥])?\s?\d[\d,]*(?:\.\d+)?\s?%?(?:\s(?:million|billion|thousand))?")
_YEAR: Final = re.compile(r"\s?(?:19|20)\d\d\s?")
_REASON: Final = (
    "(?:primarily |mainly |partially )?(?:due to|attributable to|because of|driven by|as a result of|related to|"
    "relates to)|because"
)
_JOINT: Final = re.compile(
    r"\b(?:(?P<verb>is|are|was|were|means?|represents?|refers? to|consists? (?:primarily |mainly )?of|compris\w+|"
    rf"includes?)|(?P<reason>{_REASON}))\b",
    re.IGNORECASE,
)
"""Where a sentence goes over from what it speaks of to what it says of it."""


def said(evidence: Evidence, text: str) -> str:
    """The part of a sentence that answers; all of it where no part stands out."""
    if _AMOUNT.match(evidence.asked.text) and (found := _figure(evidence, text)):
        return found
    return _clause(evidence, text)


def _figure(evidence: Evidence, text: str) -> str | None:
    """The figure, with its unit, that stands nearest to the question's year, or else to its words."""
    found = [match for match in _FIGURE.finditer(text) if not _YEAR.fullmatch(match[0])]
    if not found:
        return None
    lower = text.lower()
    places = [match.start() for year in evidence.asked.years for match in re.finditer(str(year), text)]
    places = places or [m.start() for word in evidence.words for m in re.finditer(re.escape(word), lower)] or [0]
    return min(found, key=lambda match: min(abs(match.start() - place) for place in places))[0].strip()


def _clause(evidence: Evidence, text: str) -> str:
    """What follows the verb, or begins with the reason, before which most words of the question stand."""
    best, most = text, 0.0
    for match in _JOINT.finditer(text):
        before, after = content_words(text[: match.start()]), content_words(text[match.end() :])
        gain = len(before & evidence.words) - len(after & evidence.words) - 0.1 * len(before - evidence.words)
        if after and gain > most:
            best, most = text[match.start() if match["reason"] else match.end() :], gain
    return best.strip()
