"""Does the audit log lose anything when its disk fails? ``python -m benchmarks.audit_faults [--kills 1000] [--record]``

Every file system call of the writer, at each of its instances, is made to fail with EIO and with ENOSPC, or the
process is killed at it (strace injects; after Tessera's fault test). Then ``--kills`` times a writer under load is
killed at a random moment. The writer answers a call only when its OUTCOME is durable, as the service does. After
each: no acknowledged record is missing, no answer went out without one, the log opens and verifies. Needs strace and
the right to trace.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import facts
from finslm.audit import AuditLog, Kind, Record, verify_dir
from finslm.errors import AuditUnavailable

RESULTS = Path(__file__).parent / "results" / "audit_faults.json"
ORIGIN: Final = "bank.example/faults"
CALLS: Final = 12
"""Calls of one run: an INTENT and an OUTCOME each, four at a time."""
SYSCALLS: Final = (
    *("openat", "read", "pread64", "write", "pwrite64", "fdatasync", "fsync", "close", "rename", "mkdir"),
    *("ftruncate", "fallocate", "unlink", "flock", "statfs", "lseek", "newfstatat", "fstat", "getdents64"),
)
"""File system calls that the writer makes, or could."""
KILLS_OF_A_LOG: Final = 40
"""Kills after which a new log is begun."""
FAULTS: Final = ("EIO", "ENOSPC", "SIGKILL")
_CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?([a-z_0-9]+)\(")


@dataclass
class Tally:
    """What the runs found."""

    runs: int = 0
    acknowledged: int = 0
    answers: int = 0
    missing: int = 0
    unlogged: int = 0
    unclean: int = 0
    by_fault: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Nothing lost, nothing served without a record, every log clean."""
        return not (self.missing or self.unlogged or self.unclean)


def write(folder: Path, told: socket.socket, calls: int, pause_s: float = 0.0) -> None:
    """The writer: opens the log, takes calls, tells what was acknowledged to it."""

    async def call(log: AuditLog, n: int) -> None:
        about = {"request_id": f"00000000-0000-4000-8000-{n:012x}", "method": "A/B"}
        begun = await log.append(Record(Kind.INTENT, **about))
        told.send(f"acked {begun.index} {begun.leaf_hash}\n".encode())
        done = await log.append(Record(Kind.OUTCOME, status="OK", intent_index=begun.index, **about))
        told.send(f"acked {done.index} {done.leaf_hash}\nanswered {n} {done.index}\n".encode())

    async def main() -> None:
        log = AuditLog.open(
            folder, origin=ORIGIN, checkpoint_interval_s=0.002, segment_records=10, reserve_bytes=1 << 16
        )
        try:
            for first in range(0, calls, 4):
                await asyncio.gather(*(call(log, first + n) for n in range(4)))
                await asyncio.sleep(pause_s)
        finally:
            await log.close()

    try:
        # A loop that is never closed: its own calls of close() are not the log's.
        asyncio.new_event_loop().run_until_complete(main())
    except AuditUnavailable:
        told.send(b"refused\n")


