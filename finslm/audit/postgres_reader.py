"""A log in PostgreSQL as who checks it reads it: one moment of it, with no key of the log and no right to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import psycopg

from finslm.audit.checkpoint import Verifier
from finslm.audit.postgres_tables import SCHEMA_NAME, WAIT_S, Cursor, check_dsn, only_row, read_node, scan_rows
from finslm.audit.scan import Scan
from finslm.errors import AuditUnavailable


@final
class PostgresReader:
    """The log as it was when it was opened; made by :func:`open_reader`."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.vkey, self.note = only_row(cursor.execute("SELECT vkey, checkpoint FROM head"))
        """The public key that the database names for itself, and its checkpoint."""

    def scan(self, verifier: Verifier, visit: Callable[[int, bytes], None] | None = None) -> Scan:
        """Read and check all of it; see :func:`finslm.audit.scan.scan`."""
        return scan_rows(self._cursor, verifier, visit)

    def read_node(self, position: int) -> bytes:
        """Return one stored Merkle node."""
        return read_node(self._cursor, position)


@contextmanager
def open_reader(dsn: str, schema: str = SCHEMA_NAME) -> Iterator[PostgresReader]:
    """Connect, and read from one snapshot for as long as it takes.

    Args:
        dsn: libpq connection string; its role needs SELECT on the two tables and nothing else.

    Raises:
        AuditUnavailable: it cannot be reached or read, then or later.
        ConfigError: ``dsn`` is no connection string.
    """
    check_dsn(dsn)
    options = f"-c search_path={schema} -c default_transaction_read_only=on"
    try:
        with psycopg.connect(dsn, options=options, connect_timeout=int(WAIT_S)) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with connection.cursor() as cursor:
                yield PostgresReader(cursor)
    except psycopg.Error as error:
        # Not its message, which may name hosts or quote a row.
        code = error.sqlstate or type(error).__name__
        raise AuditUnavailable(f"the audit log's database cannot be read: {code}") from None
