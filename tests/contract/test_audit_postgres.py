"""What only a log in PostgreSQL does: replicas, roles, and being read by who has no key of it."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from finslm import config
from finslm.audit import AuditLog, Kind, Record, merkle, verify_dir
from finslm.audit.checkpoint import Signer
from finslm.audit.export import export_reader
from finslm.audit.keys import load_or_create_signer
from finslm.audit.postgres_reader import open_reader
from finslm.audit.postgres_store import PostgresStore
from finslm.audit.pruning import prune
from finslm.audit.retention import Retention
from finslm.audit.rotation import rotate, rotate_postgres
from finslm.audit.verify import verify_reader
from finslm.auditing import open_log
from finslm.cli import app, audit_tools
from finslm.errors import AuditCorrupt, AuditUnavailable, ConfigError

ORIGIN = "bank.example/finslm"
KEEP_30 = Retention(calls_days=30, refusals_days=30, events_days=30)


@pytest.fixture
def schema() -> str:
    return f"a{uuid.uuid4().hex}"


@pytest.fixture
def database(postgres: str, schema: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The tables, as their administrator reaches them."""
    with psycopg.connect(postgres, autocommit=True, options=f"-c search_path={schema}") as connection:
        yield connection


def _signer(folder: Path) -> Signer:
    return load_or_create_signer(folder, ORIGIN)


def _intent(n: int) -> Record:
    return Record(
        Kind.INTENT, request_id=f"00000000-0000-4000-8000-{n:012x}", method="InferenceService/Generate", tenant="emea"
    )


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
    database.execute("DROP TRIGGER append_only ON entries; DROP TRIGGER only_retention ON entries")
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


async def _filled(dsn: str, schema: str, folder: Path, count: int) -> AuditLog:
    signer = _signer(folder)
    log = AuditLog(PostgresStore(dsn, signer, schema=schema, segment_records=5), signer, 3600)
    for n in range(count):
        await log.append(_intent(n))
    return log


async def test_who_serves_may_not_prune_and_who_prunes_needs_a_role_of_its_own(
    database: psycopg.Connection[tuple[object, ...]], postgres: str, schema: str, tmp_path: Path
) -> None:
    """A role without UPDATE on the entries takes nothing away, whatever it writes into the head."""
    role = f"r{schema}"
    log = await _filled(postgres, schema, tmp_path, 12)
    await log.close()
    database.execute(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};"
        f"GRANT SELECT, INSERT ON {schema}.entries TO {role}; GRANT SELECT, UPDATE ON {schema}.head TO {role}"
    )
    dsn = psycopg.conninfo.make_conninfo(postgres, user=role)
    later = datetime.now(UTC) + timedelta(days=31)
    served = await _filled(dsn, schema, tmp_path, 0)
    assert not served.may_drop
    with pytest.raises(ConfigError, match="UPDATE on entries"):
        await prune(served, KEEP_30, later)
    assert served.size == 12, "nothing was declared either"
    with psycopg.connect(dsn, options=f"-c search_path={schema}", autocommit=True) as service:
        service.execute("UPDATE head SET first_kept = 5")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            service.execute("UPDATE entries SET entry = '' WHERE index < 5")
        with pytest.raises(AuditCorrupt, match="no RETENTION_PRUNED record"):
            served.verify()
        service.execute("UPDATE head SET first_kept = 0")
    await served.close()
    database.execute(f"GRANT UPDATE ON {schema}.entries TO {role}")
    pruner = await _filled(dsn, schema, tmp_path, 0)
    assert await prune(pruner, KEEP_30, later) == 10
    assert pruner.verify().first_kept == 10
    await pruner.close()