def _fork(folder: Path, calls: int, pause_s: float) -> tuple[int, socket.socket]:
    """Start a writer that waits for a byte; return its process id and the socket on which it is told and tells."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        ours.close()
        theirs.send(b"r")  # no call of its own start is traced
        theirs.recv(1)  # by a system call of sockets: no fault is injected there
        try:
            write(folder, theirs, calls, pause_s)
        except BaseException as error:  # noqa: BLE001 - told, and counted as unclean: a fault has one known form
            theirs.send(f"crashed {type(error).__name__} {error}\n".encode())
        finally:
            os._exit(0)
    theirs.close()
    ours.recv(1)
    return pid, ours


def _read_all(told: socket.socket, pid: int) -> list[str]:
    data = bytearray()
    while select.select([told], [], [], 60)[0] and (chunk := told.recv(1 << 16)):
        data += chunk
    told.close()
    os.waitpid(pid, 0)
    return data.decode().splitlines()


def traced(folder: Path, inject: str | None, trace: Path) -> list[str]:
    """Run a writer under strace and return what it told."""
    pid, told = _fork(folder, CALLS, 0.004)
    wanted = [f"--inject={inject}"] if inject else []
    command = ["strace", "-f", "-q", "-o", str(trace), "-e", f"trace={','.join(SYSCALLS)}", *wanted, "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text():
        if tracer.poll() is not None:
            os.kill(pid, signal.SIGKILL)
            raise RuntimeError(f"strace: {tracer.communicate()[1].strip()}")
        time.sleep(0.002)
    told.send(b"x")
    lines = _read_all(told, pid)
    tracer.communicate(timeout=60)
    return lines


def instances(trace: Path) -> Counter[str]:
    """How often each system call was made in a traced run."""
    found: Counter[str] = Counter()
    for line in trace.read_text().splitlines():
        if match := _CALL.match(line):
            found[match[1]] += 1
    return found


def check(folder: Path, lines: list[str], tally: Tally, fault: str) -> None:
    """Hold what the writer told against the log, opened again."""
    tally.runs += 1
    tally.by_fault[fault] += 1
    acked = {int(a): leaf for kind, a, leaf in (line.split(" ") for line in lines if line.startswith("acked "))}
    answers = [line.split(" ") for line in lines if line.startswith("answered ")]
    tally.acknowledged += len(acked)
    tally.answers += len(answers)
    tally.unclean += any(line.startswith("crashed") for line in lines)
    try:
        log = AuditLog.open(folder, origin=ORIGIN, checkpoint_interval_s=3600, segment_records=10)
    except Exception:  # noqa: BLE001 - a log that does not open is what is counted here
        tally.unclean += 1
        tally.missing += len(acked)
        tally.unlogged += len(answers)
        return
    try:
        for index, leaf in acked.items():
            tally.missing += index >= log.size or log.inclusion_proof(index).leaf_hash.hex() != leaf
        for _, n, index in answers:
            record = log.record(int(index)) if int(index) < log.size else None
            expected = f"00000000-0000-4000-8000-{int(n):012x}"
            tally.unlogged += record is None or record.kind is not Kind.OUTCOME or record.request_id != expected
        tally.unclean += not log.verify().ok
    finally:
        asyncio.run(log.close())
    tally.unclean += not verify_dir(folder).ok


def plan(found: Counter[str], each: int | None) -> Iterator[tuple[str, str, int]]:
    """Every call, fault and instance; ``each``: at most so many instances, spread evenly."""
    for name, count in sorted(found.items()):
        whens = (
            range(1, count + 1)
            if each is None or count <= each
            else [1 + k * (count - 1) // (each - 1) for k in range(each)]
        )
        for fault in FAULTS:
            for when in sorted(set(whens)):
                yield name, fault, when


def inject_faults(work: Path, each: int | None = None, told: Any = None) -> Tally:
    """Run all that :func:`plan` says."""
    tally = Tally()
    traced(work / "first", None, work / "trace")
    found = instances(work / "trace")
    jobs = list(plan(found, each))
    for number, (name, fault, when) in enumerate(jobs):
        folder = work / "log"
        shutil.rmtree(folder, ignore_errors=True)
        how = "signal=SIGKILL" if fault == "SIGKILL" else f"error={fault}"
        lines = traced(folder, f"{name}:{how}:when={when}", work / "trace")
        before = (tally.missing, tally.unlogged, tally.unclean)
        check(folder, lines, tally, fault)
        if before != (tally.missing, tally.unlogged, tally.unclean):
            shutil.copytree(folder, work / f"bad-{number}", dirs_exist_ok=True)
            print(f"{name} {fault} {when}: {lines[-3:]}", flush=True)
        if told is not None and number % 50 == 0:
            told(f"{number} of {len(jobs)} faults")
    return tally


def kill_at_random(work: Path, count: int, seed: int = 7, told: Any = None) -> Tally:
    """Kill a writer under load, again and again, on logs that grow."""
    tally, moment = Tally(), random.Random(seed)
    for number in range(count):
        folder = work / f"killed-{number // KILLS_OF_A_LOG}"
        pid, heard = _fork(folder, 1 << 20, 0.0)
        heard.settimeout(60)
        heard.send(b"x")
        first = heard.recv(1 << 16)  # it is open and acknowledges
        time.sleep(moment.uniform(0.0, 0.1))
        os.kill(pid, signal.SIGKILL)
        lines = _read_all(heard, pid)
        whole = (first.decode() + "\n".join(lines)).splitlines()
        check(folder, [line for line in whole if len(line.split(" ")) == 3], tally, "random SIGKILL")
        if told is not None and number % 50 == 0:
            told(f"{number} of {count} kills")
    return tally


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--each", type=int, help="at most so many instances of a system call; all when not given")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        progress = None if chosen.json else lambda text: print(text, flush=True)
        faults = inject_faults(Path(work), chosen.each, progress)
        kills = kill_at_random(Path(work), chosen.kills, told=progress)
    result = {"faults": _figures(faults), "kills": _figures(kills), "ok": faults.ok and kills.ok, "machine": facts()}
    if chosen.record:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=None if chosen.json else 2))
    raise SystemExit(0 if result["ok"] else 1)


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        "runs": tally.runs,
        "acknowledged": tally.acknowledged,
        "acknowledged_missing": tally.missing,
        "answers": tally.answers,
        "answers_without_record": tally.unlogged,
        "logs_not_clean": tally.unclean,
        "by_fault": dict(tally.by_fault),
    }


if __name__ == "__main__":
    main()
