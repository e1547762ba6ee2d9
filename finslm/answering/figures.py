"""Figures as financial documents write them: ``$ 1,452.4``, ``(12.5)`` for a loss, ``27.1%``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple, final

from finslm.errors import InvalidRequest

_DIGITS: Final = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
FIGURE: Final = re.compile(
    rf"(?<![\w.,])(?P<open>\()?\s?(?P<sign>[-\u2212\u2013](?=[\d$€£.]|\s[$€£]))?\s?(?P<unit>US\$|RMB|[$€£¥])?\s?"
    rf"(?P<inner>\()?(?P<sign2>[-\u2212])?\s?(?P<digits>{_DIGITS})(?![\d])\s?(?P<percent>%)?\s?(?P<close>\))?"
)
"""A number with what belongs to it. A hyphen directly before the digits is a sign; one after a word is not."""
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_SCALES: Final = {"thousand": 3, "million": 6, "billion": 9, "percent": -2, "": 0}


@final
class Figure(NamedTuple):
    """A number in a text."""

    start: int
    end: int
    value: Decimal
    """As it is written: ``27.1%`` is 27.1."""
    percent: bool

    @property
    def bare_year(self) -> bool:
        """Whether this could be a year: four digits from 1900 to 2099, no percent sign."""
        return not self.percent and self.value == int(self.value) and 1900 <= self.value < 2100


def figures(text: str) -> list[Figure]:
    """Every number in a text, from left to right."""
    found = []
    for match in FIGURE.finditer(text):
        value = Decimal(match["digits"].replace(",", ""))
        bracketed = (match["open"] or match["inner"]) and match["close"]
        negative = bool(match["sign"] or match["sign2"] or bracketed)
        found.append(Figure(match.start("digits"), match.end(), -value if negative else value, bool(match["percent"])))
    return found


def sole_figure(cell: str) -> Figure | None:
    """The number of a cell that holds one number and nothing else but signs, currencies and notes; otherwise None."""
    found = figures(cell)
    if len(found) != 1:
        return None
    match = FIGURE.search(cell)
    rest = cell[: match.start()] + cell[match.end() :] if match else cell
    return found[0] if not re.search(r"[A-Za-z]{3,}", rest) else None


def is_year(text: str) -> bool:
    """Whether a text is one year and no more."""
    return _YEAR.fullmatch(text.strip()) is not None


def power(scale: str) -> int:
    """The power of ten of a scale word.

    Raises:
        InvalidRequest: there is no such scale.
    """
    try:
        return _SCALES[scale]
    except KeyError:
        raise InvalidRequest(f"no scale {scale[:64]!r}; known: {', '.join(filter(None, _SCALES))}") from None
