"""What the EVENT records of the log say: starts and stops, erasures, keys, holds, the clock, the way out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from finslm.audit.records import Record
from finslm.compliance.model import Clock, Egress, Event, Incident, Retention

MAX_LISTED: Final = 1_000
"""Most rows of a kind that a report lists one by one; all are counted."""
YES: Final = frozenset({"yes", "true", "1"})
EGRESS_PASSED: Final = frozenset({"passed", "sealed"})
"""Results of EGRESS_CHECKED that mean: nothing outside could be reached."""
SUMMED: Final = frozenset({"CLOCK_CHECKED", "EGRESS_CHECKED"})
"""Events that come by the clock: summed up, not listed."""
RESTART: Final = "RESTART_WITHOUT_STOP"
INCIDENTS: Final = frozenset({"WITNESS_QUORUM_LOST", "MODEL_STAGES_RESET"})
"""Events that are incidents by themselves."""


@dataclass(slots=True)
class Incidents:
    """Incidents by kind: how many, with the index and time of the first and the last."""

    _by_kind: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, index: int, record: Record) -> None:
        """Count one."""
        self._counts[kind] += 1
        self._by_kind.setdefault(kind, [(index, record.time)])[1:] = [(index, record.time)]

    def rows(self) -> tuple[Incident, ...]:
        """The most frequent first."""
        return tuple(self._row(kind) for kind, _ in sorted(self._counts.items(), key=lambda item: (-item[1], item[0])))

    def _row(self, kind: str) -> Incident:
        (first_index, first_time), (last_index, last_time) = self._by_kind[kind]
        return Incident(
            kind=kind,
            count=self._counts[kind],
            first_index=first_index,
            first_time=first_time,
            last_index=last_index,
            last_time=last_time,
        )


@dataclass(slots=True)
class Happenings:
    """Events so far. Every event before the end of the period is taken, since holds and starts go on from before it."""

    by_name: Counter[str] = field(default_factory=Counter)
    listed: list[Event] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    egress_results: Counter[str] = field(default_factory=Counter)
    egress: Egress = field(default_factory=Egress)
    holds: dict[str, None] = field(default_factory=dict)
    pruned: int = 0
    started_before: str = ""
    """Time of the last SERVER_STARTED before the period."""
    _running: set[str] = field(default_factory=set)
    """Processes that said they started and did not say they stopped; by instance, where events name one."""

    def take(self, index: int, record: Record, incidents: Incidents, *, in_period: bool) -> None:
        """Note one event of the period, or of the time before it."""
        self._follow(index, record, incidents, in_period=in_period)
        if not in_period:
            return
        name = record.event
        self.by_name[name] += 1
        if name in INCIDENTS:
            incidents.add(name, index, record)
        if name == "CLOCK_CHECKED":
            self.clock = _with_check(self.clock, record)
        elif name == "EGRESS_CHECKED":
            self._take_egress(record)
        elif self.by_name[name] <= MAX_LISTED:
            details = dict(sorted(record.details.items()))
            self.listed.append(Event(index=index, time=record.time, event=name, details=details, tenant=record.tenant))
        if name == "RETENTION_PRUNED":
            self.pruned += max(0, (number(record.details, "end") or 0) - (number(record.details, "first") or 0))

    def retention(self) -> Retention:
        """Prunings of the period and the holds at its end."""
        return Retention(prunings=self.by_name["RETENTION_PRUNED"], records_pruned=self.pruned, holds=tuple(self.holds))

    def _follow(self, index: int, record: Record, incidents: Incidents, *, in_period: bool) -> None:
        """What goes on from before the period: which processes run, which holds are in force."""
        name, instance = record.event, record.details.get("instance", "")
        if name == "SERVER_STARTED":
            if in_period and instance in self._running:
                incidents.add(RESTART, index, record)
            self._running.add(instance)
            self.started_before = self.started_before if in_period else record.time
        elif name == "SERVER_STOPPED":
            self._running.discard(instance)
        elif name == "HOLD_SET":
            self.holds[record.details.get("hold", "")] = None
        elif name == "HOLD_LIFTED":
            self.holds.pop(record.details.get("hold", ""), None)

    def _take_egress(self, record: Record) -> None:
        result = record.details.get("result", "unreadable")
        self.egress_results[result] += 1
        counts = dict(sorted(self.egress_results.items()))
        self.egress = Egress(by_result=counts, last_result=result, last_time=record.time)


def number(details: Mapping[str, str], name: str) -> int | None:
    """A whole number among the details, at most 18 digits; None when there is none."""
    text = details.get(name, "")
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def _with_check(clock: Clock, record: Record) -> Clock:
    offset, error = number(record.details, "offset_us"), number(record.details, "max_error_us")
    return Clock(
        checks=clock.checks + 1,
        unsynchronised=clock.unsynchronised + (record.details.get("synchronised", "") not in YES),
        unreadable=clock.unreadable + (offset is None),
        largest_offset_us=_larger(clock.largest_offset_us, offset),
        largest_error_us=_larger(clock.largest_error_us, error),
        last_time=record.time,
    )


def _larger(known: int | None, value: int | None) -> int | None:
    if value is None:
        return known
    return abs(value) if known is None else max(known, abs(value))
