"""With the disk nearly full no call begins, those in progress end, and when there is room again calls are served."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Kind, Record
from finslm.errors import AuditUnavailable

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("finslm.audit.file_store.ALLOCATED_BYTES", 4096)
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "t", str(folder)]).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_calls_in_progress_get_their_records(small_disk: Path, make_record: Callable[..., Record]) -> None:
    def open_log() -> AuditLog:
        return AuditLog.open(
            small_disk / "log", origin="bank.example/log", checkpoint_interval_s=3600, reserve_bytes=MIB
        )

    log = open_log()
    begun = await log.append(make_record(0))
    filler = small_disk / "filler"
    filler.write_bytes(b"\0" * (4 * MIB - MIB - MIB // 2))  # half the reserve is left beside it
    await log.append(make_record(1))
    with pytest.raises(AuditUnavailable, match="nearly full"):
        await log.append(make_record(2))
    assert log.healthy
    ended = make_record(0, kind=Kind.OUTCOME, status="OK", intent_index=begun.index)
    assert (await log.append(ended)).index == 2, "its room was kept"
    await log.append(Record(Kind.EVENT, event="SERVER_STOPPED"))
    filler.unlink()
    for _ in range(100):
        try:
            receipt = await log.append(make_record(3))
            break
        except AuditUnavailable:
            await asyncio.sleep(0.01)
    assert receipt.index == 4
    assert log.verify().ok
    await log.close()
    (small_disk / "log/reserve").unlink()
    filler.write_bytes(b"\0" * (4 * MIB - MIB // 2))
    log = open_log()  # without a reserve it opens, and calls wait for room
    with pytest.raises(AuditUnavailable, match="nearly full"):
        await log.append(make_record(4))
    await log.append(Record(Kind.EVENT, event="SERVER_STARTED"))
    await log.close()


async def test_refusals_do_not_use_the_reserve_up(small_disk: Path, make_record: Callable[..., Record]) -> None:
    """With the reserve given up, or taken away by hand, what anybody may cause unadmitted is not written."""
    log = AuditLog.open(small_disk / "log", origin="bank.example/log", checkpoint_interval_s=3600, reserve_bytes=MIB)
    begun = await log.append(make_record(0))
    (small_disk / "log/reserve").unlink()
    (small_disk / "filler").write_bytes(b"\0" * (4 * MIB - MIB // 2))
    await log.append(make_record(1))
    with pytest.raises(AuditUnavailable, match="nearly full"):
        await log.append(make_record(2, kind=Kind.OUTCOME, status="UNAUTHENTICATED"))
    assert log.healthy
    await log.append(make_record(0, kind=Kind.OUTCOME, status="OK", intent_index=begun.index))
    await log.close()
