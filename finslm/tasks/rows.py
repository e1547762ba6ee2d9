"""Rows of an invoice have their columns in one order: what most rows show, the others follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from finslm.types import TaggedSpan

if TYPE_CHECKING:
    from finslm.tasks.forms import Form

_MISSING: Final = -4.0
_FILLED: Final = 1.0
"""What a row gains by a column that it lacks, and by one that it has; natural logarithm, from held-back structures."""
_ORDERS: Final = 4
"""Orders that are tried, those that most rows show."""
_WIDTH: Final = 60
_SURE: Final = 1.0
"""Gain of a span that no row takes the place of."""


@final
@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows: their gain, where the last value ends, the column that comes next, and the spans."""

    gain: float
    end: int
    column: int
    last: tuple[_Rows, TaggedSpan] | None


def in_order(form: Form, chosen: list[TaggedSpan], spans: Sequence[TaggedSpan]) -> list[TaggedSpan]:
    """The chosen values with rows that are all in one order.

    Args:
        chosen: the values so far, by where they begin.
        spans: what else may be a value.
    """
    start = f"{form.task}.item_"
    items = [span.field for span in chosen if span.field.startswith(start)]
    if len(items) < 2:
        return chosen
    others = [span for span in chosen if not span.field.startswith(start)]
    firm = [span for span in others if span.gain > _SURE]
    free = [span for span in spans if span.field.startswith(start) and _is_free(span, firm)]
    orders = Counter(map(tuple, _parted(items))).most_common(_ORDERS)
    best = max((_filled(free, order) for order, _ in orders), key=lambda found: found[0])[1]
    return sorted([*(span for span in others if _is_free(span, best)), *best], key=lambda span: span.start)


def _is_free(span: TaggedSpan, taken: Sequence[TaggedSpan]) -> bool:
    return all(span.end <= other.start or other.end <= span.start for other in taken)


def _parted(fields: Sequence[str]) -> list[list[str]]:
    """The fields of each row: a new one begins where a field comes again, or the first's first does."""
    rows: list[list[str]] = []
    for name in fields:
        if not rows or name == fields[0] or name in rows[-1]:
            rows.append([])
        rows[-1].append(name)
    return rows


def _filled(spans: Sequence[TaggedSpan], order: Sequence[str]) -> tuple[float, list[TaggedSpan]]:
    """The best rows of an order, and their gain."""
    place = {name: number for number, name in enumerate(order)}
    ways = [_Rows(0.0, 0, 0, None)]
    for span in spans:
        if (column := place.get(span.field)) is not None:
            before = max((way for way in ways if way.end <= span.start), key=lambda way: _next(way, column, len(order)))
            gain = _next(before, column, len(order)) + span.gain
            ways.append(_Rows(gain, span.end, (column + 1) % len(order), (before, span)))
            ways = _likeliest(ways, span.start) if len(ways) > _WIDTH else ways
    best = max(ways, key=lambda way: _next(way, 0, len(order)))
    return _next(best, 0, len(order)), _spans(best)


def _next(way: _Rows, column: int, columns: int) -> float:
    """Gain if a column comes next: those between are missing."""
    return way.gain + _FILLED + _MISSING * ((column - way.column) % columns)


def _likeliest(ways: Sequence[_Rows], at: int) -> list[_Rows]:
    best: dict[tuple[int, int], _Rows] = {}
    for way in ways:
        key = way.column, max(way.end, at)
        if key not in best or way.gain > best[key].gain:
            best[key] = way
    return list(best.values())


def _spans(way: _Rows) -> list[TaggedSpan]:
    found, at = [], way.last
    while at:
        found.append(at[1])
        at = at[0].last
    return found[::-1]
