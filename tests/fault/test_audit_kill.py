"""A process that appends is killed at random moments: every record it was told of is there afterwards."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from finslm.audit import AuditLog, verify_dir

WRITER = textwrap.dedent(
    """
    import asyncio, os, pathlib, sys
    from finslm.audit import AuditLog, Kind, Record

    async def append(log, name):
        for n in range(1_000_000):
            receipt = await log.append(Record(Kind.EVENT, event=f"{name}_{n}"))
            os.write(1, f"acked {receipt.index} {name}_{n}\\n".encode())  # one write: a kill cannot tear it

    async def main():
        log = AuditLog.open(pathlib.Path(sys.argv[1]), origin="bank.example/finslm", checkpoint_interval_s=0.02)
        os.write(1, b"open\\n")
        await asyncio.gather(*(append(log, name) for name in ("A", "B", "C", "D", "E", "F", "G", "H")))

    asyncio.run(main())
    """
)


@pytest.mark.timeout(180)
def test_sigkill_loses_no_acknowledged_record(tmp_path: Path) -> None:
    """Ten rounds on the same log: acknowledged records are in it, at their index, and the log verifies."""
    moment = random.Random(7)
    acked: dict[int, str] = {}
    for _ in range(10):
        acked |= _run_and_kill(tmp_path / "log", tmp_path / "out", moment.uniform(0.02, 0.4))
        report = verify_dir(tmp_path / "log")
        assert report.ok
        assert report.tree_size > max(acked)
    assert len(acked) > 100
    asyncio.run(_check(tmp_path / "log", acked))


def _run_and_kill(folder: Path, out: Path, after_s: float) -> dict[int, str]:
    """Start the writer, let it append for a while, kill it; return what it was told is durable."""
    with out.open("wb") as sink:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=sink)
        try:
            while b"open\n" not in out.read_bytes():
                assert writer.poll() is None
                time.sleep(0.01)
            time.sleep(after_s)
        finally:
            writer.send_signal(signal.SIGKILL)
            assert writer.wait() == -signal.SIGKILL
    told = (line.split(" ") for line in out.read_text().splitlines() if line.startswith("acked "))
    return {int(index): event for _, index, event in told}


async def _check(folder: Path, acked: dict[int, str]) -> None:
    log = AuditLog.open(folder, origin="bank.example/finslm", checkpoint_interval_s=1.0)
    assert {index: log.record(index).event for index in acked} == acked
    assert log.verify().ok
    await log.close()
