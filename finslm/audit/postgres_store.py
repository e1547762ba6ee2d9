"""The log in PostgreSQL: one ordered sequence without gaps, appended to by any number of replicas.

The only file of the audit log that imports psycopg. Each record is a row with its bytes and the Merkle nodes
that it completes; one row, the head, has the size, the peaks of the tree and the newest checkpoint. Who appends
locks the head, so that indexes follow one another and a transaction that fails leaves no gap. The time of a record
is the database's, read under that lock: replicas whose clocks differ make no disorder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from finslm.audit import merkle
from finslm.audit.checkpoint import Signer
from finslm.audit.records import Record, utc_stamp
from finslm.audit.scan import Scan, corrupt, size_of_nodes
from finslm.audit.store import Head, Placed, Recovery
from finslm.errors import AuditUnavailable, ConfigError

_WAIT_S: Final = 5.0
"""How long an append waits for a connection, a lock or a statement."""

_LOCK: Final = 0x66696E61756474
"""Of the tables, while they are made: two replicas may start at once."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    index BIGINT PRIMARY KEY, entry BYTEA NOT NULL, nodes BYTEA NOT NULL, request_id TEXT, event TEXT
);
CREATE INDEX IF NOT EXISTS entries_of_a_call ON entries (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_of_an_event ON entries (event, index) WHERE event IS NOT NULL;
CREATE TABLE IF NOT EXISTS head (
    single BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (single), vkey TEXT NOT NULL, size BIGINT NOT NULL,
    peaks BYTEA NOT NULL, checkpoint_size BIGINT NOT NULL, checkpoint TEXT NOT NULL
);
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

_Rows = list[tuple[Any, ...]]


@final
class PostgresStore:
    """A log in a schema of a database.

    Args:
        dsn: libpq connection string.
        signer: the log's key; all replicas have the same one.
        schema: made where there is none.
        connections: open ones, at most.

    Raises:
        AuditUnavailable: the database cannot be reached, or the tables cannot be made.
        AuditCorrupt: the head does not match the nodes, or the checkpoint.
        ConfigError: the log there is signed with another key, or ``dsn`` is no connection string.
    """

    first_kept: Final = 0
    """All records are there."""
    short: Final = False
    """Its disk is the database's."""
    recovery = Recovery()
    """Nothing: the database keeps what was committed and nothing else."""

    def __init__(self, dsn: str, signer: Signer, *, schema: str = "finslm_audit", connections: int = 4) -> None:
        if not schema.replace("_", "").isalnum():
            raise ConfigError("audit.schema: letters, digits and _ only")
        _check_dsn(dsn)
        self._signer = signer
        wait_ms = int(_WAIT_S * 1000)
        # A group is acknowledged when it is on disk, whatever the database is set to for others.
        options = (
            f"-c search_path={schema} -c statement_timeout={wait_ms} -c lock_timeout={wait_ms} -c synchronous_commit=on"
        )
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
            self._make_tables(schema)
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
            size, peaks = _head(cursor.execute("SELECT size, peaks FROM head").fetchall())
        return Head(size, _frontier(size, peaks).root())

    def append(self, records: Sequence[Record]) -> Sequence[Placed]:
        """One transaction for all of them, under the lock of the head."""
        with self._transaction() as cursor:
            size, peaks, now = _head(
                cursor.execute("SELECT size, peaks, clock_timestamp() FROM head FOR UPDATE").fetchall()
            )
            frontier, stamp, placed = _frontier(size, peaks), utc_stamp(now), list[Placed]()
            with cursor.copy(
                "COPY entries (index, entry, nodes, request_id, event) FROM STDIN (FORMAT BINARY)"
            ) as copy:
                copy.set_types(["int8", "bytea", "bytea", "text", "text"])
                for record in records:
                    entry, path = record.canonical(stamp), frontier.peaks[::-1]
                    new = frontier.append(merkle.leaf_hash(entry))
                    placed.append(Placed(frontier.size - 1, new[0], frontier.root(), path))
                    of = record.request_id or None, record.event or None
                    copy.write_row((frontier.size - 1, entry, b"".join(new), *of))
            cursor.execute("UPDATE head SET size = %s, peaks = %s", (frontier.size, b"".join(frontier.peaks)))
        return placed

    def read(self, index: int) -> bytes:
        """Read one record and hold it against its leaf hash."""
        return self.read_range(index, index + 1)[0]

    def read_range(self, start: int, end: int) -> Sequence[bytes]:
        """Read records that follow one another, and hold each against its leaf hash."""
        query = "SELECT index, entry, nodes FROM entries WHERE index >= %s AND index < %s ORDER BY index"
        with self._transaction() as cursor:
            rows = cursor.execute(query, (start, end)).fetchall()
        for wanted, (index, entry, nodes) in zip(range(start, end), rows, strict=False):
            if index != wanted or merkle.leaf_hash(entry) != nodes[: merkle.HASH_BYTES]:
                raise corrupt(wanted, "is missing, or does not match its hash")
        if len(rows) < end - start:
            raise corrupt(start + len(rows), "missing")
        return [bytes(entry) for _, entry, _ in rows]

    def read_node(self, position: int) -> bytes:
        """Return one stored Merkle node: it lies with the leaf that completed it."""
        index = size_of_nodes(position)
        start = (position - merkle.node_count(index)) * merkle.HASH_BYTES
        with self._transaction() as cursor:
            rows = cursor.execute(
                "SELECT substring(nodes FROM %s FOR %s) FROM entries WHERE index = %s",
                (start + 1, merkle.HASH_BYTES, index),
            ).fetchall()
        if not rows or len(rows[0][0]) != merkle.HASH_BYTES:
            raise corrupt(index, "its hashes are missing")
        return bytes(rows[0][0])

    def find(self, request_id: str, size: int) -> list[int]:
        """By the index on request ids."""
        with self._transaction() as cursor:
            query = "SELECT index FROM entries WHERE request_id = %s AND index < %s ORDER BY index"
            return [row[0] for row in cursor.execute(query, (request_id, size)).fetchall()]

    def find_last(self, event: str, size: int) -> int | None:
        """By the index on events."""
        with self._transaction() as cursor:
            query = "SELECT max(index) FROM entries WHERE event = %s AND index < %s"
            rows: _Rows = cursor.execute(query, (event, size)).fetchall()
        found = rows[0][0]
        return None if found is None else int(found)

    def put_checkpoint(self, head: Head, note: str) -> None:
        """Replace the checkpoint, unless another replica has signed a larger tree meanwhile."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE head SET checkpoint_size = %s, checkpoint = %s WHERE checkpoint_size < %s",
                (head.size, note, head.size),
            )

    def scan(self, visit: Callable[[int, bytes], None] | None = None) -> Scan:
        """Read all of it as of now and check each row against the tree; see :func:`finslm.audit.scan.scan`.

        Raises:
            AuditCorrupt: with the index of the first record that is wrong.
            AuditUnavailable: the database cannot be read.
        """
        with self._transaction(read_all=True) as cursor:
            size, note = _head(cursor.execute("SELECT size, checkpoint FROM head").fetchall())
            state = Scan(self._verified(note), durable=size)
            state.match_root()
            cursor.execute("DECLARE rows NO SCROLL CURSOR FOR SELECT index, entry, nodes FROM entries ORDER BY index")
            while rows := cursor.execute("FETCH 2000 FROM rows").fetchall():
                for index, entry, nodes in rows:
                    if index != state.size:
                        raise corrupt(state.size, "missing")
                    state.take(merkle.leaf_hash(entry), _only(nodes))
                    if visit is not None:
                        visit(index, entry)
        if state.size < max(size, state.checkpoint.size):
            raise corrupt(state.size, "missing at the end")
        return state

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _make_tables(self, schema: str) -> None:
        """Only where there are none: the service's role need own nothing, nor be allowed more than to append."""
        with self._transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            (there,), *_ = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{schema}.head",)).fetchall()
            if there:
                return
            cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
            cursor.execute(_SCHEMA.encode())
            cursor.execute(
                "INSERT INTO head VALUES (TRUE, %s, 0, '', 0, %s) ON CONFLICT DO NOTHING",
                (self._signer.verifier.vkey(), self._signer.sign(0, merkle.EMPTY_ROOT)),
            )

    def _check_head(self) -> None:
        """Whether the head, the nodes and the checkpoint say the same; all records are read by ``audit verify``."""
        with self._transaction(read_all=True) as cursor:  # one moment: others append meanwhile
            vkey, size, peaks, note = _head(cursor.execute("SELECT vkey, size, peaks, checkpoint FROM head").fetchall())
            (last,), *_ = cursor.execute("SELECT coalesce(max(index) + 1, 0) FROM entries").fetchall()
        if vkey != self._signer.verifier.vkey():
            raise ConfigError("audit: the log in the database is signed with another key: give all replicas the same")
        checkpoint = self._verified(note)
        if last != size or checkpoint.size > size:
            raise corrupt(min(last, size), f"the head counts {size} records, and {last} are there")
        if merkle.root(size, self.read_node) != _frontier(size, peaks).root():
            raise corrupt(max(size - 1, 0), "the head does not match the stored hashes")
        if merkle.root(checkpoint.size, self.read_node) != checkpoint.root_hash:
            raise corrupt(0, "the hashes are not those that the signed checkpoint commits to")

    def _verified(self, note: str) -> Any:
        try:
            return self._signer.verifier.verify(note)
        except ValueError as error:
            raise corrupt(0, f"the checkpoint is not valid ({error})") from None

    @contextmanager
    def _transaction(self, *, read_all: bool = False) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
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


def _check_dsn(dsn: str) -> None:
    """Before the pool logs what libpq says of it, which quotes the words that it does not understand."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise ConfigError(
            "audit.dsn_file: not a connection string of libpq: key=value pairs, or postgresql://"
        ) from None


def _head(rows: _Rows) -> tuple[Any, ...]:
    """The one row of the head."""
    if not rows:
        raise corrupt(0, "the head is missing")
    return rows[0]


def _only(nodes: bytes) -> Callable[[int], bytes]:
    """The stored nodes of one record, asked for once."""
    return lambda _: nodes


def _frontier(size: int, peaks: bytes) -> merkle.Frontier:
    step = merkle.HASH_BYTES
    try:
        return merkle.Frontier(size, [bytes(peaks[at : at + step]) for at in range(0, len(peaks), step)])
    except ValueError:
        raise corrupt(size, "the head's peaks do not fit its size") from None
