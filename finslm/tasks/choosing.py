"""Which of the spans that an adapter holds likely are the values of a document.

An adapter looks at one word at a time. What it cannot know is known here: an invoice has one seller, and it has one;
rows have their columns in one order (:mod:`finslm.tasks.rows`) and multiply up (:mod:`finslm.tasks.products`); net and
tax make the total (:mod:`finslm.tasks.sums`); a number ends where its digits end (:mod:`finslm.tasks.edges`). So spans
are chosen together, and what they gain over nothing is added up: the best set in which none overlaps another and no
field has two values. It is found by a beam search from the first to the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Final, final

from finslm.tasks import edges, products, rows, sums
from finslm.tasks.forms import Form
from finslm.types import TaggedSpan

_WIDTH: Final = 24
"""Sets that the search keeps at a place of the text."""
_LEAST: Final = 0.01
"""Score of a span that may be a value by itself; those of rows may be less sure, as the other rows speak for them."""
_ANY: Final = 2.0
_REQUIRED: Final = 7.0
"""What a field's first value gains, natural logarithm: of a field that a document may have, and that it must have.

Both are from the held-back structures."""


@final
@dataclass(frozen=True, slots=True)
class _Chosen:
    """A set of spans: its gain, where the last ends, the values of the fields that have one, and the spans."""

    gain: float
    end: int
    values: Mapping[str, str]
    last: tuple[_Chosen, TaggedSpan] | None

    def spans(self) -> list[TaggedSpan]:
        found, at = [], self.last
        while at:
            found.append(at[1])
            at = at[0].last
        return found[::-1]


def choose(form: Form, text: str, spans: Sequence[TaggedSpan]) -> list[TaggedSpan]:
    """The values of a document, in the order of the text.

    Args:
        form: its fields.
        text: the redacted text.
        spans: what may be values (see :func:`finslm.engine.tagging.candidates`), by where they begin.
    """
    if form.product:
        spans = products.weighed(form, text, spans)
    first = {f"{form.task}.{name}": _REQUIRED if name in form.required else _ANY for name in form.single}
    best = _best(text, [span for span in spans if span.score >= _LEAST], first)
    if form.items:
        best = rows.in_order(form, best, spans)
    sure = [_expected(span, first.get(span.field, 0.0)) for span in _edged(form, text, best)]
    return sums.added_up(form, text, sure, spans) if form.sums else sure


def _best(text: str, spans: Iterable[TaggedSpan], first: Mapping[str, float]) -> list[TaggedSpan]:
    kept = [_Chosen(0.0, 0, {}, None)]
    for span in spans:
        value = " ".join(text[span.start : span.end].split()).casefold()
        longer = [found for before in kept if (found := _with(before, span, value, first.get(span.field)))]
        kept = _likeliest([*kept, *longer], span.start) if longer else kept
    return max(kept, key=lambda chosen: chosen.gain).spans()


def _with(before: _Chosen, span: TaggedSpan, value: str, first: float | None) -> _Chosen | None:
    """The set with a span more; None where it overlaps, or its field has another value."""
    if before.end > span.start:
        return None
    if first is None:
        return _Chosen(before.gain + span.gain, span.end, before.values, (before, span))
    own = before.values.get(span.field)
    if own is None:
        values = {**before.values, span.field: value}
        return _Chosen(before.gain + span.gain + first, span.end, values, (before, span))
    return _Chosen(before.gain + span.gain, span.end, before.values, (before, span)) if own == value else None


def _likeliest(sets: Iterable[_Chosen], at: int) -> list[_Chosen]:
    """Of sets that leave the same to choose the best, and of these not too many."""
    best: dict[tuple[int, frozenset[tuple[str, str]]], _Chosen] = {}
    for chosen in sets:
        key = max(chosen.end, at), frozenset(chosen.values.items())
        if key not in best or chosen.gain > best[key].gain:
            best[key] = chosen
    return sorted(best.values(), key=lambda chosen: -chosen.gain)[:_WIDTH]


def _edged(form: Form, text: str, chosen: Sequence[TaggedSpan]) -> Iterator[TaggedSpan]:
    """The spans with their right ends, as far as those beside them leave room."""
    end = 0
    for number, span in enumerate(chosen):
        following = chosen[number + 1].start if number + 1 < len(chosen) else len(text)
        wider = _whole(form, text, span)
        fits = end <= wider.start and wider.end <= following
        if edged := edges.trimmed(text, wider if fits else span):
            yield edged
            end = edged.end


def _whole(form: Form, text: str, span: TaggedSpan) -> TaggedSpan:
    name = span.field.removeprefix(f"{form.task}.")
    if name in form.codes or name in form.numbers:
        return edges.of_code(text, span)
    if name in form.dates:
        return edges.of_day(text, span)
    if name in form.amounts or name.removeprefix("item_") in form.counts:
        return edges.of_number(text, span)
    return span


def _expected(span: TaggedSpan, first: float) -> TaggedSpan:
    """With a score that knows that such a field is expected: its odds rise by half of what it gains."""
    odds = exp(first / 2) * span.score
    return replace(span, score=odds / (odds + 1 - span.score))
