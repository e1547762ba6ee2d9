"""Quantity times price makes the amount: of the numbers of an invoice those are a row's that multiply up.

Nothing is computed into a document. Three numbers near each other of which the adapter tagged at least one are weighed
more as the row that they make, in the order of columns that explains most; what stands against them is left out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import permutations
from typing import TYPE_CHECKING, Final, NamedTuple, final

from finslm.tasks.numbers import MOST, TAKEN, Number, is_clear, likelihoods, numbers
from finslm.types import TaggedSpan

if TYPE_CHECKING:
    from finslm.tasks.forms import Form

_NEAR: Final = 4
"""Numbers after a row's first among which its others are."""
_LEAST: Final = -18.0
"""Logarithms of three scores together: at least one of the numbers must be tagged for what it is."""
_LEAST_OF_ONE: Final = -12.0
"""The same where one of the numbers is 1: any two that are alike multiply up with it."""
_ROUNDED: Final = Decimal("0.005")
"""An amount is rounded to hundredths."""
_GAIN: Final = 8.0
"""What a span gains by a row that multiplies up, natural logarithm."""
_SCORE: Final = 0.95
"""Of a number that the adapter did not tag and that a row makes its own."""


@final
class _Row(NamedTuple):
    """Three numbers in the order of the text that multiply up, the names of their fields, and how likely that is."""

    chosen: tuple[Number, ...]
    names: tuple[str, ...]
    gain: float


@final
@dataclass(frozen=True, slots=True)
class _Way:
    """Some rows: their gain together, where they end, and the last of them with those before it."""

    gain: float
    end: int
    last: tuple[_Way, _Row] | None

    def rows(self) -> Iterator[_Row]:
        at = self.last
        while at:
            yield at[1]
            at = at[0].last


def weighed(form: Form, text: str, spans: Sequence[TaggedSpan]) -> list[TaggedSpan]:
    """What may be values, with what rows that multiply up say about it.

    Args:
        spans: what may be values, by where they begin.
    """
    fields = tuple(f"{form.task}.item_{name}" for name in form.product)
    taken = [span for span in spans if not span.field.startswith(f"{form.task}.item_") and span.score > TAKEN]
    free = [*numbers(text, taken)]
    if len(free) > MOST:
        return [*spans]
    rows = [*_rows(free, fields, [span for span in spans if span.field in fields])]
    orders = sorted({row.names for row in rows})
    ways = [_apart([row for row in rows if row.names == order]) for order in orders]
    for row in max(ways, key=lambda way: way.gain).rows() if ways else ():
        spans = [*_with(row, fields, spans)]
    return sorted(spans, key=lambda span: (span.start, span.end, span.field))


def _rows(free: Sequence[Number], fields: tuple[str, ...], spans: Sequence[TaggedSpan]) -> Iterator[_Row]:
    likely = {name: likelihoods(free, name, spans) for name in fields}
    for at, first in enumerate(free):
        near = free[at + 1 : at + 1 + _NEAR]
        for second, third in ((a, b) for number, a in enumerate(near) for b in near[number + 1 :]):
            chosen = first, second, third
            for names in permutations(fields):
                of = dict(zip(names, chosen, strict=True))
                quantity, price, amount = (of[name].value for name in fields)
                if abs(quantity * price - amount) <= _ROUNDED:
                    least = _LEAST_OF_ONE if 1 in (quantity, price) else _LEAST
                    if (gain := sum(likely[name][of[name]] for name in fields) - least) > 0:
                        yield _Row(chosen, names, gain)


def _apart(rows: Sequence[_Row]) -> _Way:
    """Of some rows those that have no place in common and gain most together (weighted interval scheduling)."""
    best = [_Way(0.0, 0, None)]
    for row in sorted(rows, key=lambda row: row.chosen[2].end):
        before = best[bisect_right(best, row.chosen[0].start, key=lambda found: found.end) - 1]
        longer = _Way(before.gain + row.gain, row.chosen[2].end, (before, row))
        best.append(max(longer, replace(best[-1], end=longer.end), key=lambda found: found.gain))
    return best[-1]


def _with(row: _Row, fields: Sequence[str], spans: Sequence[TaggedSpan]) -> Iterator[TaggedSpan]:
    """The spans with a row's numbers weighed more, and without what stands in their place or between them."""
    start, end = row.chosen[0].start, row.chosen[2].end
    columns = dict(zip(row.names, row.chosen, strict=True))
    for name, number in columns.items():
        others = [other for other in row.chosen if other is not number]
        own = [span for span in spans if span.field == name and _is_of(span, number, others)]
        for span in own or [TaggedSpan(number.start, number.end, name, 0.0)]:
            yield replace(span, score=max(span.score, _SCORE), gain=span.gain + _GAIN)
    for span in spans:
        between = span.field in fields and start < span.end and span.start < end
        if not between and is_clear(span.start, span.end, row.chosen):
            yield span


def _is_of(span: TaggedSpan, number: Number, others: Sequence[Number]) -> bool:
    return span.start <= number.start and number.end <= span.end and is_clear(span.start, span.end, others)