async def test_the_database_lets_go_of_nothing_else(
    database: psycopg.Connection[tuple[object, ...]], postgres: str, schema: str, tmp_path: Path
) -> None:
    """Not for its owner either, while the triggers are there: a record only goes, and only behind the head."""
    log = await _filled(postgres, schema, tmp_path, 12)
    await log.close()
    emptied = "UPDATE entries SET entry = '', request_id = NULL, event = NULL"
    for attack in (
        f"{emptied} WHERE index = 3",
        "UPDATE entries SET nodes = ''",
        "UPDATE entries SET index = index + 100",
        "UPDATE entries SET request_id = 'x'",
        "DELETE FROM entries WHERE index = 11",
        "TRUNCATE entries",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            database.execute(attack)
    database.execute("UPDATE head SET first_kept = 5")
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        database.execute(f"{emptied} WHERE index = 5")
    database.execute(f"{emptied} WHERE index = 4")
    with pytest.raises(AuditCorrupt, match="no RETENTION_PRUNED record"):
        AuditLog(PostgresStore(postgres, _signer(tmp_path), schema=schema), _signer(tmp_path), 3600).verify()


async def test_two_replicas_prune_at_once_while_a_third_appends(postgres: str, schema: str, tmp_path: Path) -> None:
    """What goes goes once, nobody's append waits for all of it, and the log holds."""
    logs = [await _filled(postgres, schema, tmp_path, n) for n in (60, 0, 0)]
    later = datetime.now(UTC) + timedelta(days=31)
    gone = await asyncio.gather(
        *(prune(log, KEEP_30, later) for log in logs[:2]), *(logs[2].append(_intent(n)) for n in range(100, 130))
    )
    assert 60 <= max(gone[0], gone[1]) <= 90
    report = logs[0].verify()
    assert report.ok
    assert report.first_kept >= 60
    for log in logs:
        await log.close()


async def test_checked_and_exported_with_the_public_key_alone(
    database: psycopg.Connection[tuple[object, ...]], postgres: str, schema: str, tmp_path: Path
) -> None:
    """By a role that reads, from one moment of a log that grows; the export verifies without the database."""
    role = f"r{schema}"
    log = await _filled(postgres, schema, tmp_path, 600)
    await prune(log, KEEP_30, datetime.now(UTC) + timedelta(days=31), before=300)
    database.execute(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};"
        f"GRANT SELECT ON {schema}.entries, {schema}.head TO {role}"
    )
    vkey, elsewhere = log.verifier.vkey(), tmp_path / "elsewhere"
    await log.append(_intent(1000))
    log._write_checkpoint()
    with open_reader(psycopg.conninfo.make_conninfo(postgres, user=role), schema) as reader:
        await log.append(_intent(1001))
        report = verify_reader(reader, elsewhere, vkey=vkey)
        assert (report.ok, report.tree_size, report.first_kept) == (True, 602, 300)
        exported = export_reader(reader, elsewhere, tmp_path / "bundle", vkey=vkey)
    assert exported == report
    bundle = verify_dir(tmp_path / "bundle", vkey=vkey)
    assert (bundle.tree_size, bundle.root_hash, bundle.first_kept) == (602, report.root_hash, 512)
    database.execute("DROP TRIGGER only_retention ON entries")
    database.execute("UPDATE entries SET entry = entry || ' '::bytea WHERE index = 400")
    with open_reader(postgres, schema) as reader, pytest.raises(AuditCorrupt) as caught:
        verify_reader(reader, elsewhere, vkey=vkey)
    assert caught.value.index == 400
    (tmp_path / "other").mkdir()
    with open_reader(postgres, schema) as reader, pytest.raises(AuditCorrupt, match="0 signatures of the key"):
        verify_reader(reader, elsewhere, vkey=_signer(tmp_path / "other").verifier.vkey())
    await log.close()


async def test_a_new_key_takes_over_in_the_database(postgres: str, schema: str, tmp_path: Path) -> None:
    """The old key signs for the new one; a replica with the old one is refused; who trusts the old one verifies."""
    log = await _filled(postgres, schema, tmp_path, 7)
    old = log.verifier.vkey()
    new = rotate_postgres(postgres, tmp_path, ORIGIN, schema=schema)
    with pytest.raises(AuditUnavailable, match="new key"):
        await log.append(_intent(8))
    await log.close()
    again = await _filled(postgres, schema, tmp_path, 3)
    assert again.verifier.vkey() == new.vkey() != old
    await again.close()
    with open_reader(postgres, schema) as reader:
        assert reader.vkey == new.vkey()
        for key in (old, new.vkey(), None):
            assert verify_reader(reader, tmp_path, vkey=key).tree_size == 11
        export_reader(reader, tmp_path, tmp_path / "bundle")
    assert verify_dir(tmp_path / "bundle", vkey=old).tree_size == 11
    (tmp_path / "in-database").touch()
    with pytest.raises(ConfigError, match="in a database"):
        rotate(tmp_path, ORIGIN)


