"""Who a call was about is found, proven and erased, and the log never changes for it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finslm.audit import AuditLog, Kind, Record, spool, verify_dir
from finslm.audit.proof import Proof
from finslm.audit.subjects import SubjectStore, over
from finslm.cli import app
from finslm.errors import AuditUnavailable
from finslm.subjects import SubjectIndex, normalised
from redaction import Detection
from redaction.keys import FileKeys

Open = Callable[..., AuditLog]
ADA, BOB = "Ada Holloway", "Bob Čapek"
CALLS = ((ADA, BOB), (ADA,), (BOB,), (), (ADA,))


@pytest.fixture
def index(tmp_path: Path) -> SubjectIndex:
    keys = FileKeys.made(tmp_path / "keys.json")
    return SubjectIndex(SubjectStore(tmp_path / "subjects.sqlite", keys), keys)


async def calls(log: AuditLog, index: SubjectIndex, tenant: str = "emea") -> list[str]:
    """Append the calls; return the proofs of their outcomes."""
    proofs = []
    for n, names in enumerate(CALLS):
        text = ", ".join(names)
        found = [Detection(text.index(name), text.index(name) + len(name), "PERSON", 1.0, "t") for name in names]
        about = {"request_id": f"00000000-0000-4000-8000-{n:012x}", "method": "A/B", "tenant": tenant}
        subjects = await index.sight(tenant, about["request_id"], text, found)
        receipt = await log.append(Record(Kind.OUTCOME, status="OK", subjects=subjects, **about))
        proofs.append((receipt.leaf_hash, receipt.proof))
    return proofs


async def test_found_proven_and_erased(open_log: Open, index: SubjectIndex, tmp_path: Path) -> None:
    """After erasure nothing of the person opens, others' calls still do, and each older proof still verifies."""
    log = open_log()
    proofs = await calls(log, index)
    ada, bob = (index.token("emea", "PERSON", name) for name in (ADA, BOB))
    assert index.token("emea", "PERSON", "  ADA   holloway") == ada
    assert index.token("apac", "PERSON", ADA) != ada, "a tenant's own key"
    found = index.sightings("emea", ada)
    assert [int(s.request_id[-1]) for s in found] == [0, 1, 4]
    for sighting in found:
        record = log.record(int(sighting.request_id[-1]))
        assert sighting.proves(ada, record.subjects)
        assert not sighting.proves(bob, record.subjects), "it tells nothing of the others"
    assert index.erase("emea", ada) == 3
    index.forget()
    assert index.sightings("emea", ada) == []
    assert [int(s.request_id[-1]) for s in index.sightings("emea", bob)] == [0, 2]
    assert index.erase("emea", ada) == 0
    await log.append(Record(Kind.EVENT, event="SUBJECT_ERASED", tenant="emea", details={"records": "3"}))
    for leaf, proof in proofs:
        Proof.parse(proof).verify(bytes.fromhex(leaf), log.verifier)
    await log.close()
    assert verify_dir(tmp_path / "log").ok
    index.close()
    for file in tmp_path.glob("subjects.sqlite*"):
        data = file.read_bytes()
        assert ada not in data, "not the token, and so not the key or a salt beside it"
        assert b"Holloway" not in data


async def test_no_name_is_in_any_file(open_log: Open, index: SubjectIndex, tmp_path: Path) -> None:
    """Neither the log nor the store has a value, or a hash that can be guessed without the tenant's key."""
    log = open_log()
    await calls(log, index)
    await log.close()
    for file in (p for p in tmp_path.rglob("*") if p.is_file() and p.name != "keys.json"):
        data = file.read_bytes()
        for name in (ADA, BOB):
            assert name.encode() not in data
            assert normalised("PERSON", name).encode() not in data


async def test_equal_calls_have_unlike_commitments(index: SubjectIndex) -> None:
    """The salt is new each time: records cannot be linked by their commitment, a call sent again is kept apart."""
    found = [Detection(0, 3, "PERSON", 1.0, "t")]
    call = "00000000-0000-4000-8000-000000000001"
    first, second = [await index.sight("emea", call, "Ada", found) for _ in range(2)]
    assert first != second
    assert [over(s.commitments) for s in index.sightings("emea", index.token("emea", "PERSON", "Ada"))] in (
        [first, second],
        [second, first],
    )


async def test_fails_closed(index: SubjectIndex, tmp_path: Path) -> None:
    """A store that cannot keep a sighting refuses the call; one that was changed does not answer."""
    found = [Detection(0, 3, "PERSON", 1.0, "t")]
    await index.sight("emea", "00000000-0000-4000-8000-000000000001", "Ada", found)
    index._store._connection.execute("UPDATE sightings SET sealed = zeroblob(60)")
    with pytest.raises(AuditUnavailable, match="changed"):
        index.sightings("emea", index.token("emea", "PERSON", "Ada"))
    index._store._connection.execute("DROP TABLE sightings")
    with pytest.raises(AuditUnavailable):
        await index.sight("emea", "00000000-0000-4000-8000-000000000002", "Ada", found)


async def test_from_the_command_line(open_log: Open, index: SubjectIndex, tmp_path: Path) -> None:
    """The value comes on standard input; search and erasure are left to be recorded, without it."""
    log = open_log()
    await calls(log, index)
    await log.close()
    index.close()
    env = {
        "FINSLM_AUDIT__SUBJECTS_FILE": str(tmp_path / "subjects.sqlite"),
        "FINSLM_KEYS__FILE": str(tmp_path / "keys.json"),
    }
    at = ("--tenant", "emea", "--type", "PERSON", "--dir", str(tmp_path / "log"), "--json")

    def finslm(*args: str, said: str = ADA):
        return CliRunner().invoke(
            app, ["audit", "subject", args[0], *at, *args[1:]], input=said, env=env, catch_exceptions=False
        )

    assert [call["index"] for call in json.loads(finslm("search").stdout)["calls"]] == [0, 1, 4]
    assert finslm("erase").exit_code == 2, "not without --yes"
    assert finslm("search", said="").exit_code == 2
    assert finslm("search", "--tenant", "No Tenant").exit_code == 2
    assert json.loads(finslm("erase", "--yes").stdout) == {"erased": 3, "recorded": True}
    assert json.loads(finslm("search").stdout)["calls"] == []
    events = [record for _, record in spool.pending(tmp_path / "log") if record]
    assert [(e.event, e.tenant) for e in events] == [
        ("SUBJECT_SEARCHED", "emea"),
        ("SUBJECT_ERASED", "emea"),
        ("SUBJECT_SEARCHED", "emea"),
    ]
    assert all("olloway" not in str(e) for e in events)


def test_an_erasure_that_others_hold_up_is_told_of(index: SubjectIndex, tmp_path: Path) -> None:
    """While another reads, SQLite keeps the old pages in its write-ahead log: that is no erasure yet."""
    store, token = index._store, b"t" * 32
    store._connection.execute("PRAGMA busy_timeout = 50")
    store.note("emea", "00000000-0000-4000-8000-000000000001", [token])
    other = sqlite3.connect(tmp_path / "subjects.sqlite", isolation_level=None)
    other.execute("BEGIN")
    (wrapped,) = other.execute("SELECT wrapped FROM subjects").fetchone()
    assert store.erase("emea", token) == 1
    with pytest.raises(AuditUnavailable, match="do it again"):
        store.forget()
    other.execute("COMMIT")
    other.close()
    store.forget()
    assert store._connection.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    assert not any(wrapped in path.read_bytes() for path in tmp_path.glob("subjects.sqlite*"))
