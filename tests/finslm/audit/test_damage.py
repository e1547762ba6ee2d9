"""Whatever is changed in the files is found, with the index of the first wrong record, or is proven harmless."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Kind, Record, merkle, verify_dir
from finslm.audit.scan import frame, unframe
from finslm.errors import AuditCorrupt, ConfigError

SIGNED = 3
"""Records under the checkpoint."""
RECORDS = 5
"""Acknowledged records; the last two are not under a checkpoint yet: the process was killed before."""

Open = Callable[..., AuditLog]


@pytest.fixture
def folder(tmp_path: Path, open_log: Open) -> Path:
    """The log of a process that was killed."""

    async def make() -> None:
        log = open_log(tmp_path / "live")
        for n in range(SIGNED):
            await log.append(Record(Kind.EVENT, event=f"EVENT_{n}"))
        await log.close()
        log = open_log(tmp_path / "live")
        for n in range(SIGNED, RECORDS):
            await log.append(Record(Kind.EVENT, event=f"EVENT_{n}"))
        shutil.copytree(tmp_path / "live", tmp_path / "log")
        drop_allocated(tmp_path / "log")
        await log.close()

    asyncio.run(make())
    assert verify_dir(tmp_path / "log").records == RECORDS
    return tmp_path / "log"


def drop_allocated(folder: Path) -> None:
    """Take off the zeros behind the last record, which are room and no data: no bit of them says anything."""
    file = folder / "records.log"
    file.write_bytes(file.read_bytes().rstrip(b"\0"))


def must_fail(folder: Path, open_log: Open, error: type[Exception] = AuditCorrupt) -> list[int]:
    """Both ways in refuse; return the indexes they name."""
    indexes = []
    for attempt in (lambda: verify_dir(folder), lambda: open_log(folder)):
        with pytest.raises(error) as caught:
            attempt()
        indexes.append(getattr(caught.value, "index", -1))
    return indexes


def lines(folder: Path) -> list[bytes]:
    return (folder / "records.log").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("bit", [0, 5, 7])
def test_each_byte_of_the_records(bit: int, folder: Path, open_log: Open) -> None:
    """A flipped bit in record i, signed already or only acknowledged, is found at i."""
    file, whole = folder / "records.log", lines(folder)
    raw = b"".join(whole)
    owner = [i for i, line in enumerate(whole) for _ in line]
    for at in range(len(raw)):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
        assert must_fail(folder, open_log) == [owner[at]] * 2
    file.write_bytes(raw)
    assert verify_dir(folder).ok


def test_each_byte_of_the_hashes(folder: Path, open_log: Open) -> None:
    """A flipped node is found at the record that completed it."""
    file = folder / "hashes"
    raw = file.read_bytes()
    assert len(raw) == merkle.node_count(RECORDS) * 32
    for at in range(len(raw)):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        owner = next(i for i in range(RECORDS) if at < merkle.node_count(i + 1) * 32)
        assert must_fail(folder, open_log) == [owner] * 2


@pytest.mark.parametrize(("name", "error"), [("checkpoint", AuditCorrupt), ("log.vkey", ConfigError)])
def test_each_bit_of_the_checkpoint_and_key(name: str, error: type[Exception], folder: Path, open_log: Open) -> None:
    """None of their bits is free."""
    file = folder / name
    raw = file.read_bytes()
    for at in range(len(raw)):
        for bit in (0, 1, 5, 7):
            file.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
            if name == "log.vkey" and at == len(raw) - 1:
                continue  # the newline at its end carries nothing
            must_fail(folder, open_log, error)


def test_each_byte_of_the_signing_key(folder: Path, open_log: Open) -> None:
    """A changed key is refused, or is the same key in another spelling: its log.vkey says so."""
    file = folder / "signing-key.pem"
    raw = file.read_bytes()
    refused = 0
    for at in range(len(raw)):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        try:
            asyncio.run(open_log(folder).close())
        except ConfigError:
            refused += 1
    assert refused > len(raw) * 0.8
    assert verify_dir(folder).ok


@pytest.mark.parametrize("index", range(RECORDS))
def test_deleted_swapped_repeated_inserted(index: int, folder: Path, open_log: Open) -> None:
    """A record that is not in its place is found where the order breaks."""
    whole, file = lines(folder), folder / "records.log"
    forged = frame(Record(Kind.EVENT, event="FORGED", time="2026-01-31T12:00:00.000000Z").canonical())
    after = (index + 1) % RECORDS
    swapped = list(whole)
    swapped[index], swapped[after] = whole[after], whole[index]
    for changed in (
        whole[:index] + whole[index + 1 :],
        swapped,
        whole[:index] + [forged] + whole[index:],
        whole[:index] + [forged] + whole[index + 1 :],
        whole[:index] + [b"\n"] + whole[index:],
    ):
        file.write_bytes(b"".join(changed))
        assert must_fail(folder, open_log) == [min(index, after) if changed is swapped else index] * 2


def test_records_cut_at_every_length(folder: Path, open_log: Open) -> None:
    """An acknowledged record that is missing or cut short is never taken for a torn tail."""
    file, whole = folder / "records.log", lines(folder)
    raw = b"".join(whole)
    for length in range(len(raw)):
        file.write_bytes(raw[:length])
        left = next(i for i in range(RECORDS) if length < sum(map(len, whole[: i + 1])))
        assert must_fail(folder, open_log) == [left] * 2


def test_hashes_cut_at_every_length(folder: Path, open_log: Open, tmp_path: Path) -> None:
    """Below the checkpoint it is damage; behind it the hashes are made again from the records, and none is lost."""
    raw = (folder / "hashes").read_bytes()
    for length in range(len(raw)):
        if length < merkle.node_count(SIGNED) * 32:
            (folder / "hashes").write_bytes(raw[:length])
            must_fail(folder, open_log)
        elif length % 8 == 0:
            copy = tmp_path / f"cut-{length}"
            shutil.copytree(folder, copy)
            (copy / "hashes").write_bytes(raw[:length])
            assert verify_dir(copy).tree_size >= SIGNED
            asyncio.run(open_log(copy).close())
            assert (copy / "hashes").read_bytes() == raw
            assert verify_dir(copy).records == RECORDS


@pytest.mark.parametrize("index", range(SIGNED))
def test_rewritten_with_matching_hashes(index: int, folder: Path, open_log: Open) -> None:
    """Who changes a record and computes all hashes anew, but has no key, fails at the checkpoint."""
    entries = [unframe(line) or b"" for line in lines(folder)]
    entries[index] = Record(Kind.EVENT, event="FORGED", time="2026-01-31T12:00:00.000000Z").canonical()
    frontier = merkle.Frontier()
    (folder / "records.log").write_bytes(b"".join(map(frame, entries)))
    (folder / "hashes").write_bytes(b"".join(b"".join(frontier.append(merkle.leaf_hash(e))) for e in entries))
    must_fail(folder, open_log)


@pytest.mark.parametrize("size", range(SIGNED))
def test_all_files_cut_to_an_earlier_size(size: int, folder: Path, open_log: Open) -> None:
    """Records and hashes cut alike, below the checkpoint: the first missing one is named."""
    (folder / "records.log").write_bytes(b"".join(lines(folder)[:size]))
    (folder / "hashes").write_bytes((folder / "hashes").read_bytes()[: merkle.node_count(size) * 32])
    assert must_fail(folder, open_log) == [size] * 2


@pytest.mark.parametrize("name", ["records.log", "hashes", "checkpoint"])
def test_a_missing_file(name: str, folder: Path, open_log: Open) -> None:
    """A file that is gone is not made anew."""
    (folder / name).unlink()
    must_fail(folder, open_log)
    assert not (folder / name).exists()


def test_a_torn_tail_is_cut_at_every_length(folder: Path, open_log: Open, tmp_path: Path) -> None:
    """What a killed write leaves behind the last acknowledged record goes, and only that."""
    torn = frame(Record(Kind.EVENT, event="NEVER_TOLD", time="2026-01-31T12:00:00.000000Z").canonical())
    for length in range(1, len(torn)):
        copy = tmp_path / f"torn-{length}"
        shutil.copytree(folder, copy)
        with (copy / "records.log").open("ab") as file:
            file.write(torn[:length])
        assert verify_dir(copy).records == RECORDS
        log = open_log(copy)
        assert (log.size, log.recovery.cut_bytes) == (RECORDS, length)
        asyncio.run(log.close())
        assert (copy / "records.log").read_bytes() == b"".join(lines(folder))
        shutil.rmtree(copy)


async def test_verify_of_a_running_log_sees_damage(open_log: Open, tmp_path: Path) -> None:
    """A byte changed under a running server is found by verify and by reading that record."""
    log = open_log()
    for n in range(3):
        await log.append(Record(Kind.EVENT, event=f"EVENT_{n}"))
    file = tmp_path / "log/records.log"
    with file.open("r+b") as records:
        records.seek(len(file.read_bytes().rstrip(b"\0")) // 2)
        records.write(b"#")
    for attempt in (log.verify, lambda: log.record(1)):
        with pytest.raises(AuditCorrupt) as caught:
            attempt()
        assert caught.value.index == 1
    assert log.record(0).event == "EVENT_0"
    await log.close()


async def test_a_finished_file_with_more_than_its_records(make_record: Callable[..., Record], tmp_path: Path) -> None:
    """Bytes behind the last record of a file that another one goes on from are no torn write."""
    log = AuditLog.open(tmp_path / "log", origin="bank.example/l", checkpoint_interval_s=3600, segment_records=3)
    for n in range(5):
        await log.append(make_record(n))
    await log.close()
    assert verify_dir(tmp_path / "log").ok
    with (tmp_path / "log/records.log").open("ab") as file:
        file.write(b"free text\n")
    with pytest.raises(AuditCorrupt, match=r"records\.log has more") as caught:
        verify_dir(tmp_path / "log")
    assert caught.value.index == 3
