"""Taking away what is past its time, after it was declared: see :mod:`finslm.audit.retention`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from finslm.audit.log import AuditLog
from finslm.audit.query import RecordFilter
from finslm.audit.records import Record
from finslm.audit.retention import HOLD_LIFTED, HOLD_SET, STATE_EVENTS, Hold, Retention, holds_in_force, may_go
from finslm.errors import ConfigError, UnknownRecord


async def prune(
    log: AuditLog,
    retention: Retention,
    now: datetime,
    *,
    waiting: Callable[[], bool] = lambda: False,
    before: int | None = None,
) -> int:
    """Take away the pieces at the beginning of the log whose records are all past their time and not held.

    Args:
        waiting: whether something waits to be put on record, which may be a hold: then nothing goes. Asked last, since
            to read what may go takes a while; blocks.
        before: no record from this one on goes: it is not published yet. None: any may.

    Returns:
        How many records went; none where a hold, or what another process declared, was recorded meanwhile.

    Raises:
        AuditUnavailable: what goes could not be declared, and so stays, or some of it could not be removed.
        ConfigError: the log is in a database whose role may only append.
    """
    if not await asyncio.to_thread(lambda: log.may_drop):
        raise ConfigError("audit: this role of the database may not take records away: it needs UPDATE on entries")
    try:
        since = await asyncio.to_thread(lambda: log.size)
        first, end, told_again = await asyncio.to_thread(_plan, log, retention, now, before)
    except UnknownRecord:
        return 0  # another replica takes them away right now
    if end <= first or await asyncio.to_thread(waiting):
        return 0
    days = {name: str(getattr(retention, name)) for name in ("calls_days", "refusals_days", "events_days")}
    again = [replace(record, time="") for record in told_again]
    return end - first if await log.drop(end, days, since=since, again=again) else 0


def holds_of(log: AuditLog) -> dict[str, Hold]:
    """Legal holds in force, by id. Reads the log's events; blocks."""
    return holds_in_force(record for _, record in log.events(HOLD_SET, HOLD_LIFTED))


def _plan(log: AuditLog, retention: Retention, now: datetime, before: int | None) -> tuple[int, int, list[Record]]:
    """Where the log begins, up to where it may go, and the events that must be told again before they go."""
    holds, first = holds_of(log), log.first_kept
    end = first
    for after in log.boundaries[1:]:
        if before is not None and after > before:
            break
        if not all(may_go(record, retention, holds.values(), now) for record in _records(log, end, after)):
            break
        end = after
    return first, end, _told_again(log, holds, end)


def _records(log: AuditLog, start: int, end: int) -> Iterable[Record]:
    return (record for _, block in log.select(RecordFilter(), start, end, end) for _, record in block)


def _told_again(log: AuditLog, holds: dict[str, Hold], end: int) -> list[Record]:
    """Of the records before ``end``: the holds in force, and the last event of each that says how things stand."""
    last = {record.event: (index, record) for index, record in log.events(*STATE_EVENTS)}
    set_ = {record.details.get("hold", ""): (index, record) for index, record in log.events(HOLD_SET)}
    kept = [*last.values(), *(item for name, item in set_.items() if name in holds)]
    return [record for index, record in sorted(kept, key=lambda item: item[0]) if index < end]
