"""What every store of the audit log does: one order, no gaps, durable before acknowledged, provable."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Kind, Record, merkle, verify_dir
from finslm.audit.checkpoint import Verifier
from finslm.audit.keys import load_or_create_signer
from finslm.audit.postgres_store import PostgresStore
from finslm.audit.proof import Proof
from finslm.audit.pruning import holds_of, prune
from finslm.audit.query import RecordFilter
from finslm.audit.retention import Hold, Retention
from finslm.errors import UnknownRecord

ORIGIN = "bank.example/finslm"
KEEP_30 = Retention(calls_days=30, refusals_days=30, events_days=30)
Open = Callable[[], AuditLog]


@pytest.fixture
def schema() -> str:
    return f"a{uuid.uuid4().hex}"


@pytest.fixture(params=["files", "postgres"])
def open_log(request: pytest.FixtureRequest, tmp_path: Path, schema: str) -> Open:
    """Open the log, again or for the first time."""
    if request.param == "files":
        return lambda: AuditLog.open(tmp_path, origin=ORIGIN, checkpoint_interval_s=3600, segment_records=7)
    dsn = request.getfixturevalue("postgres")
    return lambda: AuditLog(
        PostgresStore(dsn, _signer(tmp_path), schema=schema, segment_records=7), _signer(tmp_path), 3600
    )


def _signer(folder: Path):
    return load_or_create_signer(folder, ORIGIN)


def _intent(n: int) -> Record:
    return Record(
        Kind.INTENT, request_id=f"00000000-0000-4000-8000-{n:012x}", method="InferenceService/Generate", tenant="emea"
    )


def _outcome(n: int, intent: int) -> Record:
    return Record(
        Kind.OUTCOME, request_id=_intent(n).request_id, method=_intent(n).method, status="OK", intent_index=intent
    )


async def test_order_receipts_and_proofs(open_log: Open, tmp_path: Path) -> None:
    """Indexes follow the calls; each proof holds in its own tree and in all later ones."""
    log = open_log()
    receipts = await asyncio.gather(*(log.append(_intent(n)) for n in range(40)))
    receipts.append(await log.append(_outcome(3, 3)))
    assert [receipt.index for receipt in receipts] == list(range(41))
    roots = [bytes.fromhex(receipt.root_hash) for receipt in receipts]
    for receipt in receipts:
        for size in (receipt.tree_size, 33, 41):
            if receipt.index < size:
                proof = log.inclusion_proof(receipt.index, size)
                assert proof.leaf_hash.hex() == receipt.leaf_hash
                assert merkle.verify_inclusion(receipt.index, size, proof.leaf_hash, roots[size - 1], proof.hashes)
        proof = log.consistency_proof(receipt.tree_size)
        assert merkle.verify_consistency(receipt.tree_size, 41, roots[receipt.index], roots[-1], proof)
    assert [index for index, _ in log.find(_intent(3).request_id)] == [3, 40]
    report = log.verify()
    assert (report.ok, report.records, report.root_hash) == (True, 41, receipts[-1].root_hash)
    assert len(report.intents_without_outcome) == 39
    await log.close()


async def test_the_receipt_of_an_outcome_is_a_signed_proof(open_log: Open, tmp_path: Path) -> None:
    """It verifies with the public key alone, and for no other record."""
    log = open_log()
    for n in range(20):
        intent = await log.append(_intent(n))
        receipt = await log.append(_outcome(n, intent.index))
        assert not intent.proof
        proof = Proof.parse(receipt.proof)
        verifier = Verifier.parse((tmp_path / "log.vkey").read_text().strip())
        assert proof.verify(bytes.fromhex(receipt.leaf_hash), verifier).size == receipt.tree_size
        assert proof.text() == receipt.proof
        with pytest.raises(ValueError, match="not at"):
            proof.verify(bytes.fromhex(intent.leaf_hash), verifier)
    await log.close()


async def test_reopened_it_goes_on(open_log: Open) -> None:
    """Records, root and times stay; times never go back."""
    log = open_log()
    for n in range(9):
        await log.append(_intent(n))
    before = log.size, log.root_hash, [log.entry(n) for n in range(9)]
    await log.close()
    log = open_log()
    assert (log.size, log.root_hash, [log.entry(n) for n in range(9)]) == before
    assert (await log.append(_intent(9))).index == 9
    times = [log.record(n).time for n in range(10)]
    assert times == sorted(times)
    with pytest.raises(UnknownRecord):
        log.entry(10)
    await log.close()


async def test_a_record_that_is_too_long_fails_alone(open_log: Open) -> None:
    """Its caller is told, and the group around it stands."""
    log = open_log()
    long = {f"{'A' * 60}_{n}": 2**53 - 1 for n in range(128)}
    answers = {f"leaks.{name}.refuse": 2**53 - 1 for name in long}
    bad = Record(Kind.INTENT, request_id=_intent(1).request_id, method="A/B", entity_counts=long, answer_counts=answers)
    done = await asyncio.gather(*(log.append(r) for r in (_intent(0), bad, _intent(2))), return_exceptions=True)
    assert isinstance(done[1], ValueError)
    assert [log.record(n).request_id for n in range(log.size)] == [_intent(0).request_id, _intent(2).request_id]
    await log.close()


async def test_what_is_past_its_time_goes_and_the_rest_stands(open_log: Open, tmp_path: Path) -> None:
    """Declared first, by whole pieces; proofs, searches and the check of the rest are as before, also reopened."""
    log = open_log()
    for n in range(25):
        await log.append(_intent(n))
    proofs = [log.inclusion_proof(n, 25) for n in range(25)]
    later = datetime.now(UTC) + timedelta(days=31)
    assert await prune(log, Retention(None, 30, 30), later) == 0, "one class that is kept for ever keeps all"
    assert await prune(log, KEEP_30, later, before=15) == 14, "the third piece is not published"
    assert await prune(log, KEEP_30, later) == 7
    for _ in range(2):
        assert (log.first_kept, log.size, log.boundaries[0]) == (21, 27, 21)
        with pytest.raises(UnknownRecord, match="retention took"):
            log.record(20)
        with pytest.raises(UnknownRecord, match="retention took"):
            list(log.select(RecordFilter(), 3, 27, 27))
        assert [n for _, found in log.select(RecordFilter(), 21, 27, 27) for n, _ in found] == list(range(21, 27))
        assert (log.find(_intent(3).request_id), log.find(_intent(22).request_id)[0][0]) == ([], 22)
        assert [log.inclusion_proof(n, 25) for n in range(25)] == proofs
        report = log.verify()
        assert (report.ok, report.records, report.first_kept) == (True, 27, 21)
        assert [record.details["end"] for _, record in log.events("RETENTION_PRUNED")] == ["14", "21"]
        log.publish_to(tmp_path / "tiles")
        assert verify_dir(tmp_path / "tiles", vkey=log.verifier.vkey()).root_hash == log.root_hash
        await log.close()
        log = open_log()
    await log.close()


async def test_holds_keep_what_they_name(open_log: Open) -> None:
    """And what says how things stand is told again before it goes."""
    log = open_log()
    await log.append(Record(Kind.EVENT, event="POLICY_CHANGED", details={"before": "none", "after": "a" * 64}))
    for n in range(7):
        await log.append(_intent(n))
    await log.append(Record(Kind.EVENT, event="HOLD_SET", details=Hold("case-1", "", "", "emea").details()))
    later = datetime.now(UTC) + timedelta(days=31)
    assert await prune(log, KEEP_30, later) == 0
    await log.append(Record(Kind.EVENT, event="HOLD_LIFTED", details={"hold": "case-1"}))
    assert await prune(log, KEEP_30, later) == 7
    told = log.last_event("POLICY_CHANGED")
    assert told is not None
    assert told.details["after"] == "a" * 64
    assert log.verify().ok
    await log.close()


@pytest.mark.parametrize("event", ["HOLD_SET", "HOLD_LIFTED", "POLICY_CHANGED", "RETENTION_PRUNED"])
async def test_what_is_recorded_while_it_looks_stops_it(open_log: Open, event: str) -> None:
    """A hold counts; one that was lifted is not told again; what another process declared is not contradicted."""
    log, loop = open_log(), asyncio.get_running_loop()
    await log.append(Record(Kind.EVENT, event="HOLD_SET", details=Hold("old", "", "2020-01-01").details()))
    for n in range(16):
        await log.append(_intent(n))
    details = {"HOLD_SET": {"hold": "new"}, "HOLD_LIFTED": {"hold": "old"}, "POLICY_CHANGED": {"after": "b" * 64}}

    def meanwhile() -> bool:
        record = Record(Kind.EVENT, event=event, details=details.get(event, {"end": "7"}))
        asyncio.run_coroutine_threadsafe(log.append(record), loop).result(20)
        return False

    later = datetime.now(UTC) + timedelta(days=31)
    assert await prune(log, KEEP_30, later, waiting=meanwhile) == 0
    assert (log.first_kept, log.size) == (0, 18), "nothing was told again either"
    assert set(holds_of(log)) == {"HOLD_SET": {"old", "new"}, "HOLD_LIFTED": set()}.get(event, {"old"})
    assert await prune(log, KEEP_30, later) == (0 if event == "HOLD_SET" else 14)
    assert (await log.append(_intent(99))).index == log.size - 1
    await log.close()


async def test_the_farthest_declaration_counts(open_log: Open) -> None:
    """Not the last one: two that were made at once may stand in either order."""
    log = open_log()
    for n in range(16):
        await log.append(_intent(n))
    assert await prune(log, KEEP_30, datetime.now(UTC) + timedelta(days=31)) == 14
    await log.append(Record(Kind.EVENT, event="RETENTION_PRUNED", details={"end": "7"}))
    await log.close()
    log = open_log()
    assert log.verify().first_kept == 14
    await log.close()
