"""What every vault does, wherever it keeps its values."""

from __future__ import annotations

import base64
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from redaction import MemoryVault
from redaction.errors import KeyDestroyed, SessionNotFound, VaultTampered, VaultUnavailable
from redaction.keys import FileKeys
from redaction.vault import EVERYBODY, Owner, Vault
from redaction.vault.postgres import PostgresVault
from redaction.vault.sqlite import SqliteVault
from redaction.vault.stored import TOMBSTONE_S, StoredVault

ADA, BOB, EVE = Owner("bank", "ada"), Owner("bank", "bob"), Owner("other", "ada")
EVERYONE = Owner("bank", EVERYBODY)
VALUES = [("PERSON", "Margaret Holloway"), ("IBAN_CODE", "DE89370400440532013000"), ("PERSON", "Zoë Čapek \U0001f4b6")]
STORES = ("memory", "sqlite", "postgres")
STORED = ("sqlite", "postgres")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    """A vault, and how to reach what it stores."""

    kind: str
    make: Callable[[], Vault]
    sql: Callable[[str], list[tuple[Any, ...]]]
    clock: Clock
    keys: FileKeys
    folder: Path


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    clock, keys = Clock(), FileKeys.made(tmp_path / "keys.json")
    kind = request.param
    made: list[Vault] = []

    def kept(vault: Vault) -> Vault:
        made.append(vault)
        return vault

    file = tmp_path / "vault" / "vault.sqlite"
    dsn, schema = "", f"v{uuid.uuid4().hex}"
    if kind == "postgres":
        dsn = request.getfixturevalue("postgres")
    makes: dict[str, Callable[[], Vault]] = {
        "memory": lambda: kept(MemoryVault(ttl_s=10, clock=clock)),
        "sqlite": lambda: kept(SqliteVault(file, keys, 10, clock)),
        "postgres": lambda: kept(PostgresVault(dsn, keys, 10, clock, schema=schema)),
    }

    def sql(statement: str) -> list[tuple[Any, ...]]:
        if kind == "sqlite":
            with sqlite3.connect(file) as connection:
                return connection.execute(statement).fetchall()
        with psycopg.connect(dsn, options=f"-c search_path={schema}") as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    yield Place(kind, makes[kind], sql, clock, keys, tmp_path)
    for vault in made:
        vault.close()


