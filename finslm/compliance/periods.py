"""The time axis of a report: hours, days, months or years, whichever gives a chart that can be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

MAX_BUCKETS: Final = 120


def buckets(start: str, end: str) -> Iterator[str]:
    """Beginnings of the times in [start, end): by hour up to three days, then by day, month or year."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    span = last - first
    chars = 13 if span <= timedelta(days=3) else 10 if span <= timedelta(days=MAX_BUCKETS) else 7
    if span > timedelta(days=31 * MAX_BUCKETS):
        chars = 4
    at = datetime(
        first.year,
        first.month if chars > 4 else 1,
        first.day if chars > 7 else 1,
        first.hour * (chars > 10),
        tzinfo=UTC,
    )
    while at < last:
        yield at.isoformat()[:chars]
        at = _next(at, chars)


def _next(at: datetime, chars: int) -> datetime:
    if chars >= 10:
        return at + (timedelta(hours=1) if chars == 13 else timedelta(days=1))
    if chars == 7 and at.month < 12:
        return at.replace(month=at.month + 1)
    return at.replace(year=at.year + 1, month=1)
