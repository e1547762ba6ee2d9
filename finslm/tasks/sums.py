"""Net and tax make the total: of the numbers of an invoice those are its sums that add up.

Nothing is computed into a document. Where the tagged sums do not add up, three numbers that stand in the text and do
are looked for, and of several such the ones that the adapter holds likeliest count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import log
from typing import TYPE_CHECKING, Final, NamedTuple, final

from finslm.tasks.edges import NUMBER
from finslm.tasks.fields import decimal
from finslm.types import TaggedSpan

if TYPE_CHECKING:
    from finslm.tasks.forms import Form

_MOST_NUMBERS: Final = 100
"""Numbers of a text whose sums are tried; in a longer one the tags alone count."""
_HIGHEST_RATE: Final = Decimal("0.30")
"""Tax by net: the highest standard rate of value added tax in the European Union is 27 % (Hungary, 2026)."""
_UNTAGGED: Final = 0.0003
"""Score of a number that the adapter did not tag so."""
_LEAST: Final = -20.0
"""Logarithms of three scores together: at least one of the numbers must be tagged for what it is."""
_TAKEN: Final = 0.9
"""Score of a value of another field whose numbers are no sums."""
_SCORE: Final = 0.9
"""Of sums that were found so; 50 of 51 numbers were right in documents that rules were tuned by."""


@final
class _Number(NamedTuple):
    start: int
    end: int
    value: Decimal


def added_up(form: Form, text: str, chosen: list[TaggedSpan], spans: Sequence[TaggedSpan]) -> list[TaggedSpan]:
    """The chosen values with sums that add up, where the text has such.

    Args:
        chosen: the values so far, by where they begin.
        spans: what else may be a value.
    """
    names = [f"{form.task}.{name}" for name in form.sums]
    own = {span.field: span for span in chosen if span.field in names}
    taken = [span for span in chosen if span.field not in names and span.score > _TAKEN]
    numbers = [*_numbers(text, taken)]
    if _agree([own.get(name) for name in names], text) or len(numbers) > _MOST_NUMBERS:
        return chosen
    best = max(_sums(numbers), key=lambda three: _likelihood(three, names, spans), default=None)
    if best is None or _likelihood(best, names, spans) < _LEAST:
        return chosen
    new = [TaggedSpan(each.start, each.end, name, _SCORE) for name, each in zip(names, best, strict=True)]
    rest = [span for span in chosen if span.field not in names and _is_clear(span, new)]
    return sorted([*rest, *new], key=lambda span: span.start)


def _numbers(text: str, taken: Sequence[TaggedSpan]) -> Iterator[_Number]:
    """Those of a text that are not in a value of another field."""
    for found in NUMBER.finditer(text):
        if (value := _value(found[0])) and all(
            found.end() <= each.start or each.end <= found.start() for each in taken
        ):
            yield _Number(found.start(), found.end(), value)


def _value(written: str) -> Decimal | None:
    made = decimal(written)
    return None if made is None else Decimal(made)


def _agree(own: Sequence[TaggedSpan | None], text: str) -> bool:
    values = [_value(text[span.start : span.end]) if span else None for span in own]
    net, tax, total = values
    return net is not None and tax is not None and tax <= net * _HIGHEST_RATE and net + tax == total


def _sums(numbers: Sequence[_Number]) -> Iterator[tuple[_Number, _Number, _Number]]:
    """Net, tax and total that add up."""
    places: dict[Decimal, list[_Number]] = {}
    for number in numbers:
        places.setdefault(number.value, []).append(number)
    for net in numbers:
        for tax in numbers:
            if tax.value <= net.value * _HIGHEST_RATE:
                yield from ((net, tax, total) for total in places.get(net.value + tax.value, ()))


def _likelihood(three: Sequence[_Number], names: Sequence[str], spans: Sequence[TaggedSpan]) -> float:
    return sum(log(_score(number, name, spans)) for number, name in zip(three, names, strict=True))


def _score(number: _Number, name: str, spans: Sequence[TaggedSpan]) -> float:
    own = (s.score for s in spans if s.field == name and s.start < number.end and number.start < s.end)
    return max(own, default=0.0) + _UNTAGGED


def _is_clear(span: TaggedSpan, taken: Sequence[TaggedSpan]) -> bool:
    return all(span.end <= other.start or other.end <= span.start for other in taken)
