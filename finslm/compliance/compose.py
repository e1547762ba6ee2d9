"""From the report's data to its sections, and the controls tables that point at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from finslm.compliance import sections_calls, sections_log, sections_service
from finslm.compliance.document import Column, Document, Section, Table, when
from finslm.compliance.model import Report, Standard

_STATUSES: Final = ("evidenced", "partly", "not evidenced", "the bank's own")


def compose(report: Report) -> Document:
    """Lay out ``report``."""
    body = (
        *(sections_log.about(report), sections_log.completeness(report), sections_log.witnesses(report)),
        *(sections_calls.calls(report), sections_calls.entities(report), sections_calls.denials(report)),
        *(sections_calls.incidents(report), sections_calls.in_force(report), sections_service.changes(report)),
        *(sections_service.subjects(report), sections_service.egress(report), sections_service.clock(report)),
        *(sections_service.retention(report), sections_service.reports(report), sections_service.service(report)),
        sections_service.deviations(report),
    )
    sections = (*body, _controls(report.standards, _numbers(body)), sections_log.proofs(report))
    verdict, detail = _verdict(report)
    source = report.source
    tenant = f"tenant {report.query.tenant}" if report.query.tenant else ""
    return Document(
        report_id=report.report_id,
        title=source.system or source.origin,
        period=f"{when(report.period_from)} to {when(report.period_to)} UTC, end excluded",
        subject=", ".join(filter(None, (source.environment, tenant))),
        drawn=(
            f"Drawn {when(report.generated_at)} UTC",
            f"by {report.generated_by}",
            f"with {source.tool} {source.tool_version}",
        ),
        passed=report.evidence.passed,
        verdict=verdict,
        verdict_detail=detail,
        figures=_figures(report),
        sections=sections,
        closing=_CLOSING,
    )


_CLOSING: Final = (
    "Drawn from the verified audit log alone; the same log and arguments give the same report. Check it with "
    "\u201cfinslm audit verify --key log.vkey\u201d and a public key kept away from the log. What it does not show: "
    "whether somebody who holds the signing key made the whole log anew, or cut records that no checkpoint covers. "
    "Checkpoints and cosignatures kept elsewhere show that."
)


def _verdict(report: Report) -> tuple[str, str]:
    e = report.evidence
    failed = [check for check in e.checks if not check.passed]
    if not failed:
        pruned = f", {e.records_pruned:,} pruned by declared retention" if e.records_pruned else ""
        counted = f"{e.records_counted:,} records counted, {e.records_expected:,} by tree size{pruned}, gaps 0"
        return "Complete and intact.", f"All {len(e.checks)} checks passed: {counted}."
    points = "; ".join(f"\u201c{check.name}\u201d: {check.detail}" for check in failed)
    return (
        f"{len(failed)} of {len(e.checks)} checks did not pass.",
        f"The log itself is intact, or this report would not exist. To be explained: {points}.",
    )


def _figures(report: Report) -> tuple[tuple[int, str], ...]:
    total, entities = report.calls.total, report.entities
    return (
        (total.calls, "calls"),
        (total.answered, "answered"),
        (total.refused + total.failed, f"without an answer: {total.refused:,} refused, {total.failed:,} failed"),
        (entities.total, f"pieces of confidential data found, in {entities.calls_with_any:,} calls"),
        (sum(row.count for row in report.incidents), "fail-closed incidents"),
        (sum(report.deviations_by_kind.values()), "records to be explained"),
    )


def _numbers(sections: tuple[Section, ...]) -> dict[str, int]:
    """The number of the section that a table or section is in, by their ids."""
    found: dict[str, int] = {}
    for number, section in enumerate(sections, 1):
        for name in (section.id, *(getattr(block, "id", section.id) for block in section.blocks)):
            found.setdefault(name, number)
    return found


def _controls(standards: tuple[Standard, ...], numbers: Mapping[str, int]) -> Section:
    overview = Table(
        "controls",
        "Overview",
        (Column("Standard", "strong", 3), *(Column(status.capitalize(), "number", 0.8) for status in _STATUSES)),
        tuple((s.name, *(Counter(c.status for c in s.controls)[status] for status in _STATUSES)) for s in standards),
    )
    tables = tuple(_table(standard, numbers) for standard in standards)
    return Section("controls", "Controls", (overview, *tables), _READ)


_READ: Final = (
    "Each status says what this report evidences, computed from the figures beside it; none says that a rule is kept, "
    "which is for the bank and its auditors to judge. Evidenced: all that is asked stands in the log of this period. "
    "Partly: some of it does, or more is asked than a log can show. Not evidenced: it could stand in the log, and does "
    "not. The bank\u2019s own: no log of this service can show it. What is asked is in our own short words."
)


def _table(standard: Standard, numbers: Mapping[str, int]) -> Table:
    columns = (
        *(Column("Id", "strong", 1.15), Column("What is asked", share=2.3), Column("Status", "status", 1.05)),
        *(Column("Found in this log", share=2.6), Column("Section", "number", 0.8), Column("The bank must", share=2.1)),
    )
    rows = tuple(
        (c.id, c.asks, c.status, c.found or "\u2013", numbers.get(c.section), c.bank) for c in standard.controls
    )
    return Table(f"controls-{standard.id}", standard.name, columns, rows, note=standard.note)
