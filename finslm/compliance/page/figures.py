"""From a report to what the overview draws: lengths in per cent, and where each leads among the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, final
from urllib.parse import urlencode

from finslm.compliance.charts import axis_label, nice_ceiling
from finslm.compliance.model import Report, Tally
from finslm.compliance.tallies import UNNAMED

ENDINGS: Final = ("answered", "refused", "failed")
MAX_BARS: Final = 10
"""Rows of a group; the others are summed in one."""
_LEFT: Final = 0.0
_FLOOR, _HEIGHT = 88.0, 84.0
"""Base line and height of the columns, per cent of the chart's."""


@final
@dataclass(frozen=True, slots=True)
class Part:
    """How so many calls of a column or bar ended; place and length in per cent."""

    ending: str
    calls: int
    at: float
    length: float


@final
@dataclass(frozen=True, slots=True)
class Column:
    """Calls of an hour, day, month or year."""

    name: str
    label: str
    """Empty where there is no room for one."""
    wide_only: bool
    """The label is left out where the page is narrow."""
    x: float
    width: float
    row: Tally
    parts: tuple[Part, ...]
    href: str


@final
@dataclass(frozen=True, slots=True)
class Bar:
    """Calls, or pieces found, of one name."""

    name: str
    count: int
    parts: tuple[Part, ...]
    href: str = ""


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """A line of the grid."""

    y: float
    value: int


def records_link(report: Report, **chosen: str) -> str:
    """The list of records of the report's period and tenant, chosen further. A name that is none cannot be chosen."""
    if UNNAMED in chosen.values():
        return ""
    fields = {"tenant": report.query.tenant, "from": _second(report.period_from), "to": _second(report.period_to)}
    return f"/records?{urlencode({k: v for k, v in (fields | chosen).items() if v})}"


def columns(report: Report) -> tuple[Column, ...]:
    """Calls over time."""
    rows = report.calls.over_time
    step, peak = 100 / max(1, len(rows)), _peak(rows)
    ends = [*(_moment(row.name) for row in rows[1:]), _second(report.period_to)]
    every = max(1, -(-len(rows) // 12))
    return tuple(
        Column(
            name=row.name,
            label=axis_label(row.name) if i % every == 0 else "",
            wide_only=(i // every) % 3 > 0,
            x=round(i * step + step * 0.12, 3),
            width=round(step * 0.76, 3),
            row=row,
            parts=tuple(_stack(row, peak)),
            href=records_link(
                report, kind="OUTCOME", to=end, **{"from": max(_moment(row.name), _second(report.period_from))}
            ),
        )
        for i, (row, end) in enumerate(zip(rows, ends, strict=True))
    )


def axis(report: Report) -> tuple[Axis, ...]:
    """The grid of calls over time."""
    peak = _peak(report.calls.over_time)
    quarters = 4 if peak >= 4 else 1
    return tuple(
        Axis(round(_FLOOR - _HEIGHT * quarter / quarters, 3), peak * quarter // quarters)
        for quarter in range(quarters + 1)
    )


def bars(report: Report, field: str, rows: Sequence[Tally]) -> tuple[Bar, ...]:
    """Calls by who or what, split by how they ended."""
    peak = max((row.calls for row in rows), default=1) or 1
    kept = rows if len(rows) <= MAX_BARS else rows[: MAX_BARS - 1]
    found = [
        Bar(row.name, row.calls, tuple(_row(row, peak)), records_link(report, kind="OUTCOME", **{field: row.name}))
        for row in kept
    ]
    if rest := rows[len(kept) :]:
        found.append(Bar(f"{len(rest)} others", sum(row.calls for row in rest), ()))
    return tuple(found)


def counts(counted: Mapping[str, int]) -> tuple[Bar, ...]:
    """Pieces found, the most frequent first."""
    rows = list(counted.items())
    peak = max(counted.values(), default=1) or 1
    kept = rows if len(rows) <= MAX_BARS else rows[: MAX_BARS - 1]
    found = [Bar(name, n, (Part("found", n, 0, round(n / peak * 100, 3)),)) for name, n in kept]
    if rest := rows[len(kept) :]:
        found.append(Bar(f"{len(rest)} others", sum(n for _, n in rest), ()))
    return tuple(found)


def _peak(rows: Sequence[Tally]) -> int:
    return nice_ceiling(max((row.calls for row in rows), default=0))


def _stack(row: Tally, peak: int) -> Iterable[Part]:
    """Parts of a column, from its foot up."""
    top = _FLOOR
    for ending in ENDINGS:
        calls = getattr(row, ending)
        top -= _HEIGHT * calls / peak
        if calls:
            yield Part(ending, calls, round(top, 3), round(_HEIGHT * calls / peak, 3))


def _row(row: Tally, peak: int) -> Iterable[Part]:
    """Parts of a bar, from the left."""
    at = _LEFT
    for ending in ENDINGS:
        calls = getattr(row, ending)
        if calls:
            yield Part(ending, calls, round(at, 3), round(calls / peak * 100, 3))
        at += calls / peak * 100


def _moment(bucket: str) -> str:
    """The beginning of an hour, day, month or year, as the search form has times."""
    whole = {4: "-01-01T00:00:00", 7: "-01T00:00:00", 10: "T00:00:00", 13: ":00:00"}
    return bucket + whole[len(bucket)]


def _second(stamp: str) -> str:
    """A record's time as the search form has it, to the next whole second."""
    at = datetime.fromisoformat(stamp)
    at += timedelta(microseconds=-at.microsecond % 1_000_000)
    return at.replace(tzinfo=None).isoformat()
