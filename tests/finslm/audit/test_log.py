"""The log: durable before acknowledged, in order, provable, and closed for good after the first disk error."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Kind, Record, merkle, verify_dir
from finslm.audit.checkpoint import Verifier
from finslm.audit.file_store import FileStore
from finslm.audit.query import RecordFilter
from finslm.audit.scan import scan
from finslm.audit.segments import Segment, list_segments
from finslm.audit.store import Head
from finslm.errors import AuditUnavailable, ConfigError, UnknownRecord

Open = Callable[..., AuditLog]
Make = Callable[..., Record]


async def test_append_gives_a_receipt_that_verifies(open_log: Open, make_record: Make) -> None:
    """Index, leaf, size and root right after; the proof in that tree and in later ones checks out."""
    log = open_log()
    receipts = [await log.append(make_record(n)) for n in range(9)]
    for n, receipt in enumerate(receipts):
        assert (receipt.index, receipt.tree_size) == (n, n + 1)
        assert receipt.leaf_hash == merkle.leaf_hash(log.entry(n)).hex()
        for size in (n + 1, 9, None):
            proof = log.inclusion_proof(n, size)
            root = bytes.fromhex(receipts[proof.tree_size - 1].root_hash)
            assert merkle.verify_inclusion(n, proof.tree_size, proof.leaf_hash, root, proof.hashes)
        assert merkle.verify_consistency(
            n + 1, 9, bytes.fromhex(receipt.root_hash), bytes.fromhex(log.root_hash), log.consistency_proof(n + 1)
        )
    await log.close()


async def test_group_commit_keeps_the_order_of_the_calls(open_log: Open, make_record: Make) -> None:
    """Many appenders at once get consecutive indexes in the order in which they asked."""
    log = open_log()
    receipts = await asyncio.gather(*(log.append(make_record(n)) for n in range(300)))
    assert [r.index for r in receipts] == list(range(300))
    assert [log.record(n).request_id for n in range(300)] == [make_record(n).request_id for n in range(300)]
    times = [log.record(n).time for n in range(300)]
    assert times == sorted(times)
    await log.close()


async def test_many_appenders_share_one_sync(
    open_log: Open, make_record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred waiting appends cost a few syncs, not a hundred."""
    log, syncs, real = open_log(), list[int](), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (syncs.append(fd), real(fd))[1])
    await asyncio.gather(*(log.append(make_record(n)) for n in range(100)))
    assert 2 <= len(syncs) <= 8
    await log.close()


async def test_cancelled_appenders_lose_nothing(open_log: Open, make_record: Make) -> None:
    """A caller that goes away leaves its record in its place."""
    log = open_log()
    tasks = [asyncio.create_task(log.append(make_record(n))) for n in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(d, asyncio.CancelledError) for d in done] == [n % 2 == 0 for n in range(50)]
    await log.append(make_record(50))
    assert [log.record(n).request_id for n in range(log.size)] == [make_record(n).request_id for n in range(51)]
    await log.close()


async def test_reopened_log_goes_on(open_log: Open, make_record: Make) -> None:
    """Size, root, records and checkpoint are what they were; the next index follows."""
    log = open_log()
    for n in range(5):
        await log.append(make_record(n))
    before = (log.size, log.root_hash, log.record(3))
    await log.close()
    with pytest.raises(AuditUnavailable, match="closed"):
        await log.append(make_record())
    with pytest.raises(AuditUnavailable):
        log.record(3)
    log = open_log()
    assert (log.size, log.root_hash, log.record(3)) == before
    assert (log.recovery.kept_records, log.recovery.cut_bytes) == (0, 0)
    assert (await log.append(make_record(5))).index == 5
    await log.close()
    await log.close()


async def test_checkpoint_is_written_after_the_interval(open_log: Open, make_record: Make, tmp_path: Path) -> None:
    """The file follows the tree without another append, and verifies with the public key file alone."""
    log = open_log(interval_s=0.02)
    await log.append(make_record())
    verifier = Verifier.parse((tmp_path / "log/log.vkey").read_text().strip())
    for _ in range(200):
        found = verifier.verify((tmp_path / "log/checkpoint").read_text())
        if found.size == 1:
            break
        await asyncio.sleep(0.02)
    assert (found.size, found.root_hash.hex()) == (1, log.root_hash)
    assert verifier.verify(log.checkpoint()) == found
    await log.close()


