"""The numbers of a text, and how likely each is a value of some field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import log
from typing import Final, NamedTuple, final

from finslm.tasks.edges import NUMBER
from finslm.tasks.fields import decimal
from finslm.types import TaggedSpan

MOST: Final = 100
"""Numbers of a text that are tried together; in a longer one the tags alone count."""
TAKEN: Final = 0.9
"""Score of a value of another field whose numbers are nothing else."""
_UNTAGGED: Final = 0.0003
"""Score of a number that the adapter did not tag so."""


@final
class Number(NamedTuple):
    """A number: where it stands (code points, half open), and what it is."""

    start: int
    end: int
    value: Decimal


def numbers(text: str, taken: Sequence[TaggedSpan]) -> Iterator[Number]:
    """Those above zero that are not in a value of another field.

    Args:
        taken: values of other fields.
    """
    for found in NUMBER.finditer(text):
        if (read := value(found[0])) and is_clear(found.start(), found.end(), taken):
            yield Number(found.start(), found.end(), read)


def value(written: str) -> Decimal | None:
    """What a number is; None where it can be read in two ways."""
    made = decimal(written)
    return None if made is None else Decimal(made)


def likelihoods(free: Sequence[Number], name: str, spans: Sequence[TaggedSpan]) -> dict[Number, float]:
    """Logarithm of each number's score for the field of a name."""
    own = [span for span in spans if span.field == name]
    return {number: log(_UNTAGGED + max((s.score for s in own if _meet(s, number)), default=0.0)) for number in free}


def _meet(span: TaggedSpan, number: Number) -> bool:
    return span.start < number.end and number.start < span.end


def is_clear(start: int, end: int, taken: Sequence[TaggedSpan | Number]) -> bool:
    """Whether a place of the text has nothing in common with any of some others."""
    return all(end <= each.start or each.end <= start for each in taken)
