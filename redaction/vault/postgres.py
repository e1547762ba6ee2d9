"""A vault in PostgreSQL, for many replicas. The only file that imports psycopg."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, final

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from redaction.errors import VaultUnavailable
from redaction.keys import KeyProvider
from redaction.vault.stored import StoredVault, Transaction

_WAIT_S: Final = 5.0
"""How long a call waits for a connection, a lock or a statement."""

_LOCK: Final = 0x66696E736C6D
"""Of the tables, while they are made: two replicas may start at once."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, owner TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
    expires DOUBLE PRECISION, key_id TEXT NOT NULL, wrapped BYTEA
);
CREATE UNIQUE INDEX IF NOT EXISTS shared ON sessions (tenant) WHERE owner = '' AND wrapped IS NOT NULL;
CREATE INDEX IF NOT EXISTS owners ON sessions (tenant, owner);
CREATE INDEX IF NOT EXISTS expiry ON sessions (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS counters (
    session TEXT NOT NULL, type TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (session, type)
);
CREATE TABLE IF NOT EXISTS entries (
    session TEXT NOT NULL, type TEXT NOT NULL, number INTEGER NOT NULL, tag BYTEA NOT NULL, sealed BYTEA NOT NULL,
    PRIMARY KEY (session, type, number), UNIQUE (session, tag)
);
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, at DOUBLE PRECISION NOT NULL, kind TEXT NOT NULL, tenant TEXT NOT NULL,
    sessions INTEGER NOT NULL, key_id TEXT NOT NULL
);
"""


logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # what it warns of names hosts; errors say the rest


@final
class PostgresVault(StoredVault):
    """See :class:`redaction.vault.stored.StoredVault`.

    Args:
        dsn: libpq connection string.
        keys: wraps the data keys.
        ttl_s: life of a session, seconds.
        clock: seconds since the epoch.
        schema: of the database, made where there is none.
        connections: open ones, at most.

    Raises:
        VaultUnavailable: it cannot be reached, or the tables cannot be made.
    """

    def __init__(
        self,
        dsn: str,
        keys: KeyProvider,
        ttl_s: float,
        clock: Callable[[], float] = time.time,
        *,
        schema: str = "finslm_vault",
        connections: int = 8,
    ) -> None:
        super().__init__(keys, ttl_s, clock)
        if not schema.replace("_", "").isalnum():
            raise ValueError("schema: letters, digits and _ only")
        wait_ms = int(_WAIT_S * 1000)
        self._schema = schema
        options = f"-c search_path={schema} -c statement_timeout={wait_ms} -c lock_timeout={wait_ms}"
        self._pool: ConnectionPool[psycopg.Connection[tuple[Any, ...]]] = ConnectionPool(
            dsn,
            kwargs={"options": options, "connect_timeout": int(_WAIT_S)},
            min_size=1,
            max_size=connections,
            timeout=_WAIT_S,
            open=False,
            check=ConnectionPool.check_connection,
        )
        try:
            self._pool.open(wait=True, timeout=_WAIT_S)
            with self._transaction(write=True) as work:
                work.run(f"SELECT pg_advisory_xact_lock({_LOCK})")
                work.run(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    work.run(statement)
        except PoolTimeout:
            self._pool.close()
            raise VaultUnavailable("the vault's database cannot be reached: check its address and password") from None
        except VaultUnavailable:
            self._pool.close()
            raise

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Transaction]:  # noqa: ARG002 - it locks by row
        try:
            with self._pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
                yield _Work(cursor)
        except (psycopg.Error, PoolTimeout) as error:
            # Not its message, which may name hosts or quote a row.
            code = getattr(error, "sqlstate", None) or type(error).__name__
            raise VaultUnavailable(f"the vault's database cannot be used: {code}") from None

    def _forgotten(self) -> None:
        """Nothing: its values are unreadable without their key, and vacuum reuses the room."""


@final
class _Work:
    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self._cursor.execute(sql.replace("?", "%s").encode(), parameters)
        return self._cursor.fetchall() if self._cursor.description else []

    def lock(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.run(f"{sql} FOR UPDATE", parameters)

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._cursor.executemany(sql.replace("?", "%s").encode(), rows)
