"""The report counts what the log says, proves that nothing is missing, and cannot carry a script."""

from __future__ import annotations

import asyncio
import html.parser
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Kind, Record, merkle, verify_dir
from finslm.audit.pruning import prune
from finslm.audit.records import utc_stamp
from finslm.audit.retention import Retention
from finslm.compliance import Report, Request, draw
from finslm.compliance.evidence import evidence
from finslm.compliance.gather import Gathered
from finslm.compliance.html import to_html
from finslm.compliance.model import Check, Witnesses
from finslm.errors import AuditCorrupt, ConfigError, InvalidRequest

ORIGIN = "bank.example/finslm"
DAY = datetime(2026, 3, 1, tzinfo=UTC)
LATER = DAY + timedelta(days=30)
CALL = {"method": "InferenceService/Generate", "principal": "loans", "task": "generate", "policy_digest": "a" * 64}
Step = tuple[float, Record]


def intent(call: int, **changes: object) -> Record:
    """INTENT of the ``call``-th call."""
    fields = {"kind": Kind.INTENT, "request_id": f"00000000-0000-4000-8000-{call:012x}", **CALL, **changes}
    return Record(**fields)  # type: ignore[arg-type]


def outcome(call: int, intent_index: int | None, **changes: object) -> Record:
    """OUTCOME of the ``call``-th call."""
    return intent(call, **{"kind": Kind.OUTCOME, "intent_index": intent_index, "status": "OK", **changes})


def write(folder: Path, steps: Iterable[Step]) -> Path:
    """A log with these records, each at so many hours after DAY."""
    steps = list(steps)
    hours = iter([hour for hour, _ in steps])

    async def run() -> None:
        log = AuditLog.open(
            folder, origin=ORIGIN, checkpoint_interval_s=3600, clock=lambda: DAY + timedelta(hours=next(hours))
        )
        for _, record in steps:
            await log.append(record)
        await log.close()

    asyncio.run(run())
    return folder


STEPS: list[Step] = [
    (-2, Record(Kind.EVENT, event="SERVER_STARTED", details={"version": "0.1.0"})),
    (-1, intent(1)),
    (1, outcome(1, 1, entity_counts={"PERSON": 2, "IBAN_CODE": 1}, action_counts={"placeholder": 3}, duration_ms=40)),
    (2, intent(2, principal="kyc")),
    (3, outcome(2, 3, principal="kyc", status="PERMISSION_DENIED", reason="PERMISSION_DENIED", duration_ms=10)),
    (4, outcome(3, None, principal="", task="", status="UNAUTHENTICATED", reason="UNAUTHENTICATED")),
    (5, intent(4)),
    (6, outcome(4, 6, finish_reason="BLOCKED", policy_digest="b" * 64, entity_counts={"PERSON": 1}, duration_ms=900)),
    (7, intent(5)),
    (8, outcome(5, 8, status="UNAVAILABLE", reason="ENGINE_UNAVAILABLE")),
    (9, Record(Kind.EVENT, event="SERVER_STOPPED")),
    (30, intent(6)),
    (31, outcome(6, 11)),
]


def drawn(folder: Path, days: float = 1, vkey: str | None = None, **changes: object) -> Report:
    """The report of the first day."""
    arguments = {"drawn_at": LATER, "drawn_by": "auditor", **changes}
    return draw(folder, Request(DAY, DAY + timedelta(days=days), **arguments), vkey=vkey)  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "log", STEPS)


