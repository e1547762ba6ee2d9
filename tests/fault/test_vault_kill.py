"""Processes that write to the vault are killed at random moments: what they were told of is there afterwards.

``FINSLM_VAULT_KILLS=1000 pytest tests/fault/test_vault_kill.py`` is the long form.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

from redaction.keys import FileKeys
from redaction.vault import Owner
from redaction.vault.sqlite import SqliteVault

KILLS = int(os.environ.get("FINSLM_VAULT_KILLS", "8"))
ADA = Owner("bank", "ada")
WRITER = textwrap.dedent(
    """
    import os, random, sys, threading
    from pathlib import Path
    from redaction.keys import FileKeys
    from redaction.vault import Owner
    from redaction.vault.sqlite import SqliteVault

    folder, session, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    vault = SqliteVault(folder / "vault.sqlite", FileKeys(folder / "keys.json"), 1e9)
    os.write(1, b"open\\n")

    def work(number):
        choose = random.Random(seed * 100 + number)
        while True:
            values = [("PERSON", f"Geheimnis {choose.randrange(2000)}") for _ in range(3)]
            issued = vault.issue(Owner("bank", "ada"), session, values)
            for (_, value), placeholder in zip(values, issued):
                os.write(1, f"{placeholder}\\t{value}\\n".encode())  # one write: a kill cannot tear it

    for number in range(32):
        threading.Thread(target=work, args=(number,)).start()
    """
)


@pytest.mark.timeout(60 + 3 * KILLS)
def test_sigkill_loses_no_mapping_and_doubles_none(tmp_path: Path) -> None:
    """Two processes of 32 threads write the same values; one is killed, then the other, again and again."""
    vault = SqliteVault(tmp_path / "vault.sqlite", FileKeys.made(tmp_path / "keys.json"), 1e9)
    session = vault.open(ADA)
    vault.close()
    moment = random.Random(5)
    acked: dict[str, str] = {}
    for number in range(0, KILLS, 2):
        for placeholder, value in _run_and_kill(tmp_path, session, number, moment):
            assert acked.setdefault(placeholder, value) == value
    reopened = SqliteVault(tmp_path / "vault.sqlite", FileKeys(tmp_path / "keys.json"), 1e9)
    kept = reopened.get(ADA, session)
    reopened.close()
    assert len(acked) > 50
    assert all(kept[placeholder] == value for placeholder, value in acked.items())
    assert Counter(kept.values()).most_common(1)[0][1] == 1
    with sqlite3.connect(tmp_path / "vault.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("vault.sqlite*"))
    assert session.encode() in stored
    assert b"Geheimnis" not in stored


def _run_and_kill(folder: Path, session: str, seed: int, moment: random.Random) -> list[tuple[str, str]]:
    outs = [folder / "out0", folder / "out1"]
    writers = []
    for number, out in enumerate(outs):
        with out.open("wb") as sink:
            arguments = [str(folder), session, str(seed + number)]
            writers.append(subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=sink))
    try:
        for writer, out in zip(writers, outs, strict=True):
            while b"open\n" not in out.read_bytes():
                assert writer.poll() is None
                time.sleep(0.01)
        for writer in writers:
            time.sleep(moment.uniform(0.02, 0.4))
            writer.kill()
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    lines = [line for out in outs for line in out.read_text().splitlines()[1:]]
    return [(line.split("\t")[0], line.split("\t")[1]) for line in lines]
