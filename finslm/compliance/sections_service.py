"""Sections from the EVENT records: changes, keys, erasures, egress, clock, retention, reports, starts and stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from finslm.compliance.document import Column, Facts, Section, Table, when
from finslm.compliance.model import Report
from finslm.compliance.signals import CHANGES, ERASURES, KEY_EVENTS, RETENTION_EVENTS

_SEARCHES: Final = ("SUBJECT_SEARCHED",)
_READINGS: Final = ("REPORT_DRAWN", "LOG_EXPORTED", "LOG_SEARCHED")
_STEPS: Final = ("CLOCK_STEPPED",)
_ELSEWHERE: Final = frozenset((*CHANGES, *KEY_EVENTS, *ERASURES, *RETENTION_EVENTS, *_SEARCHES, *_READINGS, *_STEPS))
_COLUMNS: Final = (
    *(Column("Record", "number", 0.6), Column("Time, UTC", "time", 1.4), Column("Event", "strong", 1.8)),
    *(Column("Tenant", share=0.8), Column("Details", "details", 3.4)),
)


def changes(report: Report) -> Section:
    """Changes of policy, model and adapter, and of keys."""
    return Section(
        "changes",
        "Changes and keys",
        (
            _events(report, "changes", "Policy, model and adapter", CHANGES),
            _events(report, "keys", "Keys", KEY_EVENTS),
        ),
    )


def subjects(report: Report) -> Section:
    """Erasures and data-subject searches."""
    return Section(
        "erasures",
        "Erasures and data-subject searches",
        (
            _events(report, "erasures", "Erasures", ERASURES),
            _events(report, "searches", "Data-subject searches", _SEARCHES),
        ),
        "What is erased lies outside the log, under a key of its own; the log keeps the fact of it, and older proofs "
        "still verify.",
    )


def egress(report: Report) -> Section:
    """Whether the service could reach anything outside."""
    results = tuple(report.egress.by_result.items())
    last = report.egress.last_time
    note = f"Last check {when(last)} UTC: {report.egress.last_result}." if last else "Not recorded in this period."
    columns = (Column("Result of the check", "strong", 3), Column("Checks", "number"))
    return Section("egress", "Egress", (Table("egress", "", columns, results, "Not recorded.", half=True),), note)


def clock(report: Report) -> Section:
    """How far the clock was from its reference."""
    c = report.clock
    rows = (
        ("Checks", f"{c.checks:,}"),
        ("Not synchronised", f"{c.unsynchronised:,}"),
        ("Largest offset", _microseconds(c.largest_offset_us)),
        ("Largest estimated error", _microseconds(c.largest_error_us)),
        ("Last check", f"{when(c.last_time)} UTC" if c.last_time else "not recorded"),
    )
    unread = f" The figures of {c.unreadable:,} checks cannot be read." if c.unreadable else ""
    note = (
        "Offsets of the machine's clock from its reference." if c.checks else "Not recorded in this period."
    ) + unread
    steps = _events(report, "clock-steps", "Times that the clock was set", _STEPS)
    return Section("clock", "Clock", (Facts("clock", "", rows), steps), note)


def _microseconds(value: int | None) -> str:
    return "not recorded" if value is None else f"{value:,} \u00b5s"


def retention(report: Report) -> Section:
    """What was pruned and what is held."""
    kept, begins = report.retention, report.source.log_begins
    rows = (
        ("The log goes back to", f"{when(begins)} UTC" if begins else "it is empty"),
        (
            "Prunings in the period",
            f"{kept.prunings:,}, of {kept.records_pruned:,} records" if kept.prunings else "none",
        ),
        ("Legal holds at the end", ", ".join(kept.holds) or "none"),
    )
    events = _events(report, "retention-events", "Prunings and holds", RETENTION_EVENTS)
    return Section("retention", "Retention", (Facts("retention", "", rows), events))


def reports(report: Report) -> Section:
    """Reports drawn before, and exports."""
    return Section(
        "reports",
        "Reports, exports and searches of this log",
        (_events(report, "reports", "", _READINGS),),
        "A report is recorded once it has been drawn, so this one is not among them.",
    )


def service(report: Report) -> Section:
    """Starts, stops and all other events."""
    rest = tuple(name for name in report.events_by_name if name not in _ELSEWHERE)
    names = (Column("Event", "strong", 3), Column("Count", "number"))
    counts = Table("events-by-name", "All events by name", names, tuple(report.events_by_name.items()), half=True)
    return Section(
        "events",
        "Starts, stops and other events",
        (counts, _events(report, "events", "Starts, stops and what no other section lists", rest)),
        "Clock and egress checks are counted, not listed.",
    )


def _events(report: Report, name: str, title: str, events: tuple[str, ...]) -> Table:
    rows = tuple(
        (row.index, row.time, row.event, row.tenant, _details(row.details))
        for row in report.events
        if row.event in events
    )
    left_out = sum(report.events_by_name.get(event, 0) for event in set(events)) - len(rows)
    summed = sum(
        report.events_by_name.get(event, 0) for event in ("CLOCK_CHECKED", "EGRESS_CHECKED") if event in events
    )
    note = f"{left_out - summed:,} more are counted and not listed." if left_out > summed else ""
    return Table(name, title, _COLUMNS, rows, note=note)


def _details(details: Mapping[str, str]) -> str:
    first = {"before": 0, "after": 1}
    ordered = sorted(details.items(), key=lambda item: (first.get(item[0], 2), item[0]))
    return ", ".join(f"{key} {value}" for key, value in ordered)


def deviations(report: Report) -> Section:
    """Records that somebody must explain."""
    rows = tuple(
        (row.index, row.time, row.kind, row.method, row.principal, row.request_id) for row in report.deviations
    )
    columns = (
        *(Column("Record", "number", 0.7), Column("Time, UTC", "time", 1.55), Column("What", "strong", 1.8)),
        *(Column("Call", share=2.1), Column("Principal", share=1.3), Column("Request id", "hash", 1.6)),
    )
    more = sum(report.deviations_by_kind.values()) - len(rows)
    whose = (
        "of other tenants, or beyond the first thousand of a kind"
        if report.query.tenant
        else "beyond the first thousand of a kind"
    )
    return Section(
        "deviations",
        "Records to be explained",
        (Table("deviations", "", columns, rows, "None.", f"{more:,} more are {whose}." if more else ""),),
        "NO_OUTCOME: a call was begun, and its end is not on record up to the drawing of this report (still running, "
        "or the process was killed). OUTCOME_WITHOUT_INTENT: an end without its beginning. TIME_OUT_OF_ORDER: the "
        "clock was set back."
        if rows or more
        else "",
    )
