"""Sections about calls: who called, what was found in them, who was denied, what failed."""

from __future__ import annotations

from collections.abc import Mapping

from finslm.compliance import charts
from finslm.compliance.document import Block, Chart, Column, Section, Table
from finslm.compliance.model import Calls, Report, Tally

_TALLY = (
    *(Column("Name", "strong", 2.4), Column("Calls", "number", 0.85), Column("Answered", "number", 1.2)),
    *(Column("Refused", "number", 1.05), Column("Failed", "number", 0.85)),
)
_NO_CALLS = "No calls in this period."


def calls(report: Report) -> Section:
    """Calls over time, and by who and what."""
    c = report.calls
    return Section(
        "calls",
        "Calls",
        (
            Chart("Calls over time", charts.time_chart(c.over_time), charts.SERIES),
            _tallies("calls-by-principal", "By principal", c.by_principal),
            _tallies("calls-by-tenant", "By tenant", c.by_tenant),
            _tallies("calls-by-task", "By task", c.by_task),
            _counts("calls-by-status", "By status", "Status", c.by_status, _NO_CALLS),
            _volume(c),
            _duration(c),
            _tallies("calls-by-method", "By method", c.by_method, half=False),
        ),
        "A call is counted when it ended, by its one OUTCOME record.",
    )


def _tallies(name: str, title: str, rows: tuple[Tally, ...], *, half: bool = True) -> Table:
    cells = tuple((row.name, row.calls, row.answered, row.refused, row.failed) for row in rows)
    return Table(name, title, _TALLY, cells, _NO_CALLS, half=half)


def _counts(name: str, title: str, what: str, counts: Mapping[str, int], empty: str, *, shown: bool = True) -> Table:
    columns = (Column(what, "strong", 3), Column("Count", "number"))
    return Table(name, title, columns, tuple(counts.items()), empty, half=True, shown=shown)


def _volume(c: Calls) -> Table:
    rows = (
        ("Characters received", c.input_chars),
        ("Characters answered", c.output_chars),
        ("Prompt tokens", c.prompt_tokens),
        ("Completion tokens", c.completion_tokens),
    )
    return Table("volume", "Volume", (Column("Measure", share=2), Column("Value", "number")), rows, half=True)


def _duration(c: Calls) -> Table:
    rows = (
        ("Median", c.duration_ms_p50),
        ("95% took no longer than", c.duration_ms_p95),
        ("Longest", c.duration_ms_max),
    )
    columns = (Column("From request to end", share=2), Column("Milliseconds", "number"))
    return Table("duration", "Duration", columns, rows, half=True)


def entities(report: Report) -> Section:
    """Pieces of confidential data, counted."""
    e = report.entities
    blocks: tuple[Block, ...] = ()
    if e.total:
        blocks = (
            Chart("By type", charts.bar_chart(e.by_type), half=True),
            Chart("By what was done with it", charts.bar_chart(e.by_action, charts.SLATE), half=True),
        )
    none = "None in this period."
    return Section(
        "entities",
        "Confidential data found",
        (
            *blocks,
            _counts("entities-by-type", "By type", "Type", e.by_type, none, shown=not blocks or len(e.by_type) > 14),
            _counts("entities-by-action", "By action", "Action", e.by_action, none, shown=not blocks),
            _counts("answers", "Found by the guard in answers", "Kind, type, action", e.in_answers, none),
            _withheld(report.calls),
        ),
        f"{e.total:,} pieces in {e.calls_with_any:,} calls. Counts only: neither the log nor this report holds a word "
        "of any request or answer.",
    )


def _withheld(c: Calls) -> Table:
    rows = (("Answers given", c.total.answered - c.blocked_answers), ("Withheld as unsafe", c.blocked_answers))
    columns = (Column("Answer", "strong", 3), Column("Calls", "number"))
    return Table("withheld", "Answers given and withheld", columns, rows, half=True)


def denials(report: Report) -> Section:
    """Who was denied, and all calls without an answer."""
    denied = tuple((row.principal, row.method, row.status, row.calls) for row in report.denials)
    refused = tuple((row.status, row.reason, row.calls) for row in report.refusals)
    return Section(
        "denials",
        "Denials and other calls without an answer",
        (
            Table(
                "denials",
                "Access denied",
                (Column("Principal", "strong", 1.6), Column("Method", share=2), Column("Status", share=1.6), _CALLS),
                denied,
            ),
            Table(
                "refusals",
                "All calls without an answer",
                (Column("Status", "strong", 1.6), Column("Reason", share=3.6), _CALLS),
                refused,
                "No call was refused, and none failed.",
            ),
        ),
    )


_CALLS = Column("Calls", "number", 0.6)


def incidents(report: Report) -> Section:
    """What failed closed, and how often."""
    rows = tuple(
        (row.kind, row.count, row.first_index, row.first_time, row.last_index, row.last_time)
        for row in report.incidents
    )
    columns = (
        *(Column("Incident", "strong", 2.2), Column("Times", "number", 0.6)),
        *(Column("First record", "number", 0.8), Column("First, UTC", "time", 1.4)),
        *(Column("Last record", "number", 0.8), Column("Last, UTC", "time", 1.4)),
    )
    return Section(
        "incidents",
        "Fail-closed incidents",
        (Table("incidents", "", columns, rows),),
        "A part was away or text was not safe, and no answer was given; or the process started again without having "
        "said that it stopped.",
    )


def in_force(report: Report) -> Section:
    """Models, adapters, policies and redactors with their intervals."""
    rows = tuple(
        (
            *(row.kind, row.name, row.digest, charts.span_chart(row, report.period_from, report.period_to)),
            *(row.first_time, row.last_time, row.records),
        )
        for row in report.in_force
    )
    columns = (
        *(Column("Kind", "strong", 0.85), Column("Name", share=1.25), Column("SHA-256", "hash", 2.7)),
        *(Column("Use in the period", "picture", 1.3), Column("First use, UTC", "time", 1.4)),
        *(Column("Last use, UTC", "time", 1.4), Column("Records", "number", 0.75)),
    )
    return Section(
        "in-force",
        "In force",
        (Table("in-force", "", columns, rows, "No record of the period names any."),),
        "Each model, adapter, policy and redactor that records of the period name, from first to last use. A second "
        "line of a kind is a change, or another adapter or policy beside it.",
    )
