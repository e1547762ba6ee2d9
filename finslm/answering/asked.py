"""What a question asks for: an operation, years, the greatest or the least. Rules over its words, each to be read."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, final

from finslm.answering.figures import figures


class Operation(enum.StrEnum):
    """What is done with the figures found."""

    SPAN = "span"
    """Nothing: the words or the figure themselves are the answer."""
    CHANGE = "change"
    PERCENTAGE_CHANGE = "percentage_change"
    AVERAGE = "average"
    SUM = "sum"
    RATIO = "ratio"
    COMPARE = "compare"
    """The year or the row of the greatest or the least figure."""
    COUNT = "count"
    LIST = "list"
    """The years or the rows that there are."""


_YEAR: Final = re.compile(
    r"\b(?:FY\s?'?|fiscal\s+(?:year\s+)?)?((?:19|20)\d\d|2 0 [012] \d)\b|\bFY?\s?'?(\d\d)\b|['’](\d\d)\b", re.IGNORECASE
)
_RANGE: Final = re.compile(r"\b((?:19|20)\d\d)\s?(?:-|–|to|through|until)\s?((?:19|20)\d\d)\b")
_MORE: Final = (
    "highest|higher|largest|larger|greatest|greater|lowest|lower|smallest|smaller|least|less|most|more|"
    r"exceed\w*|above|below|under|over|negative|positive"
)
_YEARS: Final = "(?:fiscal |financial )?years?"
_CHANGE: Final = "change|increase|decrease|growth|decline|difference"
_ALTERNATIVES: Final = (
    (
        Operation.COUNT,
        r"^how many (?!.*\b(?:shares|employees|options|units|awards)\b).*\b(?:exceed\w*|more than|less than|greater|"
        r"above|below|over|lower|higher|fell|are there|were there|are listed)\b",
    ),
    (Operation.COMPARE, rf"\b(?:which|what|in which)\b.{{0,24}}\b{_YEARS}\b.*\b(?:{_MORE})\b"),
    (
        Operation.COMPARE,
        r"\b(?:which|what|who)\b.*\b(?:highest|largest|greatest|lowest|smallest|least|higher|larger|lower|smaller|"
        r"made up the most)\b",
    ),
    (
        Operation.LIST,
        rf"\bwhich {_YEARS}\b.*\b(?:table|provided?|shown?|given|reported|calculated|recognized|presented|covered|"
        r"included|information)\b",
        r"^(?:for|in) (?:which|what) (?:years|periods)",
        r"\bwhich years\b",
    ),
    (Operation.SPAN, r"\b(?:due to|caused?|driven|attribut\w+|recognized as|reasons?|factors)\b", r"^why\b"),
    (
        Operation.PERCENTAGE_CHANGE,
        rf"\b(?:percent\w*|%|proportion\w*) (?:{_CHANGE}|of change)",
        r"percent\w*\s*(?:\([^)]*\))?\s*(?:increase|decrease|change)",
        r"\b(?:growth|change) rate",
        r"\brate of (?:change|increase|growth)",
        r"\b(?:change|increase|decrease|growth) (?:in|as) percent",
    ),
    (Operation.AVERAGE, r"(?<!weighted)(?<!weighted-)(?<!weighted )\b(?:average|mean)\b(?!.{0,3}-)"),
    (
        Operation.CHANGE,
        r"\b(?:change|difference|increase\s?/|nominal (?:increase|decrease)|variance)\b",
        r"\bhow much (?:more|less|higher|lower)\b",
        r"\b(?:what|how much) (?:was|is|did|were) the (?:increase|decrease|decline|reduction|growth)\b",
    ),
    (
        Operation.RATIO,
        r"\b(?:ratio|proportion|as a percentage|as a percent|what percentage|percentage of|what percent)\b",
        r"\b(?:divided by|times)\b",
        r"\bpercentage (?:constitution|composition|proportion)\b",
    ),
    (Operation.SUM, r"\b(?:sum of|total of|combined|altogether|in total|sum)\b", r"\btotal\b.*\band\b"),
)
"""What a question's words mean; the first that fits counts."""
_RULES: Final = tuple(
    (re.compile("|".join(patterns), re.IGNORECASE), operation) for operation, *patterns in _ALTERNATIVES
)
_LEAST: Final = re.compile(r"\b(?:lowest|lower|smallest|smaller|least|less|below|under|fewest)\b", re.IGNORECASE)
_LIMIT: Final = re.compile(
    r"\b(?:exceed\w*|more than|less than|greater than|above|below|over|under|lower than|higher than)\s+(?:the )?"
    r"(?=[^A-Za-z]{0,4}\d)",
    re.IGNORECASE,
)


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """A question, read.

    Args:
        years: in the order in which the question names them; ranges are filled.
        least: the smallest or what lies below is wanted, not the greatest or what lies above.
        limit: what figures are compared with; None: with each other.
        percent: a share is wanted in per cent.
    """

    text: str
    operation: Operation
    years: tuple[int, ...]
    least: bool
    limit: Decimal | None
    percent: bool


def read(question: str, operation: Operation | None = None) -> Asked:
    """Read a question.

    Args:
        operation: as a classifier names it; None: by the rules of this module.
    """
    limit = None
    if (match := _LIMIT.search(question)) and (found := figures(question[match.end() :])):
        limit = found[0].value
    return Asked(
        text=question,
        operation=operation or operation_of(question),
        years=_years(question),
        least=_LEAST.search(question) is not None,
        limit=limit,
        percent=re.search(r"percent|%|proportion", question, re.IGNORECASE) is not None,
    )


def operation_of(question: str) -> Operation:
    """The operation of the first rule that a question matches; SPAN if it matches none."""
    return next((operation for rule, operation in _RULES if rule.search(question)), Operation.SPAN)


def years_in(text: str) -> tuple[int, ...]:
    """Years that a text names: ``2019``, ``FY19``, ``'19``."""
    return tuple(dict.fromkeys(_century(match) for match in _YEAR.finditer(text)))


def _years(question: str) -> tuple[int, ...]:
    found = list(years_in(question))
    for match in _RANGE.finditer(question):
        first, last = sorted((int(match[1]), int(match[2])))
        if last - first < 12:
            found += [year for year in range(first, last + 1) if year not in found]
    return tuple(found)


def _century(match: re.Match[str]) -> int:
    full, fiscal, short = match.groups()
    return int(full.replace(" ", "")) if full else 2000 + int(fiscal or short)