async def test_a_change_of_keys_that_broke_off_goes_on(
    postgres: str, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed behind the transaction, it finds the new key in the database and brings the files after it."""
    log = await _filled(postgres, schema, tmp_path, 7)
    await log.close()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("finslm.audit.rotation._keep", killed)
        rotate_postgres(postgres, tmp_path, ORIGIN, schema=schema)
    new = rotate_postgres(postgres, tmp_path, ORIGIN, schema=schema)
    with open_reader(postgres, schema) as reader:
        report = verify_reader(reader, tmp_path, vkey=log.verifier.vkey())
        assert (report.ok, report.tree_size, reader.vkey) == (True, 8, new.vkey())
    assert _signer(tmp_path).verifier.vkey() == new.vkey()


async def test_a_change_of_keys_that_broke_off_at_its_end_is_finished(
    own_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the private key was in its place: the next start finishes it, and so does the command."""
    given = {"origin": ORIGIN, "checkpoint_interval_s": 9.0}
    log = await asyncio.to_thread(AuditLog.open_postgres, own_database, tmp_path, **given)
    await log.append(_intent(1))
    await log.close()

    def killed(path: Path, target: Path) -> Path:
        if target.name == "signing-key.pem":
            raise KeyboardInterrupt
        return moved(path, target)

    moved = Path.replace
    for number, finished_by in enumerate(("start", "command"), 1):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(Path, "replace", killed)
            rotate_postgres(own_database, tmp_path, ORIGIN)
        vkey = (tmp_path / "log.vkey").read_text().strip()
        if finished_by == "command":
            assert rotate_postgres(own_database, tmp_path, ORIGIN).vkey() == vkey
        log = await asyncio.to_thread(AuditLog.open_postgres, own_database, tmp_path, **given)
        assert log.verifier.vkey() == vkey
        assert log.verify().tree_size == 1 + number
        await log.close()
        assert len([*(tmp_path / "rotations").glob("*.vkey")]) == number, "no key was changed twice"


async def test_who_has_the_retired_key_cannot_cut_the_change_away(
    database: psycopg.Connection[tuple[object, ...]], postgres: str, schema: str, tmp_path: Path
) -> None:
    """The folder knows that the change was completed; who trusts the old key is not shown an older log."""
    log = await _filled(postgres, schema, tmp_path, 7)
    database.execute("CREATE TABLE was AS SELECT * FROM head")
    await log.close()
    old = _signer(tmp_path)
    rotate_postgres(postgres, tmp_path, ORIGIN, schema=schema)
    database.execute(
        "DROP TRIGGER append_only ON entries; DELETE FROM entries WHERE index >= 7; DELETE FROM head;"
        "INSERT INTO head SELECT * FROM was"
    )
    PostgresStore(postgres, old, schema=schema).close()
    with open_reader(postgres, schema) as reader, pytest.raises(AuditCorrupt):
        verify_reader(reader, tmp_path, vkey=old.verifier.vkey())


def test_an_older_log_gets_what_its_tables_lack(
    database: psycopg.Connection[tuple[object, ...]], postgres: str, schema: str, tmp_path: Path
) -> None:
    """Tables made before records could go are brought up when their owner opens the log."""
    PostgresStore(postgres, _signer(tmp_path), schema=schema).close()
    database.execute("ALTER TABLE head DROP COLUMN first_kept; COMMENT ON TABLE head IS NULL")
    store = PostgresStore(postgres, _signer(tmp_path), schema=schema)
    assert store.first_kept == 0
    store.close()


async def test_a_database_that_was_set_back_is_not_written(
    database: psycopg.Connection[tuple[object, ...]], postgres: str, schema: str, tmp_path: Path
) -> None:
    """A restored backup has lost what this process acknowledged: it signs no second history, and its check tells."""
    log = await _filled(postgres, schema, tmp_path, 3)
    database.execute("CREATE TABLE was AS SELECT * FROM head")
    await log.append(_intent(4))
    other = await _filled(postgres, schema, tmp_path, 2)
    await other.close()
    await log.append(_intent(5))
    database.execute(
        "DROP TRIGGER append_only ON entries; DELETE FROM entries WHERE index >= 3; DELETE FROM head;"
        "INSERT INTO head SELECT * FROM was"
    )
    with pytest.raises(AuditCorrupt, match="not those that this process has written"):
        log.verify()
    for _ in range(2):  # the writer has ended, and says why
        with pytest.raises(
            AuditUnavailable, match="set back behind records that were acknowledged; stop using this log"
        ):
            await log.append(_intent(6))
    assert not log.healthy
    assert database.execute("SELECT count(*) FROM entries").fetchall() == [(3,)]
    await log.close()
    fork = await _filled(postgres, schema, tmp_path, 5)
    assert fork.size == 8, "who starts anew has acknowledged nothing"
    await fork.close()


async def test_no_role_gets_past_the_triggers_by_names_of_its_own(
    database: psycopg.Connection[tuple[object, ...]], postgres: str, schema: str, tmp_path: Path
) -> None:
    """A table called head in its own session declares nothing."""
    role = f"r{schema}"
    log = await _filled(postgres, schema, tmp_path, 12)
    await log.close()
    database.execute(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};"
        f"GRANT SELECT, INSERT, UPDATE ON {schema}.entries TO {role}; GRANT SELECT ON {schema}.head TO {role}"
    )
    dsn = psycopg.conninfo.make_conninfo(postgres, user=role)
    with psycopg.connect(dsn, options=f"-c search_path=pg_temp,{schema}", autocommit=True) as session:
        session.execute("CREATE TEMP TABLE head (first_kept BIGINT); INSERT INTO head VALUES (1000000)")
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            session.execute("UPDATE entries SET entry = '', request_id = NULL, event = NULL WHERE index = 7")


