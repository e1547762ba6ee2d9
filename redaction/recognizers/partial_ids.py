"""Social security and insurance numbers that were read badly or are given in part: only the word in front tells."""

from __future__ import annotations

import re
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS
from redaction.recognizers.cues import LINK

_DIGIT: Final = "[0-9OoIlSB]"
"""A digit, or a letter that a scanner takes one for."""
_SSN_WORD: Final = r"(?<![a-z])(?:ssn|social security(?: (?:number|no\.?|#))?|social)(?![a-z])"
_MISREAD_SSN = re.compile(rf"(?i:{_SSN_WORD}){LINK}({_DIGIT}{{3}}[- ]?{_DIGIT}{{2}}[- ]?{_DIGIT}{{4}})(?![A-Za-z0-9])")
_MISREAD_NINO = re.compile(
    rf"(?i:(?<![a-z])(?:nino|ni (?:number|no\.?)|national insurance(?: (?:number|no\.?))?)(?![a-z])){LINK}"
    r"([A-Z]{2} ?(?:[0-9OISBG] ?){6}[A-D])(?![A-Za-z0-9])"
)
_LAST_FOUR = re.compile(
    r"(?i:last (?:four|4)(?: digits)?(?: of)?(?: (?:the|my|his|her|their|your))?"
    rf"(?: {_SSN_WORD})){LINK}([0-9]{{4}})(?![0-9A-Za-z]|[-/.,][0-9])"
)
_FEWEST_DIGITS: Final = 3
_GUESS: Final = 0.5


@RECOGNIZERS.register("partial_person_number")
@final
class PartialPersonNumber:
    """US SSN and UK NINO with letters in the place of digits, and the last four digits of an SSN."""

    name = "partial_person_number"
    types = ("US_SSN", "UK_NINO")
    trigger = r"(?i)ssn|social|nino|ni n(?:umber|o)|national insurance"
    version = "1"
    examples = (
        "SSN: ⟦536-22-8l47⟧",
        "SSN ⟦S36-22-8147⟧ as scanned",
        "NINO: ⟦AB12345GC⟧ as scanned",
        "last four of SSN ⟦8147⟧",
        "the last 4 digits of my social are ⟦8147⟧",
    )
    counter_examples = ("SSN: 536-22-8147", "social media 2024", "NINO: AB123456C", "the last four of 1200")

    def detect(self, text: str) -> list[Detection]:
        """Find what is announced and no whole, sound number: those are found by their own recognizers."""
        found = [
            Detection(*match.span(1), type_, _GUESS, self.name)
            for pattern, type_ in ((_MISREAD_SSN, "US_SSN"), (_MISREAD_NINO, "UK_NINO"))
            for match in pattern.finditer(text)
            if _is_misread(match[1], letters=3 if type_ == "UK_NINO" else 0)
        ]
        last = (match.span(1) for match in _LAST_FOUR.finditer(text))
        return found + [Detection(*span, "US_SSN", 0.8, self.name, validated=True) for span in last]


def _is_misread(number: str, *, letters: int) -> bool:
    """Whether letters stand in the place of some of its digits, but not of most."""
    digits = sum(map(str.isdigit, number))
    return digits >= _FEWEST_DIGITS and sum(map(str.isalpha, number)) > letters
