"""What every store of the audit log does: one order, no gaps, durable before acknowledged, provable."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from finslm.audit import AuditLog, Kind, Record, merkle
from finslm.audit.checkpoint import Verifier
from finslm.audit.keys import load_or_create_signer
from finslm.audit.postgres_store import PostgresStore
from finslm.audit.proof import Proof
from finslm.errors import AuditCorrupt, AuditUnavailable, ConfigError, UnknownRecord

ORIGIN = "bank.example/finslm"
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
        PostgresStore(dsn, load_or_create_signer(tmp_path, ORIGIN), schema=schema), _signer(tmp_path), 3600
    )


@pytest.fixture
def database(postgres: str, schema: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The tables, as their administrator reaches them."""
    with psycopg.connect(postgres, autocommit=True, options=f"-c search_path={schema}") as connection:
        yield connection


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


async def test_replicas_share_one_sequence(postgres: str, schema: str, tmp_path: Path) -> None:
    """Four writers at once: every index once, every receipt true, times in the order of the indexes."""
    _signer(tmp_path)
    receipts: list[tuple[int, str]] = []

    async def write(replica: int) -> None:
        signer = _signer(tmp_path)
        log = AuditLog(PostgresStore(postgres, signer, schema=schema), signer, 0.05)
        for n in range(0, 60, 3):
            some = await asyncio.gather(*(log.append(_intent(100 * replica + n + k)) for k in range(3)))
            receipts.extend((receipt.index, receipt.leaf_hash) for receipt in some)
        await log.close()

    threads = [threading.Thread(target=lambda r=r: asyncio.run(write(r))) for r in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    signer = _signer(tmp_path)
    log = AuditLog(PostgresStore(postgres, signer, schema=schema), signer, 3600)
    assert sorted(index for index, _ in receipts) == list(range(240))
    assert all(merkle.leaf_hash(log.entry(index)).hex() == leaf for index, leaf in receipts)
    report = log.verify()
    assert (report.ok, report.records, report.checkpoint.size) == (True, 240, 240)
    times = [log.record(n).time for n in range(240)]
    assert times == sorted(times)
    await log.close()


async def test_the_database_refuses_changes_and_the_check_finds_them(
    database: psycopg.Connection[tuple[object, ...]], postgres: str, schema: str, tmp_path: Path
) -> None:
    """A trigger stops an accident; its administrator can take that away, and the tree tells."""
    signer = _signer(tmp_path)
    log = AuditLog(PostgresStore(postgres, signer, schema=schema), signer, 3600)
    for n in range(12):
        await log.append(_intent(n))
    await log.close()
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        database.execute("DELETE FROM entries WHERE index = 3")
    database.execute("DROP TRIGGER append_only ON entries")
    for change, index in (
        ("UPDATE entries SET entry = entry || ' '::bytea WHERE index = 5", 5),
        ("UPDATE entries SET nodes = entry WHERE index = 4", 4),
        ("DELETE FROM entries WHERE index = 3", 3),
    ):
        database.execute("CREATE TABLE kept AS SELECT * FROM entries")
        database.execute(change)
        store = PostgresStore(postgres, signer, schema=schema)
        with pytest.raises(AuditCorrupt) as caught:
            AuditLog(store, signer, 3600).verify()
        assert caught.value.index == index
        store.close()
        database.execute("TRUNCATE entries; INSERT INTO entries SELECT * FROM kept; DROP TABLE kept")
    database.execute("DELETE FROM entries WHERE index > 8")
    with pytest.raises(AuditCorrupt, match="counts 12"):
        PostgresStore(postgres, signer, schema=schema)


async def test_a_role_that_may_only_append(
    database: psycopg.Connection[tuple[object, ...]], postgres: str, schema: str, tmp_path: Path
) -> None:
    """The service's role owns nothing: it appends and reads, and can neither change a record nor the trigger."""
    signer, role = _signer(tmp_path), f"r{schema}"
    PostgresStore(postgres, signer, schema=schema).close()
    database.execute(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};"
        f"GRANT SELECT, INSERT ON {schema}.entries TO {role}; GRANT SELECT, UPDATE ON {schema}.head TO {role}"
    )
    dsn = psycopg.conninfo.make_conninfo(postgres, user=role)
    log = AuditLog(PostgresStore(dsn, signer, schema=schema), signer, 3600)
    await log.append(_intent(0))
    assert log.verify().ok
    await log.close()
    with psycopg.connect(dsn, options=f"-c search_path={schema}", autocommit=True) as service:
        for attack in ("UPDATE entries SET entry = ''", "DELETE FROM entries", "DROP TRIGGER append_only ON entries"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute(attack)


async def test_another_key_and_a_database_that_is_away(postgres: str, schema: str, tmp_path: Path) -> None:
    """A replica with a key of its own is refused; one without a database is told so, and goes on when it is back."""
    signer = _signer(tmp_path)
    store = PostgresStore(postgres, signer, schema=schema)
    (tmp_path / "other").mkdir()
    with pytest.raises(ConfigError, match="another key"):
        PostgresStore(postgres, load_or_create_signer(tmp_path / "other", ORIGIN), schema=schema)
    log = AuditLog(store, signer, 3600)
    await log.append(_intent(0))
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"ALTER TABLE {schema}.head RENAME TO away")
        with pytest.raises(AuditUnavailable, match="42P01"):
            await log.append(_intent(1))
        admin.execute(f"ALTER TABLE {schema}.away RENAME TO head")
    assert log.healthy
    assert (await log.append(_intent(2))).index == 1
    await log.close()


def test_a_head_that_is_gone_and_an_address_that_is_none(
    database: psycopg.Connection[tuple[object, ...]],
    postgres: str,
    schema: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both are told of as what they are; of the file with the address, which may hold a password, nothing is shown."""
    signer = load_or_create_signer(tmp_path, ORIGIN)
    PostgresStore(postgres, signer, schema=schema).close()
    database.execute("DELETE FROM head")
    with pytest.raises(AuditCorrupt, match="head is missing"):
        PostgresStore(postgres, signer, schema=schema)
    with pytest.raises(ConfigError, match="dsn_file") as caught:
        PostgresStore("hunter2", signer, schema=schema)
    assert "hunter2" not in str(caught.value) + caplog.text