def test_counts_are_those_of_the_period(log: Path) -> None:
    """Calls that ended on the day, by how, who and why; the day before and after are left out."""
    report = drawn(log)
    calls = report.calls
    assert (calls.total.calls, calls.total.answered, calls.total.refused, calls.total.failed) == (5, 2, 2, 1)
    assert [(row.name, row.calls) for row in calls.by_principal] == [("loans", 3), ("(none)", 1), ("kyc", 1)]
    assert [(row.name, row.calls) for row in calls.by_task] == [("generate", 4), ("(none)", 1)]
    assert calls.by_status == {"OK": 2, "PERMISSION_DENIED": 1, "UNAUTHENTICATED": 1, "UNAVAILABLE": 1}
    assert calls.blocked_answers == 1
    assert (calls.duration_ms_p50, calls.duration_ms_p95, calls.duration_ms_max) == (40, 900, 900)
    assert len(calls.over_time) == 24
    assert sum(row.calls for row in calls.over_time) == 5
    assert report.entities.by_type == {"PERSON": 3, "IBAN_CODE": 1}
    assert (report.entities.total, report.entities.calls_with_any) == (4, 2)
    assert [(row.status, row.reason) for row in report.refusals][-1] == ("UNAVAILABLE", "ENGINE_UNAVAILABLE")
    assert [(row.digest[0], row.first_index, row.last_index) for row in report.in_force] == [("a", 2, 9), ("b", 7, 7)]
    assert [event.event for event in report.events] == ["SERVER_STOPPED"]
    assert report.deviations == ()


def test_completeness_is_the_difference_of_tree_sizes(log: Path) -> None:
    """Sizes, roots, indexes and proofs; a stranger can check them with the hashing of RFC 9162."""
    evidence = drawn(log).evidence
    assert evidence.passed
    assert (evidence.tree_at_start.size, evidence.tree_at_end.size, evidence.tree_now.size) == (2, 11, 13)
    assert (evidence.first_index, evidence.last_index) == (2, 10)
    assert evidence.records_expected == evidence.records_counted == 9
    assert evidence.records_by_kind == {"EVENT": 1, "INTENT": 3, "OUTCOME": 5}
    assert evidence.checkpoint_size == 13
    for old, new, proof in (
        (evidence.tree_at_start, evidence.tree_at_end, evidence.consistency_start_to_end),
        (evidence.tree_at_end, evidence.tree_now, evidence.consistency_end_to_now),
    ):
        roots = bytes.fromhex(old.root_hash), bytes.fromhex(new.root_hash)
        assert merkle.verify_consistency(old.size, new.size, *roots, [bytes.fromhex(h) for h in proof])


def test_a_record_that_is_not_counted_fails_the_check(log: Path) -> None:
    """The count is held against the trees: one record that the query passed over is a gap of one."""
    gathered = Gathered(utc_stamp(DAY), utc_stamp(DAY + timedelta(days=1)))
    verified = verify_dir(log, visit=lambda index, record: None if index == 7 else gathered.take(index, record))
    gathered.close()
    checks = {check.name: check for check in evidence(log, gathered, verified, Witnesses()).checks}
    assert not checks["No record of the period is missing"].passed
    assert "9 by tree size, 8 counted, gaps 1" in checks["No record of the period is missing"].detail


def pruned(log: Path, gone: range, declared: tuple[int, int] | None) -> Check:
    """The check of the count over a log whose records of some indexes are gone."""
    gathered = Gathered(utc_stamp(DAY), utc_stamp(DAY + timedelta(days=1)))
    verified = verify_dir(log, visit=lambda index, record: None if index in gone else gathered.take(index, record))
    if declared:
        details = {"first": str(declared[0]), "end": str(declared[1]), "class": "short"}
        late = Record(Kind.EVENT, event="RETENTION_PRUNED", time=utc_stamp(LATER), details=details)
        gathered.take(13, late)
    gathered.close()
    return evidence(log, gathered, verified, Witnesses()).checks[1]


@pytest.mark.parametrize(
    ("gone", "declared", "passed", "words"),
    [
        (range(5, 8), (5, 8), True, "6 counted, 3 pruned by declared retention, gaps 0"),
        (range(5, 8), (0, 7), False, "2 pruned by declared retention, gaps 1"),
        (range(5, 8), None, False, "6 counted, gaps 3"),
        (range(1), (0, 1), True, "9 counted, gaps 0"),
        (range(4), (0, 4), False, "the records before 4 are gone, and some may be of this period"),
    ],
)
def test_what_was_pruned_is_no_gap_when_the_log_declares_it(
    gone: range, declared: tuple[int, int] | None, passed: bool, words: str, log: Path
) -> None:
    """Also when the event came after the period; where the period's first record is not known, it says so."""
    check = pruned(log, gone, declared)
    assert (check.passed, words in check.detail) == (passed, True), check.detail