@pytest.mark.parametrize("place", STORES, indirect=True)
class TestEveryVault:
    def test_a_session_gives_back_what_it_was_given(self, place: Place) -> None:
        vault = place.make()
        session = vault.open(ADA)
        assert uuid.UUID(session).version == 4
        assert vault.issue(ADA, session, VALUES) == ["<PERSON_1>", "<IBAN_CODE_1>", "<PERSON_2>"]
        everything = {"<PERSON_1>": VALUES[0][1], "<IBAN_CODE_1>": VALUES[1][1], "<PERSON_2>": VALUES[2][1]}
        assert vault.get(ADA, session) == everything
        assert vault.get(ADA, session, ["<PERSON_2>", "<PERSON_9>", "<X>", "junk"]) == {"<PERSON_2>": VALUES[2][1]}
        assert vault.has(ADA, session)

    def test_what_was_done_is_kept_until_it_is_on_record(self, place: Place) -> None:
        """Erasures and expiries, by tenant; a purge of nothing is none. Told events are gone, others stay."""
        vault = place.make()
        vault.issue(ADA, vault.open(ADA), VALUES)
        vault.open(ADA)
        vault.open(EVE)
        assert vault.events() == []
        assert vault.purge(ADA) == 2
        assert vault.purge(ADA) == 0
        place.clock.now += 11
        assert vault.sweep() == 1
        erased, expired = vault.events()
        assert (erased.kind, erased.tenant, erased.sessions) == ("ERASED", "bank", 2)
        assert (expired.kind, expired.tenant, expired.sessions) == ("EXPIRED", "other", 1)
        vault.told([erased])
        assert vault.events() == [expired]
        vault.told([erased, expired])
        assert vault.events() == []

    def test_the_same_value_keeps_its_placeholder(self, place: Place) -> None:
        vault = place.make()
        session = vault.open(ADA)
        first = vault.issue(ADA, session, VALUES)
        assert vault.issue(ADA, session, [*reversed(VALUES), VALUES[0]]) == [*reversed(first), first[0]]
        # The same words of another type, and other words of the same, are other values.
        assert vault.issue(ADA, session, [("LOCATION", VALUES[0][1])]) == ["<LOCATION_1>"]
        assert vault.issue(ADA, session, [("PERSON", "margaret holloway"), VALUES[2]]) == ["<PERSON_3>", "<PERSON_2>"]
        assert vault.issue(ADA, session, []) == []

    def test_sessions_count_for_themselves(self, place: Place) -> None:
        vault = place.make()
        one, two = vault.open(ADA), vault.open(ADA)
        assert one != two
        vault.issue(ADA, one, VALUES)
        assert vault.issue(ADA, two, [VALUES[2]]) == ["<PERSON_1>"]
        assert vault.get(ADA, two) == {"<PERSON_1>": VALUES[2][1]}

    def test_nobody_else_can_tell_that_it_exists(self, place: Place) -> None:
        vault = place.make()
        session = vault.open(ADA)
        vault.issue(ADA, session, VALUES)
        said = set()
        for owner in (BOB, EVE, EVERYONE, Owner("bank", "ADA"), Owner("", "")):
            for work in (lambda o: vault.get(o, session), lambda o: vault.issue(o, session, VALUES)):
                with pytest.raises(SessionNotFound) as refused:
                    work(owner)
                said.add(str(refused.value))
            assert not vault.has(owner, session)
            assert vault.purge(owner, session) == 0
        with pytest.raises(SessionNotFound) as never:
            vault.get(ADA, str(uuid.uuid4()))
        assert said == {str(never.value)}
        assert len(vault.get(ADA, session)) == 3

    def test_a_tenant_has_one_session_of_its_own(self, place: Place) -> None:
        vault = place.make()
        session = vault.open(EVERYONE)
        assert vault.open(EVERYONE) == session != vault.open(Owner("other", EVERYBODY))
        vault.issue(EVERYONE, session, VALUES)
        place.clock.now += 1e6
        assert len(vault.get(EVERYONE, session)) == 3

    def test_it_ends_with_its_time(self, place: Place) -> None:
        vault = place.make()
        session = vault.open(ADA)
        vault.issue(ADA, session, VALUES)
        place.clock.now += 9.9
        assert len(vault.get(ADA, session)) == 3
        place.clock.now += 0.1
        assert not vault.has(ADA, session)
        with pytest.raises(SessionNotFound):
            vault.get(ADA, session)
        with pytest.raises(SessionNotFound):
            vault.issue(ADA, session, VALUES)

    def test_purge_forgets_one_or_all_of_an_owner(self, place: Place) -> None:
        vault = place.make()
        sessions = [vault.open(ADA) for _ in range(3)]
        other = vault.open(BOB)
        assert vault.purge(ADA, sessions[0]) == 1
        assert vault.purge(ADA, sessions[0]) == 0
        with pytest.raises((SessionNotFound, KeyDestroyed)):
            vault.get(ADA, sessions[0])
        assert vault.purge(ADA) == 2
        assert vault.has(BOB, other)
        shared = vault.open(EVERYONE)
        assert vault.purge(EVERYONE) == 1
        assert vault.open(EVERYONE) != shared

    def test_threads_get_one_placeholder_for_one_value(self, place: Place) -> None:
        vault = place.make()
        session = vault.open(ADA)
        names = [("PERSON", f"Person {n}") for n in range(20)]
        answers: list[list[str]] = []
        start = threading.Barrier(64)

        def work(number: int) -> None:
            turned = names[number % 20 :] + names[: number % 20]
            start.wait()
            got = dict(zip(turned, vault.issue(ADA, session, turned), strict=True))
            answers.append([got[name] for name in names])

        threads = [threading.Thread(target=work, args=(n,)) for n in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 64
        assert len({tuple(answer) for answer in answers}) == 1
        assert set(answers[0]) == {f"<PERSON_{n}>" for n in range(1, 21)}

    def test_any_text_comes_back_as_it_was(self, place: Place) -> None:
        vault = place.make()
        session = vault.open(ADA)
        odd = ["", " ", "\x00", "a" * 100_000, "\ud800", "'; DROP TABLE entries; --", "<PERSON_1>", "\U0010ffff"]
        issued = vault.issue(ADA, session, [("SECRET", each) for each in odd])
        assert [vault.get(ADA, session)[each] for each in issued] == odd


@pytest.mark.parametrize("place", STORED, indirect=True)
class TestStoredVaults:
    def test_it_is_there_for_the_next_process(self, place: Place) -> None:
        first = place.make()
        session = first.open(ADA)
        issued = first.issue(ADA, session, VALUES)
        first.close()
        again = place.make()
        assert again.issue(ADA, session, VALUES) == issued
        assert len(again.get(ADA, session)) == 3

    def test_no_value_lies_in_the_clear(self, place: Place, postgres: str) -> None:
        vault = place.make()
        session = vault.open(ADA)
        canary = "Kanarienvogel Quittengelb 4711"
        vault.issue(ADA, session, [("PERSON", canary)])
        if place.kind == "sqlite":
            stored = b"".join(file.read_bytes() for file in (place.folder / "vault").iterdir())
        else:
            with psycopg.connect(postgres) as connection:
                connection.autocommit = True
                connection.execute("CHECKPOINT")
            data = Path(postgres.partition("host=")[2])
            stored = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
        assert session.encode() in stored  # what is to be found is found
        for form in (
            canary.encode(),
            canary.encode("utf-16-le"),
            base64.b64encode(canary.encode())[:-4],
            b"Quittengelb",
        ):
            assert form not in stored

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE entries SET sealed = {junk} WHERE type = 'PERSON' AND number = 1",
            "UPDATE entries SET tag = {junk} WHERE type = 'PERSON' AND number = 1",
            "UPDATE entries SET number = 7 WHERE type = 'PERSON' AND number = 1",
            "UPDATE entries SET type = 'LOCATION' WHERE type = 'PERSON' AND number = 1",
            "UPDATE sessions SET wrapped = {junk}",
            "UPDATE entries SET sealed = (SELECT sealed FROM entries WHERE number = 2 AND type = 'PERSON')",
        ],
    )
    def test_what_was_changed_is_told(self, place: Place, change: str) -> None:
        vault = place.make()
        session = vault.open(ADA)
        vault.issue(ADA, session, VALUES)
        junk = "x'000102030405060708090a0b0c0d0e0f1011121314151617'"
        place.sql(change.format(junk=junk if place.kind == "sqlite" else junk.replace("x'", r"'\x")))
        with pytest.raises(VaultTampered) as told:
            place.make().get(ADA, session)
        assert "Holloway" not in str(told.value)

    def test_rows_do_not_open_elsewhere(self, place: Place) -> None:
        """Moved into another's session by somebody who can write the store, but has no key."""
        vault = place.make()
        mine, theirs = vault.open(ADA), vault.open(EVE)
        vault.issue(ADA, mine, VALUES)
        place.sql(f"UPDATE entries SET session = '{theirs}'")
        with pytest.raises(VaultTampered):
            vault.get(EVE, theirs)
        place.sql(f"UPDATE sessions SET tenant = 'other' WHERE id = '{mine}'")
        with pytest.raises(VaultTampered):
            place.make().get(EVE, mine)

    def test_purged_is_told_from_never_made_for_a_while(self, place: Place) -> None:
        vault = place.make()
        session = vault.open(ADA)
        vault.issue(ADA, session, VALUES)
        vault.purge(ADA, session)
        assert place.sql("SELECT * FROM entries") == []
        with pytest.raises(KeyDestroyed):
            vault.get(ADA, session)
        with pytest.raises(SessionNotFound):
            vault.get(BOB, session)
        place.clock.now += TOMBSTONE_S + 1
        assert isinstance(vault, StoredVault)
        vault.sweep()
        assert place.sql("SELECT * FROM sessions") == []

    def test_sweep_takes_what_has_expired(self, place: Place) -> None:
        vault = place.make()
        assert isinstance(vault, StoredVault)
        old, shared = vault.open(ADA), vault.open(EVERYONE)
        vault.issue(ADA, old, VALUES)
        place.clock.now += 10
        young = vault.open(ADA)
        assert vault.sweep() == 1
        assert {row[0] for row in place.sql("SELECT id FROM sessions")} == {young, shared}
        assert place.sql("SELECT * FROM entries") == []

    def test_a_tenant_is_erased_by_its_keys(self, place: Place) -> None:
        vault = place.make()
        assert isinstance(vault, StoredVault)
        mine, theirs = vault.open(ADA), vault.open(EVE)
        for owner, session in ((ADA, mine), (EVE, theirs)):
            vault.issue(owner, session, VALUES)
        assert vault.purge_tenant("bank") == 1
        with pytest.raises(KeyDestroyed):
            vault.get(ADA, mine)
        assert len(vault.get(EVE, theirs)) == 3

    def test_keys_rotate_while_it_is_used(self, place: Place) -> None:
        vault = place.make()
        assert isinstance(vault, StoredVault)
        sessions = [vault.open(ADA) for _ in range(5)]
        for session in sessions:
            vault.issue(ADA, session, VALUES)
        derived = place.keys.derive("bank", "x")
        file, key = place.folder / "keys.json", base64.b64encode(b"k" * 32).decode()
        old = file.read_text()
        first = old[old.index('"keys"') :].split('"')[5]
        _write(file, f'{{"current": "2", "derive": "1", "keys": {{"1": "{first}", "2": "{key}"}}}}')
        assert vault.rewrap(limit=2) == 2
        assert vault.keys_in_use() == {"1", "2"}
        assert all(len(vault.get(ADA, session)) == 3 for session in sessions)
        assert vault.rewrap() == 3
        assert (vault.rewrap(), vault.keys_in_use()) == (0, {"2"})
        assert place.keys.derive("bank", "x") == derived
        _write(file, f'{{"current": "2", "derive": "2", "keys": {{"2": "{key}"}}}}')
        assert all(len(place.make().get(ADA, session)) == 3 for session in sessions)
        _write(file, f'{{"current": "3", "derive": "3", "keys": {{"3": "{base64.b64encode(b"z" * 32).decode()}"}}}}')
        with pytest.raises(KeyDestroyed):
            place.make().get(ADA, sessions[0])

    def test_processes_get_one_placeholder_for_one_value(self, place: Place, postgres: str) -> None:
        """Eight processes with eight threads each, all at once."""
        vault = place.make()
        session = vault.open(ADA)
        schema = "" if place.kind == "sqlite" else vault._schema  # type: ignore[attr-defined]
        arguments = [place.kind, str(place.folder), postgres, schema, session]
        running = [
            subprocess.Popen([sys.executable, "-c", WRITERS, *arguments], stdout=subprocess.PIPE, text=True)
            for _ in range(8)
        ]
        said = [process.communicate(timeout=120)[0] for process in running]
        assert [process.returncode for process in running] == [0] * 8
        assert len(set(said)) == 1
        assert len(vault.get(ADA, session)) == 40
        assert sorted(vault.get(ADA, session).values()) == sorted(f"Person {n}" for n in range(40))

    def test_a_store_that_is_gone_is_told(self, place: Place) -> None:
        vault = place.make()
        session = vault.open(ADA)
        if place.kind == "sqlite":
            place.sql("DROP TABLE entries")
        else:
            place.sql("DROP TABLE entries CASCADE")
        with pytest.raises(VaultUnavailable) as told:
            vault.issue(ADA, session, VALUES)
        assert "Holloway" not in str(told.value)


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    keys = FileKeys.made(tmp_path / "keys.json")
    with pytest.raises(VaultUnavailable, match="reached"):
        PostgresVault(f"host={tmp_path} connect_timeout=1", keys, 10)
    (tmp_path / "vault").write_text("a file")
    with pytest.raises(VaultUnavailable):
        SqliteVault(tmp_path / "vault" / "v.sqlite", keys, 10)


def _write(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(file)


WRITERS = """
import sys, threading
from pathlib import Path
from redaction.keys import FileKeys
from redaction.vault import Owner
from redaction.vault.postgres import PostgresVault
from redaction.vault.sqlite import SqliteVault
kind, folder, dsn, schema, session = sys.argv[1:]
keys = FileKeys(Path(folder) / "keys.json")
clock = lambda: 1_000_000.0
file = Path(folder) / "vault" / "vault.sqlite"
if kind == "sqlite":
    vault = SqliteVault(file, keys, 10, clock)
else:
    vault = PostgresVault(dsn, keys, 10, clock, schema=schema, connections=2)
values = [("PERSON", f"Person {n}") for n in range(40)]
got = {}
def work(k):
    turned = values[5 * k:] + values[:5 * k]
    for value, placeholder in zip(turned, vault.issue(Owner("bank", "ada"), session, turned)):
        assert got.setdefault(value, placeholder) == placeholder
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print([got[value] for value in values])
vault.close()
"""
