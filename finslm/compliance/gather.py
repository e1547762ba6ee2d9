"""One pass over the records of the log: everything that a report counts.

A log may have millions of records, so a record costs a few dictionary look-ups and nothing is kept of it: what
grows are the counters, by the number of different callers, tasks, reasons, digests and durations (whole
milliseconds), and the calls that have no outcome yet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from finslm.audit.records import Kind, Record
from finslm.compliance.gaps import Gaps
from finslm.compliance.happenings import MAX_LISTED, Happenings, Incidents
from finslm.compliance.model import Deviation
from finslm.compliance.periods import buckets
from finslm.types import FinishReason

DeviationKind = Literal["NO_OUTCOME", "OUTCOME_WITHOUT_INTENT", "TIME_OUT_OF_ORDER"]
FAILED_CLOSED: Final = frozenset({"RESIDUAL_PII", "VALUE_NOT_REPLACED"})
"""Reasons, beside all of UNAVAILABLE and DATA_LOSS, with which no answer was given since it could not be safe."""


class Ended(NamedTuple):
    """What calls are grouped by."""

    principal: str
    tenant: str
    method: str
    task: str
    status: str
    reason: str
    blocked: bool
    versioned: bool
    """It names the redactor and the policy in force."""


@dataclass(slots=True)
class Gathered:
    """What was counted so far. ``start`` and ``end`` are record times; ``end`` is exclusive.

    With ``tenant``, the body counts that tenant's records and the service's own events; completeness is of all.
    """

    start: str
    end: str
    tenant: str = ""
    first_index: int | None = None
    """First record at or after the start."""
    last_index: int | None = None
    """Last record before the end."""
    log_begins: str | None = None
    kinds: Counter[str] = field(default_factory=Counter)
    tenants: set[str] = field(default_factory=set)
    """All that records of the whole log name."""
    of_tenant: int = 0
    of_service: int = 0
    ended: Counter[Ended] = field(default_factory=Counter)
    over_time: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls by (bucket, status)."""
    sums: Counter[str] = field(default_factory=Counter)
    entity_types: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    durations_ms: Counter[int] = field(default_factory=Counter)
    versions: dict[tuple[str, ...], list[int | str]] = field(default_factory=dict)
    happenings: Happenings = field(default_factory=Happenings)
    incidents: Incidents = field(default_factory=Incidents)
    odd: Counter[str] = field(default_factory=Counter)
    """Records to be explained, of all tenants, by kind."""
    shown: list[Deviation] = field(default_factory=list)
    gaps: Gaps = field(default_factory=Gaps)
    waiting: dict[int, Record] = field(default_factory=dict)
    """INTENTs that no OUTCOME has answered so far, by index."""
    _shown_of: Counter[str] = field(default_factory=Counter)
    _latest: str = ""
    _bucket_chars: int = 0

    def __post_init__(self) -> None:
        self._bucket_chars = len(next(buckets(self.start, self.end), ""))

    def take(self, index: int, record: Record) -> None:
        """Count one record; all records of the log come, in order."""
        time = record.time
        self.gaps.take(index)
        answers_intent = self._pair(index, record)
        self.tenants.add(record.tenant)
        self._place(index, time)
        if time < self._latest:
            if time < self.end and self.first_index is not None:
                self._note("TIME_OUT_OF_ORDER", index, record)
        else:
            self._latest = time
        if time >= self.end:
            return
        inside = time >= self.start
        if inside:
            self.kinds[record.kind] += 1
            if not answers_intent:
                self._note("OUTCOME_WITHOUT_INTENT", index, record)
        self._take_body(index, record, inside=inside)

    def _place(self, index: int, time: str) -> None:
        if self.log_begins is None:
            self.log_begins = time
        if self.first_index is None and time >= self.start:
            self.first_index = index
        if time < self.end:
            self.last_index = index

    def _pair(self, index: int, record: Record) -> bool:
        """Follow calls and prunings; False for an OUTCOME that names what is not an open INTENT of its call."""
        if record.kind is Kind.INTENT:
            self.waiting[index] = record
        elif record.intent_index is not None:
            intent = self.waiting.get(record.intent_index)
            if intent is None or intent.request_id != record.request_id:
                return record.intent_index < (self.gaps.begins_at or 0)  # pruned with the oldest records
            del self.waiting[record.intent_index]
        elif record.event == "RETENTION_PRUNED":
            self.gaps.declare(record)
        return True

    def _take_body(self, index: int, record: Record, *, inside: bool) -> None:
        is_event = record.kind is Kind.EVENT
        owner = record.tenant or (record.details.get("tenant", "") if is_event else "")
        if self.tenant and owner != self.tenant:
            if not is_event or owner:
                return
            self.of_service += inside
        else:
            self.of_tenant += inside
        if is_event:
            self.happenings.take(index, record, self.incidents, in_period=inside)
        if inside:
            self._take_versions(index, record)
            if record.kind is Kind.OUTCOME:
                self._take_outcome(index, record)

    def _take_outcome(self, index: int, record: Record) -> None:
        status, sums = record.status, self.sums
        blocked = record.finish_reason == FinishReason.BLOCKED
        versioned = bool(record.redactor_digest and record.policy_digest)
        self.ended[
            Ended(
                *(record.principal, record.tenant, record.method, record.task),
                *(status, record.reason, blocked, versioned),
            )
        ] += 1
        self.over_time[record.time[: self._bucket_chars], status] += 1
        sums["prompt_tokens"] += record.prompt_tokens or 0
        sums["completion_tokens"] += record.completion_tokens or 0
        sums["input_chars"] += record.input_chars or 0
        sums["output_chars"] += record.output_chars or 0
        self._take_found(record)
        if record.duration_ms is not None:
            self.durations_ms[record.duration_ms] += 1
        if status in {"UNAVAILABLE", "DATA_LOSS"} or record.reason in FAILED_CLOSED:
            self.incidents.add(record.reason or status, index, record)

    def _take_found(self, record: Record) -> None:
        for counts, into in (
            (record.entity_counts, self.entity_types),
            (record.action_counts, self.actions),
            (record.answer_counts, self.answers),
        ):
            for name, count in counts.items():
                into[name] += count
        self.sums["calls_with_any"] += any(record.entity_counts.values())

    def _take_versions(self, index: int, record: Record) -> None:
        key = (
            *(record.model_name, record.model_digest, record.adapter_name, record.adapter_digest),
            *(record.policy_digest, record.redactor_digest),
        )
        known = self.versions.get(key)
        if known is None:
            self.versions[key] = [index, record.time, index, record.time, 1]
        else:
            known[2:] = index, record.time, int(known[4]) + 1

    def _note(self, kind: DeviationKind, index: int, record: Record) -> None:
        self.odd[kind] += 1
        if self.tenant in ("", record.tenant) and self._shown_of[kind] < MAX_LISTED:
            self._shown_of[kind] += 1
            self.shown.append(deviation(kind, index, record))

    def close(self) -> None:
        """After the last record: note the calls of the period that never got their outcome."""
        for index, record in self.waiting.items():
            if self.start <= record.time < self.end:
                self._note("NO_OUTCOME", index, record)
        self.shown.sort(key=lambda row: (row.index, row.kind))


def deviation(kind: DeviationKind, index: int, record: Record) -> Deviation:
    """The line of the report that points at a record."""
    return Deviation(
        kind=kind,
        index=index,
        time=record.time,
        request_id=record.request_id,
        principal=record.principal,
        method=record.method or record.event,
    )