async def test_a_pruned_log_has_a_report_of_what_is_left(tmp_path: Path) -> None:
    """The same figures as before for a period that is whole; one that reaches into what is gone says so."""
    days = iter(range(100))
    log = AuditLog.open(
        tmp_path / "log",
        origin=ORIGIN,
        checkpoint_interval_s=3600,
        clock=lambda: DAY + timedelta(days=next(days)),
        segment_records=10,
    )
    for n in range(60):
        await log.append(outcome(n, None))

    def month(first: int, last: int) -> Report:
        request = Request(DAY + timedelta(days=first), DAY + timedelta(days=last), DAY + timedelta(days=99), "auditor")
        return draw(tmp_path / "log", request)

    before = month(35, 60)
    assert await prune(log, Retention(30, 30, 30), DAY + timedelta(days=62)) == 30
    await log.close()
    after = month(35, 60)
    assert after.calls == before.calls
    assert after.evidence.passed
    assert (
        "31 records read and hashed, 30 pruned, of which the hashes stand, 61 in the tree"
        in after.evidence.checks[0].detail
    )
    assert month(60, 61).retention.records_pruned == 30
    assert failed_checks(month(20, 60)) == ["No record of the period is missing"]


@pytest.mark.parametrize("cut", [0, 5, 12])
def test_a_record_taken_out_of_the_log_ends_the_report(cut: int, log: Path) -> None:
    """Wherever it stood, there are no figures, and the error names the place."""
    lines = (log / "records.log").read_bytes().splitlines(keepends=True)
    (log / "records.log").write_bytes(b"".join(lines[:cut] + lines[cut + 1 :]))
    with pytest.raises(AuditCorrupt) as caught:
        drawn(log)
    assert caught.value.index == cut


def test_same_log_and_arguments_give_the_same_bytes(log: Path) -> None:
    """JSON and page; and the JSON reads back as the same report."""
    first, second = drawn(log), drawn(log)
    assert first.to_json() == second.to_json()
    assert to_html(first) == to_html(second)
    assert Report.model_validate_json(first.to_json()) == first
    assert json.loads(first.to_json())["query"]["sha256"] == first.query.sha256


def test_no_report_of_a_damaged_log(log: Path) -> None:
    """One changed byte anywhere, also outside the period, and there are no figures."""
    file = log / "records.log"
    raw = file.read_bytes()
    file.write_bytes(raw[:40] + bytes([raw[40] ^ 1]) + raw[41:])
    with pytest.raises(AuditCorrupt) as caught:
        drawn(log)
    assert caught.value.index == 0


def failed_checks(report: Report) -> list[str]:
    """Names of the checks that did not pass."""
    return [check.name for check in report.evidence.checks if not check.passed]


def test_a_call_without_outcome_is_an_exception(tmp_path: Path) -> None:
    """The check fails and the record is named; an outcome that came after the period counts."""
    report = drawn(write(tmp_path / "log", [(1, intent(1)), (2, intent(2)), (50, outcome(2, 1))]))
    assert failed_checks(report) == ["Every call has an outcome"]
    assert [(row.kind, row.index) for row in report.deviations] == [("NO_OUTCOME", 0)]


def test_an_outcome_of_another_call_is_an_exception(tmp_path: Path) -> None:
    """An OUTCOME that names somebody else's INTENT is listed, and the INTENT stays open."""
    report = drawn(write(tmp_path / "log", [(1, intent(1)), (2, outcome(2, 0))]))
    assert failed_checks(report) == ["Every call has an outcome", "Every outcome belongs to a call"]
    assert [row.kind for row in report.deviations] == ["NO_OUTCOME", "OUTCOME_WITHOUT_INTENT"]


