"""The days that the officer looks at, in UTC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, final

from finslm.compliance.request import refusal

QUICK: Final = (
    ("today", "Today"),
    ("7-days", "7 days"),
    ("month", "This month"),
    ("last-month", "Last month"),
    ("all", "All"),
)
"""Names of the quick choices, and what the page calls them."""
DEFAULT: Final = "month"

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Period:
    """From the first moment of a day to the last of one, both in it."""

    first: date
    last: date
    choice: str = ""
    """The quick choice that it came from, or empty."""

    def bounds(self, now: datetime) -> tuple[datetime, datetime]:
        """Begin and end, exclusive; a day that is not over ends now.

        Raises:
            InvalidRequest: reversed, or in the future.
        """
        if self.last < self.first:
            raise refusal("to", f"the last day ({self.last}) is before the first ({self.first})")
        start = _midnight(self.first)
        if start >= now:
            raise refusal("from", f"the first day ({self.first}) is not yet")
        after = now if self.last >= now.date() else _midnight(self.last + timedelta(days=1))
        return start, after


def read_period(query: Mapping[str, str], today: date, log_begins: date) -> Period:
    """The period of a query: ``period`` with a quick choice, or ``first`` and ``last``.

    Raises:
        InvalidRequest: neither is one.
    """
    choice = query.get("period", "")
    if not choice and (query.get("first") or query.get("last")):
        return Period(_day("first", query.get("first", "")), _day("last", query.get("last", "")))
    spans = {
        "today": (today, today),
        "7-days": (today - timedelta(days=6), today),
        "month": (today.replace(day=1), today),
        "last-month": _last_month(today),
        "all": (min(log_begins, today), today),
    }
    first, last = spans.get(choice or DEFAULT, (None, None))
    if first is None or last is None:
        raise refusal("period", f"no such choice: {', '.join(name for name, _ in QUICK)}")
    return Period(first, last, choice or DEFAULT)


def read_moment(field: str, text: str) -> str:
    """A moment of the search form (UTC, to the second), in the form of the records; empty stays empty.

    Raises:
        InvalidRequest: not one.
    """
    if not text:
        return ""
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError
        return f"{datetime.fromisoformat(text).isoformat()}.000000Z"
    except ValueError:
        raise refusal(field, f"{field}: a time such as 2026-03-01T12:30 is wanted, in UTC") from None


def _day(field: str, text: str) -> date:
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise refusal(field, f"{field} day: a day such as 2026-03-01 is wanted") from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _last_month(today: date) -> tuple[date, date]:
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last
