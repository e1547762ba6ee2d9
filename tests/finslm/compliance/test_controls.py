"""Control statuses come from the log: each is seen both ways, and what only the bank can do is never evidenced."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from finslm.audit import Kind, Record
from finslm.compliance import Report, Request, draw
from finslm.compliance.compose import compose
from finslm.compliance.controls import standards
from finslm.compliance.model import Control
from finslm.compliance.signals import SIGNALS

Drawn = Callable[..., Report]
DIGESTS = {"policy_digest": "a" * 64, "redactor_digest": "b" * 64, "model_name": "m", "model_digest": "c" * 64}


@pytest.fixture
def drawn(sample: ModuleType, tmp_path: Path) -> Drawn:
    """The report of a log with these records, one an hour from the start of the period."""

    def make(*records: Record, before: Iterable[Record] = (), **arguments: object) -> Report:
        early = [(sample.START - timedelta(days=400), record) for record in before]
        steps = [(sample.START + timedelta(hours=i), record) for i, record in enumerate(records)]
        folder = sample.write(tmp_path / f"log-{len(list(tmp_path.iterdir()))}", early + steps)
        return draw(folder, Request(sample.START, sample.END, sample.DRAWN, "auditor", **arguments))  # type: ignore[arg-type]

    return make


def control(report: Report, standard: str, identity: str) -> Control:
    """One row."""
    return next(c for s in report.standards if s.id == standard for c in s.controls if c.id == identity)


def event(name: str, tenant: str = "", **details: str) -> Record:
    """An EVENT."""
    return Record(Kind.EVENT, event=name, tenant=tenant, details=details)


def call(number: int, index: int, **changes: object) -> list[Record]:
    """INTENT at this index, and OUTCOME."""
    base = {
        "request_id": f"5d1f0c3a-0000-4000-8000-{number:012x}",
        "method": "InferenceService/Generate",
        "principal": "loans",
        "tenant": "retail",
        **DIGESTS,
        **changes,
    }
    status = {"status": base.pop("status", "OK"), "reason": base.pop("reason", "")}
    return [
        Record(Kind.INTENT, **base),  # type: ignore[arg-type]
        Record(Kind.OUTCOME, intent_index=index, **status, **base),  # type: ignore[arg-type]
    ]


CLOCK = {"offset_us": "-300", "max_error_us": "2000"}


@pytest.mark.parametrize(
    ("standard", "identity", "records", "status", "figure"),
    [
        ("pci-dss", "10.2.1.6", [], "not evidenced", "no start in the log"),
        ("pci-dss", "10.2.1.6", [event("SERVER_STARTED")], "evidenced", "1 start, 0 stops"),
        ("pci-dss", "10.2.1.6", [event("SERVER_STARTED"), event("SERVER_STARTED")], "partly", "1 start without a stop"),
        ("pci-dss", "10.6.1", [event("SERVER_STARTED")], "partly", "clock offsets are not recorded"),
        ("pci-dss", "10.6.1", [event("CLOCK_CHECKED", synchronised="yes", **CLOCK)], "evidenced", "largest offset 300"),
        ("pci-dss", "10.6.1", [event("CLOCK_CHECKED", synchronised="no", **CLOCK)], "partly", "1 not synchronised"),
        ("pci-dss", "10.6.1", [event("CLOCK_CHECKED", synchronised="yes", offset_us="x")], "partly", "unknown"),
        (
            "pci-dss",
            "10.6.1",
            [event("CLOCK_CHECKED", synchronised="yes", **CLOCK), event("CLOCK_STEPPED")],
            "partly",
            "set 1 time",
        ),
        ("pci-dss", "10.2.1.4", call(1, 0), "not evidenced", "0 denied calls"),
        ("pci-dss", "10.2.1.4", call(1, 0, status="PERMISSION_DENIED"), "evidenced", "1 denied call"),
        ("pci-dss", "10.4.1", call(1, 0), "the bank's own", ""),
        ("dora", "12(2)(c)(iii)", [event("POLICY_CHANGED")], "partly", "0 promotions"),
        (
            "dora",
            "12(2)(c)(iii)",
            [event("MODEL_PROMOTED", signed="yes")],
            "evidenced",
            "1 promotion on record, 1 signed",
        ),
        ("dora", "12(2)(c)(iii)", [event("MODEL_PROMOTED", signed="no")], "partly", "0 signed"),
        ("nist-800-53", "AU-12", call(1, 0), "evidenced", "0 calls without outcome"),
        ("nist-800-53", "AU-12", call(1, 0)[:1], "partly", "no calls in the period"),
        ("nist-800-53", "AU-9(2)", call(1, 0), "not evidenced", "0 exports of the log"),
        ("nist-800-53", "AU-9(2)", [event("LOG_EXPORTED")], "partly", "1 export of the log"),
        ("pci-dss", "3.7.4", [event("KEY_ROTATED")], "not evidenced", "0 changes of the vault's keys"),
        ("pci-dss", "10.3.4", call(1, 0), "partly", "no witness policy given"),
        ("nist-800-53", "SC-7(5)", call(1, 0), "not evidenced", "egress checks are not recorded"),
        ("nist-800-53", "SC-7(5)", [event("EGRESS_CHECKED", result="reached")], "not evidenced", "1 egress check, 0"),
        ("nist-800-53", "SC-7(5)", [event("EGRESS_CHECKED", result="passed")], "partly", "1 egress check, 1"),
        (
            "glba",
            "314.4(c)(8)",
            call(1, 0, status="PERMISSION_DENIED") + call(2, 2),
            "evidenced",
            "2 calls with a proven",
        ),
        ("glba", "314.4(c)(8)", call(1, 0, principal=""), "partly", "1 answered without one"),
        ("gdpr", "5(1)(e)", call(1, 0), "not evidenced", "0 erasures"),
        ("gdpr", "5(1)(e)", [event("SUBJECT_ERASED", "retail", id="x")], "partly", "1 erasure on record"),
        ("gdpr", "25", call(1, 0, redactor_digest=""), "not evidenced", "0 of 1 answered calls"),
        ("sr-26-2", "inventory", call(1, 0), "partly", "1 model digest"),
    ],
)
def test_a_status_is_computed(
    standard: str, identity: str, records: list[Record], status: str, figure: str, drawn: Drawn
) -> None:
    """What stands in the log decides, and the figure is shown."""
    row = control(drawn(*records, standards=(standard,)), standard, identity)
    assert (row.status, figure in row.found) == (status, True), row.found


def test_history_counts_from_the_oldest_record(drawn: Drawn) -> None:
    """A year is evidenced by a log that goes back a year, and only partly by one that does not."""
    for before, status in (([event("SERVER_STARTED")], "evidenced"), ([], "partly")):
        assert control(drawn(*call(1, len(before)), before=before), "pci-dss", "10.5.1").status == status


def test_a_start_before_the_period_counts(drawn: Drawn) -> None:
    """The service runs since then; a second start without a stop is an incident of the period."""
    report = drawn(*call(1, 1), before=[event("SERVER_STARTED")])
    assert "running since 2025" in control(report, "pci-dss", "10.2.1.6").found
    report = drawn(event("SERVER_STARTED"), before=[event("SERVER_STARTED")])
    assert [(row.kind, row.count) for row in report.incidents] == [("RESTART_WITHOUT_STOP", 1)]
    several = [event("SERVER_STARTED", instance="a"), event("SERVER_STARTED", instance="b")]
    assert drawn(*several).incidents == ()


def test_incidents_are_what_failed_closed(drawn: Drawn) -> None:
    """Parts that were away, text that was not safe; a wrong request is none."""
    reasons = [("UNAVAILABLE", "AUDIT_UNAVAILABLE"), ("FAILED_PRECONDITION", "RESIDUAL_PII")]
    reasons += [
        ("DATA_LOSS", "VAULT_TAMPERED"),
        ("INVALID_ARGUMENT", "TEXT_TOO_LONG"),
        ("UNAVAILABLE", "AUDIT_UNAVAILABLE"),
    ]
    calls = [record for i, (s, r) in enumerate(reasons) for record in call(i, 2 * i, status=s, reason=r)]
    report = drawn(*calls)
    assert [(row.kind, row.count, row.first_index, row.last_index) for row in report.incidents] == [
        ("AUDIT_UNAVAILABLE", 2, 1, 9),
        ("RESIDUAL_PII", 1, 3, 3),
        ("VAULT_TAMPERED", 1, 5, 5),
    ]


def test_holds_and_prunings(drawn: Drawn) -> None:
    """A hold goes on until it is lifted, from before the period too; prunings are summed."""
    report = drawn(
        event("HOLD_SET", hold="b"),
        event("HOLD_LIFTED", hold="b"),
        event("HOLD_SET", hold="c"),
        event("RETENTION_PRUNED", first="0", end="120", **{"class": "operational"}),
        event("RETENTION_PRUNED", first="x", end="y"),
        before=[event("HOLD_SET", hold="a")],
    )
    kept = report.retention
    assert (kept.holds, kept.prunings, kept.records_pruned) == (("a", "c"), 2, 120)


def test_a_hold_on_a_tenant_is_that_tenants(drawn: Drawn) -> None:
    """An event that names a tenant among its details is not shown to another."""
    records = [
        Record(Kind.EVENT, event="HOLD_SET", details={"hold": "a", "tenant": "retail"}),
        event("HOLD_SET", hold="b"),
        *call(1, 2, tenant="markets"),
    ]
    for tenant, holds in (("markets", ("b",)), ("", ("a", "b"))):
        assert drawn(*records, tenant=tenant).retention.holds == holds


def test_a_tenant_sees_only_its_own(month: Path, monthly: Report, request_of: Callable[..., Request]) -> None:
    """Its calls and events, and the service's own events; completeness is of all, and says so."""
    report = draw(month, request_of(tenant="markets"))
    e, whole = report.evidence, monthly.evidence
    assert (e.records_counted, e.records_expected) == (whole.records_counted, whole.records_expected)
    assert report.calls.by_tenant == tuple(row for row in monthly.calls.by_tenant if row.name == "markets")
    assert {row.tenant for row in report.events} == {"markets", ""}
    assert {row.name for row in report.calls.by_principal} == {"trade-surveillance", "research-assist"}
    assert e.records_of_tenant is not None
    assert e.records_of_service is not None
    parts = [draw(month, request_of(tenant=name)).evidence for name in ("markets", "retail", "treasury")]
    nobody = monthly.calls.by_tenant[-1].calls
    assert sum(p.records_of_tenant or 0 for p in parts) + e.records_of_service + nobody == e.records_counted
    words = report.to_json()
    assert not any(name in words for name in ("loan-desk", "treasury-ops", "dsar-2026-0114"))
    assert report.query.sha256 != monthly.query.sha256
    counted = dict(next(block.rows for block in compose(report).tables() if block.id == "counted"))  # type: ignore[arg-type]
    assert counted["In the body"].startswith(
        f"{e.records_of_tenant:,} of the tenant markets, {e.records_of_service:,} events"
    )


def test_standards_can_be_chosen(month: Path, request_of: Callable[..., Request]) -> None:
    """Those asked for, in the order of the file."""
    assert [s.id for s in draw(month, request_of(standards=("gdpr", "pci-dss"))).standards] == ["pci-dss", "gdpr"]
    assert draw(month, request_of(standards=())).standards == ()


def test_the_tables_are_sound(monthly: Report) -> None:
    """Every signal is known and used, ids are unique, every pointer leads to a section, nothing claims compliance."""
    rows = [(s, row) for s in standards() for row in s.controls]
    assert {name for _, row in rows for name in row.signals} == SIGNALS.keys()
    assert len({(s.id, row.id) for s, row in rows}) == len(rows)
    document = compose(monthly)
    places = {s.id for s in document.sections} | {b.id for b in document.tables()}
    assert {c.section for s in monthly.standards for c in s.controls} - {""} <= places
    assert {c.status for s in monthly.standards for c in s.controls if not c.found} == {"the bank's own"}
    assert not any("complian" in c.asks.lower() and c.id != "5(2)" for s in monthly.standards for c in s.controls)