@pytest.mark.parametrize(
    ("attack", "index"),
    [
        ("UPDATE head SET peaks = substring(peaks FROM 33) || substring(peaks FOR 32)", 11),
        ("UPDATE entries SET nodes = decode(repeat('00', length(nodes)), 'hex') WHERE index = 9", 9),
        ("UPDATE entries SET nodes = '' WHERE index = 9", 9),
        ("UPDATE entries SET request_id = NULL WHERE index = 4", 4),
        ("UPDATE entries SET request_id = 'x' WHERE index = 4", 4),
        ("UPDATE entries SET event = 'POLICY_CHANGED' WHERE index = 4", 4),
        ("UPDATE head SET size = 10", 10),
    ],
)
async def test_what_stands_beside_the_records_is_checked_too(
    attack: str,
    index: int,
    database: psycopg.Connection[tuple[object, ...]],
    postgres: str,
    schema: str,
    tmp_path: Path,
) -> None:
    """Nodes under no checkpoint, the head's peaks, and the columns that records are found by."""
    log = await _filled(postgres, schema, tmp_path, 11)
    database.execute("DROP TRIGGER append_only ON entries; DROP TRIGGER only_retention ON entries")
    database.execute(attack)
    with open_reader(postgres, schema) as reader, pytest.raises(AuditCorrupt) as caught:
        verify_reader(reader, tmp_path)
    assert caught.value.index == index
    await log.close()


@pytest.fixture
def own_database(postgres: str) -> str:
    """An empty one, whose schema may have the service's name."""
    name = f"d{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return psycopg.conninfo.make_conninfo(postgres, dbname=name)


def _run(*words: str | Path) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["audit", *map(str, words), "--json"])
    return done.exit_code, json.loads(done.stdout)


