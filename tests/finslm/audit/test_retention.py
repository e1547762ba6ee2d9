"""What retention takes away is declared first, holds keep what they name, and everything left verifies as before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Kind, Record, merkle, spool, verify_dir
from finslm.audit.checkpoint import Verifier
from finslm.audit.export import export_bundle
from finslm.audit.file_store import FileStore
from finslm.audit.proof import Proof
from finslm.audit.pruning import holds_of, prune
from finslm.audit.query import RecordFilter
from finslm.audit.retention import Hold, Retention
from finslm.errors import AuditCorrupt, UnknownRecord

START = datetime(2026, 1, 1, tzinfo=UTC)
KEEP_30 = Retention(calls_days=30, refusals_days=30, events_days=30)


class Days:
    """A clock that each record moves on by a day."""

    now = START - timedelta(days=1)

    def __call__(self) -> datetime:
        self.now += timedelta(days=1)
        return self.now


@pytest.fixture
def open_log(tmp_path: Path) -> Callable[[], AuditLog]:
    clock = Days()
    return lambda: AuditLog.open(
        tmp_path / "log", origin="bank.example/log", checkpoint_interval_s=3600, clock=clock, segment_records=10
    )


def call(n: int, **changes: object) -> Record:
    given = {"request_id": f"00000000-0000-4000-8000-{n:012x}", "method": "A/B", "tenant": "emea", **changes}
    return Record(Kind.INTENT, **given)  # type: ignore[arg-type]


async def test_old_files_go_and_the_rest_stands(open_log: Callable[[], AuditLog], tmp_path: Path) -> None:
    """Records past their time go by whole files; roots, proofs, checkpoints and reports of the rest are as before."""
    log = open_log()
    receipts = [await log.append(call(n)) for n in range(65)]
    proofs = [log.proof_text(log.inclusion_proof(n, 65)) for n in range(65)]
    gone = await prune(log, KEEP_30, START + timedelta(days=66))
    assert gone == 30, "30 of the 36 days that are past: whole files only"
    assert sorted(p.name for p in (tmp_path / "log").glob("records*")) == [
        f"records-{first:012d}.log" for first in (30, 40, 50, 60)
    ]
    assert (log.first_kept, log.size) == (30, 66)
    assert log.record(65).details["end"] == "30"
    with pytest.raises(UnknownRecord, match="retention took"):
        log.record(29)
    assert log.record(30).request_id == call(30).request_id
    assert log.find(call(2).request_id) == []
    assert [index for index, _ in log.find(call(44).request_id)] == [44]
    for n in (0, 29, 30, 64):
        Proof.parse(proofs[n]).verify(bytes.fromhex(receipts[n].leaf_hash), log.verifier)
        now = log.inclusion_proof(n)
        assert merkle.verify_inclusion(n, 66, now.leaf_hash, bytes.fromhex(log.root_hash), now.hashes)
    assert await prune(log, KEEP_30, START + timedelta(days=66)) == 0
    await log.close()
    report = verify_dir(tmp_path / "log")
    assert (report.ok, report.tree_size, report.first_kept) == (True, 66, 30)
    log = open_log()
    assert (await log.append(call(70))).index == 66
    assert log.verify().first_kept == 30
    await log.close()
    export_bundle(tmp_path / "log", tmp_path / "bundle")
    assert verify_dir(tmp_path / "bundle", vkey=log.verifier.vkey()).tree_size == 67


async def test_what_nobody_declared_is_missing(open_log: Callable[[], AuditLog], tmp_path: Path) -> None:
    """A file that somebody removed is damage, declared or not a declaration of another length."""
    log = open_log()
    for n in range(65):
        await log.append(call(n))
    await log.close()
    (tmp_path / "log/records.log").unlink()
    with pytest.raises(AuditCorrupt, match="no RETENTION_PRUNED record"):
        verify_dir(tmp_path / "log")
    with pytest.raises(AuditCorrupt, match="no RETENTION_PRUNED record"):
        open_log()


async def test_a_hold_keeps_its_records(open_log: Callable[[], AuditLog]) -> None:
    """Whatever their age, until it is lifted; the hold itself is told again before its event would go."""
    log = open_log()
    hold = Hold("case-17", time_from="2026-01-25T00:00:00.000000Z", tenant="emea")
    await log.append(Record(Kind.EVENT, event="HOLD_SET", details=hold.details()))
    for n in range(64):
        await log.append(call(n))
    later = START + timedelta(days=400)
    assert holds_of(log) == {"case-17": hold}
    assert await prune(log, KEEP_30, later) == 20
    assert log.first_kept == 20
    assert holds_of(log) == {"case-17": hold}, "its event is gone, and told again"
    assert await prune(log, KEEP_30, later) == 0
    await log.append(Record(Kind.EVENT, event="HOLD_LIFTED", details={"hold": "case-17"}))
    assert await prune(log, KEEP_30, later) > 20
    assert holds_of(log) == {}
    await log.close()


@pytest.mark.parametrize(
    ("retention", "gone"),
    [
        (Retention(), 0),
        (Retention(calls_days=10), 0),
        (Retention(calls_days=10, refusals_days=10, events_days=None), 0),
        (Retention(calls_days=10, refusals_days=40, events_days=10), 20),
    ],
)
async def test_each_class_has_its_own_time(retention: Retention, gone: int, open_log: Callable[[], AuditLog]) -> None:
    """A file stays as long as the record in it that is kept longest; a class without a time is kept for ever."""
    log = open_log()
    for n in range(60):
        refused = {"kind": Kind.OUTCOME, "status": "UNAUTHENTICATED"} if n % 3 == 0 else {}
        event = Record(Kind.EVENT, event="TICK")
        await log.append(event if n % 7 == 0 else Record(**{**_fields(n), **refused}))
    assert await prune(log, retention, START + timedelta(days=60)) == gone
    await log.close()


def _fields(n: int) -> dict[str, object]:
    return {"kind": Kind.INTENT, "request_id": f"00000000-0000-4000-8000-{n:012x}", "method": "A/B"}


async def test_a_crash_between_the_declaration_and_the_removal(
    open_log: Callable[[], AuditLog], tmp_path: Path
) -> None:
    """The files are still there: nothing is wrong, and the next round takes them away."""
    log = open_log()
    for n in range(65):
        await log.append(call(n))
    await log.append(Record(Kind.EVENT, event="RETENTION_PRUNED", details={"first": "0", "end": "30"}))
    assert log.verify().first_kept == 0
    assert await prune(log, KEEP_30, START + timedelta(days=66)) == 30
    await log.close()
    assert Verifier.parse((tmp_path / "log/log.vkey").read_text().strip())
    assert verify_dir(tmp_path / "log").first_kept == 30


async def test_who_searches_goes_on_while_files_go(make_record: Callable[..., Record], tmp_path: Path) -> None:
    """Retention takes files away amid a search: what is left is searched, and a record that is gone is said to be."""
    log = AuditLog.open(tmp_path / "log", origin="bank.example/l", checkpoint_interval_s=3600, segment_records=2)
    for n in range(8):
        await log.append(make_record(n))
    store = log._store
    assert isinstance(store, FileStore)
    searching = store._mapped(8)
    begun = [next(searching)[0]]
    reading = log.select(RecordFilter(), 0, 8, 8)
    await log.drop(6, {}, since=log.size)
    assert begun + [begin for begin, _ in searching] == [0, store._offsets[6]]
    with pytest.raises(UnknownRecord, match="first 6"):
        next(reading)
    await log.close()


async def test_a_hold_that_is_not_on_record_yet_holds(make_record: Callable[..., Record], tmp_path: Path) -> None:
    """It was left while retention read what may go: whoever set it was told that it stands."""
    now, folder = datetime.now(UTC), tmp_path / "log"
    log = AuditLog.open(
        folder,
        origin="bank.example/l",
        checkpoint_interval_s=3600,
        segment_records=2,
        clock=lambda: now - timedelta(days=400),
    )
    for n in range(6):
        await log.append(make_record(n))
    spool.leave(folder, "HOLD_SET", {"hold": "case", "by": "counsel"})
    over = Retention(100, 100, 100)
    assert await prune(log, over, now, waiting=lambda: bool(spool.pending(folder))) == 0
    assert log.first_kept == 0
    spool.done(spool.pending(folder)[0][0])
    assert await prune(log, over, now, waiting=lambda: bool(spool.pending(folder))) == 4
    await log.close()


async def test_what_is_not_published_stays(open_log: Callable[[], AuditLog]) -> None:
    """Storage that is to have the records first may be behind."""
    log = open_log()
    for n in range(65):
        await log.append(call(n))
    later = START + timedelta(days=400)
    assert await prune(log, KEEP_30, later, before=0) == 0
    assert await prune(log, KEEP_30, later, before=29) == 20
    assert await prune(log, KEEP_30, later) == 40
    await log.close()
