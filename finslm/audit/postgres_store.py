"""The log in PostgreSQL: one ordered sequence without gaps, appended to by any number of replicas.

Who appends locks the head, so that indexes follow one another and a transaction that fails leaves no gap. The time of a
record is the database's, read under that lock: replicas whose clocks differ make no disorder. The tables are in
:mod:`finslm.audit.postgres_tables`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, final

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout

from finslm.audit import merkle
from finslm.audit.checkpoint import Signer
from finslm.audit.file_store import SEGMENT_RECORDS
from finslm.audit.postgres_tables import (
    SCHEMA_NAME,
    TABLES,
    VERSION,
    WAIT_S,
    Cursor,
    check_dsn,
    frontier,
    only_row,
    read_node,
    scan_rows,
    verified,
)
from finslm.audit.records import Record, utc_stamp
from finslm.audit.scan import Scan, corrupt
from finslm.audit.store import Head, Placed, Recovery
from finslm.errors import AuditUnavailable, ConfigError, UnknownRecord

DROP_RECORDS: Final = 4096
"""Records that retention takes away while it holds the head's lock."""

_LOCK: Final = 0x66696E61756474
"""Of the tables, while they are made: two replicas may start at once."""


logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # what it warns of names hosts; errors say the rest


@final
class PostgresStore:
    """A log in a schema of a database.

    Args:
        dsn: libpq connection string.
        signer: the log's key; all replicas have the same one.
        schema: made where there is none.
        connections: open ones, at most.
        segment_records: retention cuts the log at multiples of it.
        create: begin a log where there is none.

    Raises:
        AuditUnavailable: the database cannot be reached, or the tables cannot be made.
        AuditCorrupt: the head does not match the nodes, or the checkpoint.
        ConfigError: the log there is signed with another key, there is none and none is to be made, or ``dsn`` is no
            connection string.
    """

    short: Final = False
    """Its disk is the database's."""
    recovery = Recovery()
    """Nothing: the database keeps what was committed and nothing else."""

    def __init__(
        self,
        dsn: str,
        signer: Signer,
        *,
        schema: str = SCHEMA_NAME,
        connections: int = 4,
        segment_records: int = SEGMENT_RECORDS,
        create: bool = True,
    ) -> None:
        if not schema.replace("_", "").isalnum():
            raise ConfigError("audit.schema: letters, digits and _ only")
        check_dsn(dsn)
        self._signer, self._segment_records = signer, segment_records
        self._seen: Placed | None = None
        wait_ms = int(WAIT_S * 1000)
        # A group is acknowledged when it is on disk, whatever the database is set to for others.
        options = (
            f"-c search_path={schema} -c statement_timeout={wait_ms} -c lock_timeout={wait_ms} -c synchronous_commit=on"
        )
        self._pool: ConnectionPool[psycopg.Connection[tuple[Any, ...]]] = ConnectionPool(
            dsn,
            kwargs={"options": options, "connect_timeout": int(WAIT_S)},
            min_size=1,
            max_size=connections,
            timeout=WAIT_S,
            open=False,
            check=ConnectionPool.check_connection,
        )
        try:
            self._pool.open(wait=True, timeout=WAIT_S)
            self._make_tables(schema, create=create)
            self._check_head()
        except PoolTimeout:
            self._pool.close()
            raise AuditUnavailable("the audit log's database cannot be reached: check its address") from None
        except BaseException:
            self._pool.close()
            raise

    def head(self) -> Head:
        """Return the tree of all committed records."""
        with self._transaction() as cursor:
            size, peaks = only_row(cursor.execute("SELECT size, peaks FROM head"))
        return Head(size, frontier(size, peaks).root())

    def append(self, records: Sequence[Record]) -> Sequence[Placed]:
        """One transaction for all of them, under the lock of the head."""
        with self._transaction() as cursor:
            placed = self._append(cursor, records)
        return self._acknowledged(placed)

    def _acknowledged(self, placed: Sequence[Placed]) -> Sequence[Placed]:
        """Committed: from now on it must be there."""
        if placed:
            self._seen = placed[-1]
        return placed

    def append_unless(self, records: Sequence[Record], since: int, events: Collection[str]) -> Sequence[Placed]:
        """Under the lock of the head, nothing comes between the look and the append."""
        with self._transaction() as cursor:
            cursor.execute("SELECT FROM head FOR UPDATE")
            query = "SELECT 1 FROM entries WHERE index >= %s AND event = ANY(%s) LIMIT 1"
            if cursor.execute(query, (since, list(events))).fetchall():
                return []
            placed = self._append(cursor, records)
        return self._acknowledged(placed)

    def _append(self, cursor: Cursor, records: Sequence[Record]) -> Sequence[Placed]:
        size, peaks, vkey, now = only_row(
            cursor.execute("SELECT size, peaks, vkey, clock_timestamp() FROM head FOR UPDATE")
        )
        if vkey != self._signer.verifier.vkey():
            raise AuditUnavailable("the audit log has a new key meanwhile: start this process again with it")
        tree, stamp, placed = frontier(size, peaks), utc_stamp(now), list[Placed]()
        self._check_seen(cursor, size)
        with cursor.copy("COPY entries (index, entry, nodes, request_id, event) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int8", "bytea", "bytea", "text", "text"])
            for record in records:
                entry, path = record.canonical(stamp), tree.peaks[::-1]
                new = tree.append(merkle.leaf_hash(entry))
                placed.append(Placed(tree.size - 1, new[0], tree.root(), path))
                copy.write_row((tree.size - 1, entry, b"".join(new), record.request_id or None, record.event or None))
        cursor.execute("UPDATE head SET size = %s, peaks = %s", (tree.size, b"".join(tree.peaks)))
        return placed

    def _check_seen(self, cursor: Cursor, size: int) -> None:
        """What this process was told is durable must still be there: a database that was set back must not go on."""
        if (seen := self._seen) is None:
            return
        row = cursor.execute("SELECT substring(nodes FOR 32) FROM entries WHERE index = %s", (seen.index,)).fetchall()
        if size <= seen.index or not row or bytes(row[0][0]) != seen.leaf_hash:
            raise corrupt(seen.index, "the database was set back behind records that were acknowledged")

    def change_key(self, event: Record, new: Signer, sign: Callable[[Placed], str]) -> None:
        """End the log under this key with ``event``, and let ``new`` sign from there; in one transaction.

        Args:
            sign: gives the checkpoint of the tree that ends with the event, with the signatures of both keys.

        Raises:
            AuditUnavailable: it did not happen.
        """
        with self._transaction() as cursor:
            (placed,) = self._append(cursor, [event])
            cursor.execute(
                "UPDATE head SET vkey = %s, checkpoint_size = %s, checkpoint = %s",
                (new.verifier.vkey(), placed.index + 1, sign(placed)),
            )

    @property
    def first_kept(self) -> int:
        """Index of the first record that is still there."""
        with self._transaction() as cursor:
            return int(only_row(cursor.execute("SELECT first_kept FROM head"))[0])

    @property
    def boundaries(self) -> Sequence[int]:
        """Where the log begins, and the multiples of ``segment_records`` behind it."""
        with self._transaction() as cursor:
            size, first = only_row(cursor.execute("SELECT size, first_kept FROM head"))
        step = self._segment_records
        return [first, *range(first - first % step + step, size + 1, step)]

    @property
    def may_drop(self) -> bool:
        """Whether the role may empty rows: one that serves need not."""
        with self._transaction() as cursor:
            return bool(only_row(cursor.execute("SELECT has_table_privilege('entries', 'UPDATE')"))[0])

    def drop(self, until: int) -> bool:
        """Empty the next rows, and say so in the head, in one transaction."""
        with self._transaction() as cursor:
            (first,) = only_row(cursor.execute("SELECT first_kept FROM head FOR UPDATE"))
            end: int = min(first + DROP_RECORDS, until)
            if end > first:
                cursor.execute("UPDATE head SET first_kept = %s", (end,))
                cursor.execute(
                    "UPDATE entries SET entry = '', request_id = NULL, event = NULL WHERE index >= %s AND index < %s",
                    (first, end),
                )
        return end < until

    def read(self, index: int) -> bytes:
        """Read one record and hold it against its leaf hash."""
        return self.read_range(index, index + 1)[0]

    def read_range(self, start: int, end: int) -> Sequence[bytes]:
        """Read records that follow one another, and hold each against its leaf hash."""
        query = "SELECT index, entry, nodes FROM entries WHERE index >= %s AND index < %s ORDER BY index"
        with self._transaction() as cursor:
            rows = cursor.execute(query, (start, end)).fetchall()
        for wanted, (index, entry, nodes) in zip(range(start, end), rows, strict=False):
            if not entry and wanted < (first := self.first_kept):
                raise UnknownRecord(
                    f"record {wanted} is gone: retention took the first {first} away; their hashes stay"
                )
            if index != wanted or merkle.leaf_hash(entry) != nodes[: merkle.HASH_BYTES]:
                raise corrupt(wanted, "is missing, or does not match its hash")
        if len(rows) < end - start:
            raise corrupt(start + len(rows), "missing")
        return [bytes(entry) for _, entry, _ in rows]

    def read_node(self, position: int) -> bytes:
        """Return one stored Merkle node: it lies with the leaf that completed it."""
        with self._transaction() as cursor:
            return read_node(cursor, position)

    def find(self, request_id: str, size: int) -> list[int]:
        """By the index on request ids."""
        with self._transaction() as cursor:
            query = "SELECT index FROM entries WHERE request_id = %s AND index < %s ORDER BY index"
            return [row[0] for row in cursor.execute(query, (request_id, size)).fetchall()]

    def find_last(self, event: str, size: int) -> int | None:
        """By the index on events."""
        with self._transaction() as cursor:
            query = "SELECT max(index) FROM entries WHERE event = %s AND index < %s"
            (found,) = only_row(cursor.execute(query, (event, size)))
        return None if found is None else int(found)

    def checkpoint(self) -> str:
        """Return the newest checkpoint."""
        with self._transaction() as cursor:
            return str(only_row(cursor.execute("SELECT checkpoint FROM head"))[0])

    def put_checkpoint(self, head: Head, note: str) -> None:
        """Replace the checkpoint, unless another replica has signed a larger tree, or with a newer key."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE head SET checkpoint_size = %s, checkpoint = %s WHERE checkpoint_size < %s AND vkey = %s",
                (head.size, note, head.size, self._signer.verifier.vkey()),
            )

    def scan(self, visit: Callable[[int, bytes], None] | None = None) -> Scan:
        """Read all of it as of now and check each row against the tree; see :func:`finslm.audit.scan.scan`.

        Raises:
            AuditCorrupt: with the index of the first record that is wrong.
            AuditUnavailable: the database cannot be read.
        """
        with self._transaction(read_all=True) as cursor:
            return scan_rows(cursor, self._signer.verifier, visit)

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _make_tables(self, schema: str, *, create: bool) -> None:
        """Only where there are none, or older ones: the service's role need own nothing, nor do more than append."""
        with self._transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            head, note = only_row(
                cursor.execute(
                    "SELECT to_regclass(%(head)s)::oid, obj_description(to_regclass(%(head)s), 'pg_class')",
                    {"head": f"{schema}.head"},
                )
            )
            if note == VERSION:
                return
            if head is None and not create:
                raise ConfigError("audit: there is no log in this database: check the connection string")
            cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
            cursor.execute(sql.SQL(TABLES).format(schema=sql.Identifier(schema), version=sql.Literal(VERSION)))
            cursor.execute(
                "INSERT INTO head VALUES (TRUE, %s, 0, '', 0, %s) ON CONFLICT DO NOTHING",
                (self._signer.verifier.vkey(), self._signer.sign(0, merkle.EMPTY_ROOT)),
            )

    def _check_head(self) -> None:
        """Whether the head, the nodes and the checkpoint say the same; all records are read by ``audit verify``."""
        with self._transaction(read_all=True) as cursor:  # one moment: others append meanwhile
            vkey, size, peaks, note = only_row(cursor.execute("SELECT vkey, size, peaks, checkpoint FROM head"))
            (last,), *_ = cursor.execute("SELECT coalesce(max(index) + 1, 0) FROM entries").fetchall()
        if vkey != self._signer.verifier.vkey():
            raise ConfigError("audit: the log in the database is signed with another key: give all replicas the same")
        checkpoint = verified(self._signer.verifier, note)
        if last != size or checkpoint.size > size:
            raise corrupt(min(last, size), f"the head counts {size} records, and {last} are there")
        if merkle.root(size, self.read_node) != frontier(size, peaks).root():
            raise corrupt(max(size - 1, 0), "the head does not match the stored hashes")
        if merkle.root(checkpoint.size, self.read_node) != checkpoint.root_hash:
            raise corrupt(0, "the hashes are not those that the signed checkpoint commits to")

    @contextmanager
    def _transaction(self, *, read_all: bool = False) -> Iterator[Cursor]:
        """A transaction; ``read_all``: one snapshot for as long as it takes."""
        try:
            with self._pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
                if read_all:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    cursor.execute("SET LOCAL statement_timeout = 0")
                yield cursor
        except (psycopg.Error, PoolTimeout) as error:
            # Not its message, which may name hosts or quote a row.
            code = getattr(error, "sqlstate", None) or type(error).__name__
            raise AuditUnavailable(f"the audit log's database cannot be used: {code}") from None
