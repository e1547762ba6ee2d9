"""A vault in a file: SQLite, for one host. Several processes may share it."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

from redaction.errors import VaultUnavailable
from redaction.keys import KeyProvider
from redaction.vault.stored import StoredVault, Transaction

_WAIT_MS: Final = 5000
"""How long a writer waits for another process's."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL, expires REAL,
    key_id TEXT NOT NULL, wrapped BLOB
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS shared ON sessions (tenant) WHERE owner = '' AND wrapped IS NOT NULL;
CREATE INDEX IF NOT EXISTS owners ON sessions (tenant, owner);
CREATE INDEX IF NOT EXISTS expiry ON sessions (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS counters (
    session TEXT NOT NULL, type TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (session, type)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    session TEXT NOT NULL, type TEXT NOT NULL, number INTEGER NOT NULL, tag BLOB NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (session, type, number), UNIQUE (session, tag)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, tenant TEXT NOT NULL, sessions INTEGER NOT NULL,
    key_id TEXT NOT NULL
) STRICT;
"""
_VERSION: Final = 1


@final
class SqliteVault(StoredVault):
    """See :class:`redaction.vault.stored.StoredVault`. What was issued is on the disk when :meth:`issue` returns.

    Args:
        file: the database; made, with its folder, readable by its owner alone, where there is none.
        keys: wraps the data keys.
        ttl_s: life of a session, seconds.
        clock: seconds since the epoch.

    Raises:
        VaultUnavailable: it cannot be opened, or another version has made it.
    """

    def __init__(self, file: Path, keys: KeyProvider, ttl_s: float, clock: Callable[[], float] = time.time) -> None:
        super().__init__(keys, ttl_s, clock)
        self._lock = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                file, timeout=_WAIT_MS / 1000, check_same_thread=False, isolation_level=None
            )
            self._prepare(file)
        except (OSError, sqlite3.Error) as error:
            raise VaultUnavailable(f"{file}: the vault cannot be opened: {type(error).__name__}") from None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _prepare(self, file: Path) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "cell_size_check = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise VaultUnavailable(f"{file}: a vault of version {version}, this program writes {_VERSION}")
        self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Transaction]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    yield _Work(self._connection)
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.rollback()
                # Not its message, which may name a path or quote a row.
                raise VaultUnavailable(f"the vault's file cannot be used: {error.sqlite_errorname}") from None

    def _forgotten(self) -> None:
        """Write the log back and cut it: what was deleted is overwritten with zeros, there too."""
        with self._lock:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as error:
                raise VaultUnavailable(f"the vault's file cannot be used: {error.sqlite_errorname}") from None


@final
class _Work:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters).fetchall()

    lock = run  # BEGIN IMMEDIATE keeps all others from writing

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(sql, rows)
