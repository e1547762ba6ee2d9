"""Sections about the report itself and the log it is drawn from."""

from __future__ import annotations

from finslm.compliance.document import Column, Facts, Section, Table, when
from finslm.compliance.model import Report


def about(report: Report) -> Section:
    """Who drew what from where, and with which query."""
    source, query = report.source, report.query
    rows = (
        ("System", source.system or "not named"),
        ("Environment", source.environment or "not named"),
        ("Audit log", source.origin),
        ("Period", f"{when(report.period_from)} to {when(report.period_to)} UTC, end excluded"),
        ("Tenant", query.tenant or "all tenants"),
        ("Drawn", f"{when(report.generated_at)} UTC by {report.generated_by}"),
        ("Tool", f"{source.tool} {source.tool_version}, report schema {report.report_version}"),
        ("Query", query.text),
        ("SHA-256 of the query", query.sha256),
        ("Report id", report.report_id),
    )
    return Section("about", "This report", (Facts("about", "", rows),))


def completeness(report: Report) -> Section:
    """The checks, the trees and what was counted."""
    e = report.evidence
    checks = tuple((c.name, c.detail, "passed" if c.passed else "not passed") for c in e.checks)
    trees = (
        ("at the start of the period", e.tree_at_start.size, e.tree_at_start.root_hash),
        ("at the end of the period", e.tree_at_end.size, e.tree_at_end.root_hash),
        ("when this was drawn", e.tree_now.size, e.tree_now.root_hash),
        ("signed checkpoint", e.checkpoint_size, e.checkpoint_root_hash),
    )
    return Section(
        "completeness",
        "Completeness and integrity",
        (
            Table(
                "checks",
                "",
                (Column("Check", share=2.2), Column("Found", share=3.4), Column("Result", "status", 1)),
                checks,
            ),
            Table(
                "trees",
                "The log as a tree",
                (Column("Tree", share=1.5), Column("Records", "number", 0.6), Column("Root hash, RFC 9162", "hash", 4)),
                trees,
            ),
            Facts("counted", "", _counted(report)),
        ),
        "The whole log was read, whatever the query selects: a record that was changed, taken out or put elsewhere "
        "fails a check here.",
    )


def _counted(report: Report) -> tuple[tuple[str, str], ...]:
    e = report.evidence
    gaps = e.records_expected - e.records_counted - e.records_pruned
    pruned = f" less {e.records_pruned:,} pruned" if e.records_pruned else ""
    span = "none" if e.first_index is None else f"{e.first_index:,} to {e.last_index:,}"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in e.records_by_kind.items())
    rows = [
        ("Records of the period", f"{span}{f' ({kinds})' if kinds else ''}"),
        (
            "Counted",
            f"{e.records_counted:,} = {e.tree_at_end.size:,} \u2212 {e.tree_at_start.size:,}{pruned}, gaps {gaps:,}",
        ),
    ]
    if e.records_of_tenant is not None:
        rows.append(
            (
                "In the body",
                f"{e.records_of_tenant:,} of the tenant {report.query.tenant}, "
                f"{e.records_of_service:,} events of the service itself",
            )
        )
    return (*rows, ("Public key", report.source.public_key))


def witnesses(report: Report) -> Section:
    """Who else saw the tree."""
    seen = report.witnesses
    note = "No witness policy given: nobody but the holder of the log's key vouches for the checkpoint."
    if seen.policy:
        size = "nothing" if seen.cosigned_size is None else f"the first {seen.cosigned_size:,} records"
        met = "met" if seen.quorum else "not met"
        note = f"Quorum {met}: {size} cosigned. SHA-256 of the witness policy: {seen.policy}."
    table = Table(
        "cosignatures",
        "",
        (Column("Witness", share=3), Column("Cosigned, UTC", "time")),
        tuple((row.name, row.time) for row in seen.cosignatures),
        "No cosignatures.",
    )
    return Section("witnesses", "Cosignatures", (table,), note)


def proofs(report: Report) -> Section:
    """The consistency proofs, for who wants to check them by hand."""
    e = report.evidence
    found = (
        ("proof-start-to-end", "From start to end", e.consistency_start_to_end),
        ("proof-end-to-now", "From end to now", e.consistency_end_to_now),
    )
    tables = tuple(
        Table(
            name,
            title,
            (Column("Step", "number", 0.34), Column("Hash", "hash", 4)),
            tuple((step, value) for step, value in enumerate(hashes, 1)),
            "Trivial: from an empty tree, or between equal trees.",
        )
        for name, title, hashes in found
    )
    return Section(
        "proofs",
        "Annex: consistency proofs",
        tables,
        "RFC 9162, section 2.1.4. They show that the larger tree begins with all records of the smaller one.",
    )