async def test_the_commands_read_and_prune_a_database(
    own_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the settings, or by a file with the connection string and the public key alone; exit codes as for files."""
    _configure(
        tmp_path,
        monkeypatch,
        f"{{store: postgres, dir: {tmp_path}/key, dsn_file: {tmp_path}/dsn, segment_records: 1024, "
        "retention: {calls_days: 1, refusals_days: 1, events_days: 1}}",
    )
    (tmp_path / "dsn").write_text(own_database)
    log = await asyncio.to_thread(open_log, config.load().audit)
    await asyncio.gather(*(log.append(_intent(n)) for n in range(1500)))
    await log.close()
    vkey = (tmp_path / "key" / "log.vkey").read_text()

    code, found = await asyncio.to_thread(_run, "verify")
    assert (code, found["ok"], found["tree_size"]) == (0, True, 1500)
    assert (await asyncio.to_thread(_run, "prune"))[1] == {"ok": True, "pruned": 0, "first_kept": 0}
    monkeypatch.setattr(audit_tools, "datetime", _InTwoDays)
    assert (await asyncio.to_thread(_run, "prune"))[1] == {"ok": True, "pruned": 1024, "first_kept": 1024}
    _configure(tmp_path, monkeypatch, f"{{dir: {tmp_path}/nothing}}")
    (tmp_path / "trusted").write_text(vkey)
    named = ("--dsn-file", tmp_path / "dsn", "--key", tmp_path / "trusted")
    code, found = await asyncio.to_thread(_run, "verify", *named)
    assert (code, found["tree_size"], found["first_kept"]) == (0, 1501, 1024)
    code, found = await asyncio.to_thread(_run, "show", "1500", *named)
    assert found["records"][0]["record"]["event"] == "RETENTION_PRUNED"
    code, found = await asyncio.to_thread(_run, "tail", "-n", "2", *named)
    assert [item["index"] for item in found["records"]] == [1499, 1500]
    code, found = await asyncio.to_thread(_run, "export", "--out", tmp_path / "bundle", *named)
    assert (code, found["records"], found["recorded"]) == (0, 1501, False)
    assert verify_dir(tmp_path / "bundle").tree_size == 1501
    with psycopg.connect(own_database) as admin:
        admin.execute("DROP TRIGGER only_retention ON finslm_audit.entries")
        admin.execute("UPDATE finslm_audit.entries SET nodes = entry WHERE index = 1200")
    code, found = await asyncio.to_thread(_run, "verify", *named)
    assert (code, found["ok"], found["index"]) == (1, False, 1200)
    (tmp_path / "dsn").write_text("host=/nowhere")
    assert (await asyncio.to_thread(_run, "verify", *named))[0] == 1
    (tmp_path / "dsn").write_text("hunter2")
    code, found = await asyncio.to_thread(_run, "verify", *named)
    assert code == 2
    assert "hunter2" not in found["message"]
    code, found = await asyncio.to_thread(
        _run, "verify", "--dsn-file", tmp_path / "none", "--key", tmp_path / "trusted"
    )
    assert code == 2


async def test_tools_begin_no_log_and_mix_in_none(
    own_database: str, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection string of another database, an empty one, a folder without a key, the key of another log."""
    kept = "retention: {calls_days: 1, refusals_days: 1, events_days: 1}"
    _configure(tmp_path, monkeypatch, f"{{store: postgres, dir: {tmp_path}/key, dsn_file: {tmp_path}/dsn, {kept}}}")
    (tmp_path / "dsn").write_text(own_database)
    assert (await asyncio.to_thread(_run, "prune"))[0] == 2
    assert not (tmp_path / "key").exists(), "no key is made"
    log = await asyncio.to_thread(open_log, config.load().audit)
    await log.close()
    assert (await asyncio.to_thread(_run, "prune"))[0] == 0
    name = f"d{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    other = psycopg.conninfo.make_conninfo(postgres, dbname=name)
    (tmp_path / "other").write_text(other)
    code, found = await asyncio.to_thread(_run, "prune", "--dsn-file", tmp_path / "other")
    assert (code, "no log in this database" in found["message"]) == (2, True)
    with psycopg.connect(other) as admin:
        assert admin.execute("SELECT to_regnamespace('finslm_audit')").fetchall() == [(None,)]
    given = {"origin": ORIGIN, "checkpoint_interval_s": 9.0}
    stranger = await asyncio.to_thread(AuditLog.open_postgres, other, tmp_path / "stranger", **given)
    await stranger.close()
    code, found = await asyncio.to_thread(_run, "verify", "--dsn-file", tmp_path / "other")
    assert (code, "key of another log" in found["message"]) == (2, True)
    key = tmp_path / "stranger" / "log.vkey"
    named = ("--dsn-file", tmp_path / "other", "--key", key, "--out", tmp_path / "bundle")
    code, found = await asyncio.to_thread(_run, "export", *named)
    assert (code, found["recorded"]) == (0, False)
    assert (tmp_path / "bundle" / "log.vkey").read_text() == key.read_text()
    (tmp_path / "dsn").write_text("\n")
    assert (await asyncio.to_thread(_run, "verify"))[0] == 2
    (tmp_path / "nowhere").mkdir()
    for folder in ("bundle", "nowhere"):
        changing = ("rotate-key", "--dir", tmp_path / folder, "--dsn-file", tmp_path / "other")
        assert (await asyncio.to_thread(_run, *changing))[0] == 2
        assert not (tmp_path / folder / "signing-key.pem").exists()


def _configure(folder: Path, monkeypatch: pytest.MonkeyPatch, audit: str) -> None:
    (folder / "finslm.yaml").write_text(f"audit: {audit}\n")
    monkeypatch.setenv("FINSLM_CONFIG", str(folder / "finslm.yaml"))


class _InTwoDays(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + timedelta(days=2)


def test_two_first_starts_make_one_key(own_database: str, tmp_path: Path) -> None:
    """Replicas whose folder for the key is shared and new."""
    opened: list[AuditLog] = []

    def start() -> None:
        opened.append(AuditLog.open_postgres(own_database, tmp_path / "key", origin=ORIGIN, checkpoint_interval_s=9))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({log.verifier.vkey() for log in opened}) == 1
    assert len(opened) == 6
    for log in opened:
        asyncio.run(log.close())
