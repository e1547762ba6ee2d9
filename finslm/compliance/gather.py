"""One pass over the records of the log: everything that a report counts."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from finslm.audit.records import Kind, Record
from finslm.audit.verify import Pairing
from finslm.compliance.model import Deviation, Event, InForce, Refusal, Tally
from finslm.types import FinishReason

Ending = Literal["answered", "refused", "failed"]
REFUSED: Final = frozenset(
    {
        *("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED"),
        *("RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    }
)
"""Statuses with which the service says no. Any other than OK is a call that failed, ran late or was cancelled."""
UNNAMED: Final = "(none)"
"""Stands for an empty field: a caller that did not prove who it is, a method without a task."""
MAX_BUCKETS: Final = 120


def ending_of(record: Record) -> Ending:
    """How the call of an OUTCOME ended."""
    if record.status == "OK":
        return "answered"
    return "refused" if record.status in REFUSED else "failed"


@dataclass(slots=True)
class Gathered:
    """What was counted so far. ``start`` and ``end`` are record times; ``end`` is exclusive."""

    start: str
    end: str
    first_index: int | None = None
    """First record at or after the start."""
    last_index: int | None = None
    """Last record before the end."""
    kinds: Counter[str] = field(default_factory=Counter)
    groups: Counter[tuple[str, str, Ending]] = field(default_factory=Counter)
    """Calls by (grouping, name in it, ending)."""
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)
    entity_types: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    durations_ms: array[int] = field(default_factory=lambda: array("Q"))
    versions: dict[tuple[str, str, str], InForce] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    pairing: Pairing = field(default_factory=Pairing)
    odd_times: list[Deviation] = field(default_factory=list)
    """Records stamped earlier than one before them: the clock was set back."""
    strays: list[Deviation] = field(default_factory=list)
    _latest: str = ""
    _bucket_chars: int = 0

    def __post_init__(self) -> None:
        self._bucket_chars = len(next(buckets(self.start, self.end), ""))

    def take(self, index: int, record: Record) -> None:
        """Count one record; all records of the log come, in order."""
        strays_before = len(self.pairing.strays)
        self.pairing.take(index, record)
        if record.time >= self.start and self.first_index is None:
            self.first_index = index
        if record.time < self.end:
            self.last_index = index
        stepped_back, self._latest = record.time < self._latest, max(self._latest, record.time)
        if stepped_back and record.time < self.end and self.first_index is not None:
            self.odd_times.append(deviation("TIME_OUT_OF_ORDER", index, record))
        if not self.start <= record.time < self.end:
            return
        if len(self.pairing.strays) > strays_before:
            self.strays.append(deviation("OUTCOME_WITHOUT_INTENT", index, record))
        self.kinds[record.kind] += 1
        self._take_versions(index, record)
        if record.kind is Kind.OUTCOME:
            self._take_outcome(record)
        elif record.kind is Kind.EVENT:
            self.events.append(Event(index=index, time=record.time, event=record.event, details=dict(record.details)))

    def _take_outcome(self, record: Record) -> None:
        ending = ending_of(record)
        names = {
            "all": "all",
            "time": record.time[: self._bucket_chars],
            "principal": record.principal or UNNAMED,
            "method": record.method,
            "task": record.task or UNNAMED,
        }
        for grouping, name in names.items():
            self.groups[grouping, name, ending] += 1
        self.statuses[record.status, record.reason] += 1
        for name in ("prompt_tokens", "completion_tokens", "input_chars", "output_chars"):
            self.sums[name] += getattr(record, name) or 0
        self.sums["blocked"] += record.finish_reason == FinishReason.BLOCKED
        self.sums["calls_with_any"] += any(record.entity_counts.values())
        self.entity_types.update(record.entity_counts)
        self.actions.update(record.action_counts)
        if record.duration_ms is not None:
            self.durations_ms.append(record.duration_ms)

    def _take_versions(self, index: int, record: Record) -> None:
        for kind in get_args(InForce.model_fields["kind"].annotation):
            name, digest = getattr(record, f"{kind}_name", ""), getattr(record, f"{kind}_digest")
            if not digest:
                continue
            known = self.versions.get((kind, name, digest))
            self.versions[kind, name, digest] = InForce(
                kind=kind,
                name=name,
                digest=digest,
                first_index=known.first_index if known else index,
                first_time=known.first_time if known else record.time,
                last_index=index,
                last_time=record.time,
                records=known.records + 1 if known else 1,
            )

    def tallies(self, grouping: str) -> tuple[Tally, ...]:
        """Calls of each name in a grouping, the busiest first."""
        found: dict[str, Counter[str]] = {}
        for (group, name, ending), calls in self.groups.items():
            if group == grouping:
                found.setdefault(name, Counter())[ending] += calls
        rows = [Tally(name=name, calls=ends.total(), **ends) for name, ends in found.items()]
        return tuple(sorted(rows, key=lambda row: (-row.calls, row.name)))

    def over_time(self) -> tuple[Tally, ...]:
        """Calls of each hour, day, month or year of the period, empty ones too."""
        found = {row.name: row for row in self.tallies("time")}
        return tuple(found.get(name, Tally(name=name)) for name in buckets(self.start, self.end))

    def refusals(self) -> tuple[Refusal, ...]:
        """Calls that were not answered, by status and reason, the most frequent first."""
        rows = [Refusal(status=s, reason=r or UNNAMED, calls=n) for (s, r), n in self.statuses.items() if s != "OK"]
        return tuple(sorted(rows, key=lambda row: (-row.calls, row.status, row.reason)))

    def deviations(self) -> tuple[Deviation, ...]:
        """Records of the period that must be explained, in the order of the log."""
        unanswered = [
            deviation("NO_OUTCOME", index, record)
            for index, record in self.pairing.waiting.items()
            if self.start <= record.time < self.end
        ]
        return tuple(sorted(unanswered + self.strays + self.odd_times, key=lambda row: (row.index, row.kind)))

    def duration_ms(self, quantile: float) -> int | None:
        """Nearest-rank quantile of the calls' durations, milliseconds; None without calls."""
        ordered = sorted(self.durations_ms)
        return ordered[math.ceil(quantile * len(ordered)) - 1] if ordered else None


def deviation(
    kind: Literal["NO_OUTCOME", "OUTCOME_WITHOUT_INTENT", "TIME_OUT_OF_ORDER"], index: int, record: Record
) -> Deviation:
    """The line of the report that points at a record."""
    return Deviation(
        kind=kind,
        index=index,
        time=record.time,
        request_id=record.request_id,
        principal=record.principal,
        method=record.method or record.event,
    )


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