def test_a_clock_that_went_back_fails_the_count(tmp_path: Path) -> None:
    """Records stamped outside the period between two inside it: counted and tree sizes differ, and it says so."""
    steps = [(1, intent(1)), (40, outcome(1, 0)), (2, intent(2)), (3, outcome(2, 2))]
    report = drawn(write(tmp_path / "log", steps))
    assert (report.evidence.records_expected, report.evidence.records_counted) == (4, 3)
    assert failed_checks(report) == ["No record of the period is missing", "The clock never went back"]
    assert [(row.kind, row.index) for row in report.deviations] == [("TIME_OUT_OF_ORDER", 2), ("TIME_OUT_OF_ORDER", 3)]


@pytest.mark.parametrize("steps", [[], STEPS[:2], [(48.0, intent(1))]])
def test_a_period_without_records(steps: list[Step], tmp_path: Path) -> None:
    """An empty log, or one that ends before or begins after: zeros, and both ends at the same tree."""
    report = drawn(write(tmp_path / "log", steps))
    assert report.evidence.records_expected == report.evidence.records_counted == 0
    assert report.evidence.first_index is None
    assert report.evidence.tree_at_start == report.evidence.tree_at_end
    assert report.calls.total.calls == 0
    assert report.calls.duration_ms_p50 is None
    assert "No calls in this period." in to_html(report)


@pytest.mark.parametrize(
    ("from_", "to", "changes", "field"),
    [
        (DAY, DAY, {}, "to"),
        (LATER, DAY, {}, "to"),
        (DAY, LATER + timedelta(seconds=1), {}, "to"),
        (DAY, LATER, {"drawn_by": ""}, "generated_by"),
        (DAY, LATER, {"drawn_by": "x\n"}, "generated_by"),
        (DAY, LATER, {"drawn_by": "x" * 65}, "generated_by"),
        (DAY, LATER, {"drawn_by": "x\u202ey"}, "generated_by"),
        (DAY, LATER, {"system": "a\tb"}, "system"),
        (DAY, LATER, {"environment": "a\u2066b"}, "environment"),
        (DAY, LATER, {"tenant": "nobody"}, "tenant"),
        (DAY, LATER, {"standards": ("gdpr", "hipaa")}, "standard"),
    ],
)
def test_wrong_arguments(from_: datetime, to: datetime, changes: dict[str, str], field: str, log: Path) -> None:
    """Empty, reversed and unfinished periods, names that are none, and ones that do not exist."""
    arguments = {"drawn_at": LATER, "drawn_by": "auditor", **changes}
    with pytest.raises(InvalidRequest) as caught:
        draw(log, Request(from_, to, **arguments))  # type: ignore[arg-type]
    assert caught.value.violations[0].field == field


def test_key_of_another_log_is_refused(log: Path, tmp_path: Path) -> None:
    """Verified with a key from elsewhere, a log made anew has no report; a folder without a log neither."""
    other = write(tmp_path / "other", STEPS)
    vkey = (log / "log.vkey").read_text()
    assert drawn(log, vkey=vkey).evidence.passed
    with pytest.raises(AuditCorrupt):
        drawn(other, vkey=vkey)
    with pytest.raises(ConfigError):
        drawn(tmp_path / "nothing")


class Page(html.parser.HTMLParser):
    """Collects what a page could run or load, and checks that its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.suspicious: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        names = {name for name, _ in attrs}
        outside = any(name == "href" and not (value or "").startswith("#") for name, value in attrs)
        loads = outside or names & {"src", "onload", "onclick", "style"}
        if tag in ("script", "link", "img", "iframe", "object", "form") or loads:
            self.suspicious.append(tag)
        if tag not in ("meta", "br", "line", "col"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Tags close in order."""
        assert tag == "line" or self.open.pop() == tag


@pytest.mark.parametrize("days", [1, 20])
def test_the_page_is_self_contained_and_escaped(days: int, log: Path) -> None:
    """No script, no reference, a policy that forbids both; markup in an argument stays text."""
    text = to_html(drawn(log, days, drawn_by="<script>alert(1)</script>"))
    page = Page()
    page.feed(text)
    assert page.suspicious == []
    assert page.open == []
    assert "default-src 'none'" in text
    assert "&lt;script&gt;" in text
    assert "http://" not in text
    assert "https://" not in text