async def test_checkpoint_is_written_after_many_records(
    open_log: Open, make_record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far off the clock's next one is."""
    monkeypatch.setattr("finslm.audit.log.CHECKPOINT_RECORDS", 20)
    log = open_log()
    for n in range(50):
        await log.append(make_record(n))
    assert log.verifier.verify((tmp_path / "log/checkpoint").read_text()).size == 40
    await log.close()


async def test_find_and_unknown_records(open_log: Open, make_record: Make) -> None:
    """A call's records come in order; what is not there is said so."""
    log = open_log()
    assert log.find(make_record(1).request_id) == []
    for n in (0, 1, 2):
        await log.append(make_record(n))
    await log.append(make_record(1, kind=Kind.OUTCOME, status="OK", intent_index=1))
    found = log.find(make_record(1).request_id)
    assert [(index, record.kind) for index, record in found] == [(1, Kind.INTENT), (3, Kind.OUTCOME)]
    assert log.find(make_record(9).request_id) == []
    for bad in (-1, 4):
        with pytest.raises(UnknownRecord, match="has 4"):
            log.record(bad)
    for index, size in ((0, 5), (3, 3), (-1, 2)):
        with pytest.raises(UnknownRecord):
            log.inclusion_proof(index, size)
    with pytest.raises(UnknownRecord):
        log.consistency_proof(3, 2)
    await log.close()


async def test_verify_reports_open_intents_and_strays(open_log: Open, make_record: Make, tmp_path: Path) -> None:
    """Calls without an outcome are listed, outcomes that answer nothing too; offline says the same, lock or not."""
    log = open_log()
    for n in range(3):
        await log.append(make_record(n))
    await log.append(make_record(1, kind=Kind.OUTCOME, status="OK", intent_index=1))
    await log.append(make_record(2, kind=Kind.OUTCOME, status="OK", intent_index=0))
    await log.append(make_record(7, kind=Kind.OUTCOME, status="UNAUTHENTICATED"))
    await log.append(Record(Kind.EVENT, event="SERVER_STARTED", details={"version": "0.1.0"}))
    report = log.verify()
    assert report.ok
    assert (report.tree_size, report.records, report.root_hash) == (7, 7, log.root_hash)
    assert report.intents_without_outcome == (0, 2)
    assert report.outcomes_without_intent == (4,)
    offline = verify_dir(tmp_path / "log")
    assert dataclasses.replace(offline, checkpoint=report.checkpoint) == report
    await log.close()


async def test_verify_with_a_key_from_elsewhere(open_log: Open, make_record: Make, tmp_path: Path) -> None:
    """A log that was wholly made anew with another key passes its own key, not the one kept elsewhere."""
    log = open_log()
    await log.append(make_record())
    await log.close()
    vkey = (tmp_path / "log/log.vkey").read_text()
    assert verify_dir(tmp_path / "log", vkey=vkey).ok
    other = open_log(tmp_path / "forged")
    await other.append(make_record())
    await other.close()
    assert verify_dir(tmp_path / "forged").ok
    with pytest.raises(Exception, match="0 signatures"):
        verify_dir(tmp_path / "forged", vkey=vkey)


async def test_one_writer_at_a_time(open_log: Open) -> None:
    """A second writer is refused; after close it may."""
    log = open_log()
    with pytest.raises(AuditUnavailable, match="another process"):
        open_log()
    await log.close()
    await open_log().close()


async def test_files_are_private_and_the_key_stays(open_log: Open, tmp_path: Path) -> None:
    """Key 0600 in a 0700 folder; a lost, foreign or open key refuses the start and says why."""
    folder = tmp_path / "log"
    await open_log().close()
    assert folder.stat().st_mode & 0o777 == 0o700
    key = folder / "signing-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert (folder / "records.log").stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="read by others"):
        open_log()
    key.chmod(0o600)
    key.rename(tmp_path / "kept.pem")
    with pytest.raises(ConfigError, match="missing"):
        open_log()
    key.write_bytes(b"no key")
    key.chmod(0o600)
    with pytest.raises(ConfigError, match="not a PEM"):
        open_log()
    (tmp_path / "kept.pem").replace(key)
    with pytest.raises(ConfigError, match="origin"):
        AuditLog.open(folder, origin="another.example", checkpoint_interval_s=1.0)
    await open_log().close()


async def test_only_the_log_stamps(open_log: Open, make_record: Make) -> None:
    """A record that brings its own time is refused, and the log goes on."""
    log = open_log()
    with pytest.raises(ValueError, match="stamps"):
        await log.append(make_record(time="2026-01-01T00:00:00.000000Z"))
    assert (await log.append(make_record())).index == 0
    await log.close()


@pytest.mark.parametrize("broken", ["write", "sync", "checkpoint"])
async def test_a_disk_error_ends_the_log(
    broken: str, open_log: Open, make_record: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After EIO nothing more is acknowledged, even if the disk would work again, until the next start."""
    log = open_log(interval_s=0.01 if broken == "checkpoint" else 3600.0)

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    if broken != "checkpoint":
        await log.append(make_record(0))
    with monkeypatch.context() as patch:
        patch.setattr(os, {"write": "pwrite", "sync": "fdatasync", "checkpoint": "fsync"}[broken], fail)
        if broken == "checkpoint":
            await log.append(make_record(0))
            while log.healthy:
                await asyncio.sleep(0.01)
        results = await asyncio.gather(*(log.append(make_record(n)) for n in (1, 2)), return_exceptions=True)
        assert all(isinstance(r, AuditUnavailable) for r in results)
    assert not log.healthy
    with pytest.raises(AuditUnavailable, match="Input/output error"):
        await log.append(make_record(3))
    assert log.record(0).request_id == make_record(0).request_id
    await log.close()
    log = open_log()
    assert log.healthy
    assert log.record(0).request_id == make_record(0).request_id
    assert log.verify().ok
    await log.close()


async def test_full_disk_is_refused_and_mended_at_the_next_start(open_log: Open, tmp_path: Path) -> None:
    """RLIMIT_FSIZE tears a record in two (short write, then EFBIG): acknowledged ones stand, the torn one is cut."""
    code = textwrap.dedent(
        """
        import asyncio, pathlib, sys
        from finslm.audit import AuditLog, Kind, Record
        from finslm.errors import AuditUnavailable
        async def main():
            log = AuditLog.open(pathlib.Path(sys.argv[1]), origin="bank.example/finslm", checkpoint_interval_s=3600)
            for n in range(1000):
                try:
                    print("acked", (await log.append(Record(Kind.EVENT, event="TICK"))).index)
                except AuditUnavailable as error:
                    print("refused", log.healthy, error)
                    await log.close()
                    return
        asyncio.run(main())
        """
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "log")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    acked = [line for line in run.stdout.splitlines() if line.startswith("acked")]
    assert acked == [f"acked {n}" for n in range(len(acked))]
    assert "refused False" in run.stdout
    assert "File too large" in run.stdout
    assert len(acked) > 10
    log = open_log()
    assert log.recovery.cut_bytes > 0
    assert log.size == len(acked)
    assert log.verify().ok
    await log.close()


async def test_whole_records_that_were_never_acknowledged_are_kept(
    open_log: Open, make_record: Make, tmp_path: Path
) -> None:
    """A crash between the record's sync and its hash's: frame and CRC are whole, so the record stays."""
    log = open_log()
    for n in range(3):
        await log.append(make_record(n))
    folder = tmp_path / "log"
    os.truncate(folder / "hashes", merkle.node_count(2) * 32 + 7)
    crashed = tmp_path / "crashed"
    subprocess.run(["cp", "-a", folder, crashed], check=True)
    data = (crashed / "records.log").read_bytes().rstrip(b"\0")
    (crashed / "records.log").write_bytes(data + b"0123" + bytes(500))  # and room that was allocated
    assert verify_dir(crashed).tree_size == 2
    reopened = open_log(crashed)
    assert (reopened.recovery.kept_records, reopened.recovery.cut_bytes) == (1, 4)
    assert reopened.record(2).request_id == make_record(2).request_id
    assert verify_dir(crashed).checkpoint.size == 3
    assert scan(crashed, Verifier.parse((crashed / "log.vkey").read_text().strip())).durable == 3
    await reopened.close()
    await log.close()


async def test_a_detail_is_no_field(open_log: Callable[..., AuditLog], make_record: Callable[..., Record]) -> None:
    """A fact in the details may be called as a field is: it neither finds the event nor opens it to a tenant."""
    log = open_log()
    call = make_record(1)
    await log.append(Record(Kind.EVENT, event="MODEL_STAGES", details={"decisions": "3"}))
    await log.append(call)
    facts = {"tenant": "default", "event": "MODEL_STAGES", "request_id": call.request_id, "kind": "INTENT"}
    await log.append(Record(Kind.EVENT, event="HOLD_SET", details=facts))
    for chosen in (RecordFilter(tenants=("default",)), RecordFilter(tenant="default"), RecordFilter(kind="INTENT")):
        assert [i for _, found in log.select(chosen, 0, 3, 3) for i, _ in found] == [1]
    assert [i for i, _ in log.events("MODEL_STAGES")] == [0]
    assert [i for i, _ in log.find(call.request_id)] == [1]
    last = log.last_event("MODEL_STAGES")
    assert last is not None
    assert last.event == "MODEL_STAGES"
    await log.close()


async def test_a_checkpoint_that_was_refused_is_written_later(
    open_log: Callable[..., AuditLog],
    make_record: Callable[..., Record],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database that is away when a checkpoint is due: the log that is closed is covered to its last record."""
    log, real, refused = open_log(interval_s=0.01), FileStore.put_checkpoint, list[int]()

    def away(store: FileStore, head: Head, note: str) -> None:
        if not refused:
            refused.append(head.size)
            raise AuditUnavailable("away")
        real(store, head, note)

    monkeypatch.setattr(FileStore, "put_checkpoint", away)
    await log.append(make_record())
    while not refused:
        await asyncio.sleep(0.01)
    await log.close()
    assert refused == [1]
    assert verify_dir(tmp_path / "log").checkpoint.size == 1


async def test_a_file_begun_while_the_log_is_read(
    make_record: Callable[..., Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the hashes and the list of the files a writer begins the next file: no damage."""
    log = AuditLog.open(tmp_path / "log", origin="bank.example/l", checkpoint_interval_s=3600, segment_records=2)
    await log.append(make_record(0))

    def grown(folder: Path) -> list[Segment]:
        for n in range(1, 3):
            log._store.append([make_record(n)])
        return list_segments(folder)

    monkeypatch.setattr("finslm.audit.scan.list_segments", grown)
    assert verify_dir(tmp_path / "log").tree_size == 1
    await log.close()


@pytest.mark.parametrize("lost", ["all", "the last", "one amid", "half of one"])
async def test_nodes_that_a_loss_of_power_took_are_made_again(
    lost: str, open_log: Open, make_record: Make, tmp_path: Path
) -> None:
    """Pages of ``hashes`` that no checkpoint covers and that never reached the disk are zeros: no record is lost."""
    log = open_log()
    for n in range(8):
        await log.append(make_record(n))
    await log.close()
    log = open_log()
    for n in range(8, 16):
        await log.append(make_record(n))
    root = log.root_hash
    crashed = tmp_path / "crashed"
    subprocess.run(["cp", "-a", tmp_path / "log", crashed], check=True)
    begin, end = merkle.node_count(8) * 32, merkle.node_count(16) * 32
    spans = {
        "all": (begin, end),
        "the last": (merkle.node_count(15) * 32, end),
        "one amid": (merkle.node_count(11) * 32, merkle.node_count(12) * 32),
        "half of one": (merkle.node_count(11) * 32 + 32, merkle.node_count(12) * 32),
    }
    with (crashed / "hashes").open("r+b") as hashes:
        hashes.seek(spans[lost][0])
        hashes.write(bytes(spans[lost][1] - spans[lost][0]))
    assert (verify_dir(crashed).ok, verify_dir(crashed).root_hash) == (True, root)
    reopened = open_log(crashed)
    assert (reopened.size, reopened.root_hash) == (16, root)
    assert reopened.verify().ok
    await reopened.close()
    await log.close()