def test_the_page_shows_what_failed(tmp_path: Path) -> None:
    """The first thing on the page is which check did not pass."""
    text = to_html(drawn(write(tmp_path / "log", [(1, intent(1))])))
    assert "1 of 8 checks did not pass" in text
    assert "NO_OUTCOME" in text


@pytest.mark.parametrize(("days", "want"), [(2, 48), (60, 60), (300, 10), (7000, 20)])
def test_the_time_axis_fits_the_period(days: int, want: int, log: Path) -> None:
    """Hours, days, months, years."""
    report = drawn(log, days, drawn_at=DAY + timedelta(days=days))
    assert len(report.calls.over_time) == want
    assert sum(row.calls for row in report.calls.over_time) == report.calls.total.calls
    assert to_html(report)


@pytest.fixture
def cli() -> Callable[..., tuple[int, str]]:
    """Run ``finslm ...``; return exit code and standard output."""
    import typer
    from typer.testing import CliRunner

    from finslm.cli import audit, compliance

    app = typer.Typer()
    app.add_typer(audit.app, name="audit")
    app.add_typer(compliance.app, name="compliance")

    def run(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout

    return run


def test_cli_report(log: Path, tmp_path: Path, cli: Callable[..., tuple[int, str]]) -> None:
    """0 when all checks pass, 1 when one does not or the log is damaged, 2 for a wrong call."""
    period = ("--from", "2026-03-01", "--to", "2026-03-02T00:00:00Z", "--dir", log)
    code, text = cli("compliance", "report", *period, "--format", "html", "--out", tmp_path / "r.html", "--json")
    assert (code, json.loads(text)["records"]) == (0, 9)
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    code, text = cli("compliance", "report", *period, "--format", "json", "--by", "auditor")
    assert (code, Report.model_validate_json(text).generated_by) == (0, "auditor")
    open_call = write(tmp_path / "open", [(1, intent(1))])
    assert cli("compliance", "report", "--from", "2026-03-01", "--to", "2026-03-02", "--dir", open_call)[0] == 1
    for wrong in (
        ("--from", "yesterday"),
        ("--from", "2026-03-02", "--to", "2026-03-01"),
        ("--from", "0001-01-01+14:00"),
    ):
        assert cli("compliance", "report", *wrong, "--dir", log)[0] == 2
    assert cli("compliance", "report", "--from", "2026-03-01", "--dir", tmp_path / "nothing")[0] == 2
    assert cli("compliance", "report", *period, "--out", tmp_path / "no/such/r.html")[0] == 2


def test_cli_audit(log: Path, tmp_path: Path, cli: Callable[..., tuple[int, str]]) -> None:
    """verify, show and tail read a log that holds; a damaged one ends each with 1 and names the record."""
    code, text = cli("audit", "verify", "--dir", log, "--key", log / "log.vkey", "--json")
    assert (code, json.loads(text)["records"], json.loads(text)["ok"]) == (0, 13, True)
    assert cli("audit", "verify", "--dir", log)[0] == 0
    code, text = cli("audit", "show", "3", "--dir", log, "--json")
    assert (code, json.loads(text)["records"][0]["record"]["principal"]) == (0, "kyc")
    code, text = cli("audit", "show", intent(2).request_id, "--dir", log, "--json")
    assert [r["index"] for r in json.loads(text)["records"]] == [3, 4]
    code, text = cli("audit", "tail", "-n", 2, "--dir", log, "--json")
    assert [r["index"] for r in json.loads(text)["records"]] == [11, 12]
    assert cli("audit", "tail", "--dir", log)[0] == 0
    assert cli("audit", "show", "99", "--dir", log)[0] == 2
    assert cli("audit", "show", "x y", "--dir", log)[0] == 2
    assert cli("audit", "verify", "--dir", tmp_path / "nothing")[0] == 2
    file = log / "records.log"
    file.write_bytes(file.read_bytes().replace(b'"kyc"', b'"KYC"', 1))
    for command in (("verify",), ("show", "0"), ("tail",)):
        code, text = cli("audit", *command, "--dir", log, "--json")
        assert (code, json.loads(text)["index"], json.loads(text)["reason"]) == (1, 3, "AUDIT_CORRUPT")
