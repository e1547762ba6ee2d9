"""The tables of a log in PostgreSQL, and what is read from them within one transaction.

Each record is a row of ``entries`` with its bytes and the Merkle nodes that it completes. One row, ``head``, has the
log's public key, its size, the peaks of its tree, the newest checkpoint and where retention has got to. Of a record
that retention took away the row stays, with its nodes and without its bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from finslm.audit import merkle
from finslm.audit.checkpoint import Checkpoint, Verifier
from finslm.audit.query import own_fields
from finslm.audit.scan import Scan, corrupt, size_of_nodes
from finslm.errors import ConfigError

SCHEMA_NAME: Final = "finslm_audit"
WAIT_S: Final = 5.0
"""How long a connection, a lock or a statement is waited for."""

VERSION: Final = "finslm audit log, tables 2"
"""Comment of ``head``; where it is another, the owner's next start brings the tables up."""

Cursor = psycopg.Cursor[tuple[Any, ...]]

TABLES: Final = """
CREATE TABLE IF NOT EXISTS entries (
    index BIGINT PRIMARY KEY, entry BYTEA NOT NULL, nodes BYTEA NOT NULL, request_id TEXT, event TEXT
);
CREATE INDEX IF NOT EXISTS entries_of_a_call ON entries (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_of_an_event ON entries (event, index) WHERE event IS NOT NULL;
CREATE TABLE IF NOT EXISTS head (
    single BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (single), vkey TEXT NOT NULL, size BIGINT NOT NULL,
    peaks BYTEA NOT NULL, checkpoint_size BIGINT NOT NULL, checkpoint TEXT NOT NULL
);
ALTER TABLE head ADD COLUMN IF NOT EXISTS first_kept BIGINT NOT NULL DEFAULT 0;
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE OR REPLACE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.index = OLD.index AND NEW.nodes = OLD.nodes AND NEW.entry = '' AND NEW.request_id IS NULL
       AND NEW.event IS NULL AND OLD.index < (SELECT first_kept FROM {schema}.head) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE OR REPLACE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER only_retention BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION refuse_update();
COMMENT ON TABLE head IS {version};
"""
"""A trigger stops an accident, not the tables' owner; what an owner did shows against the tree."""


def check_dsn(dsn: str) -> None:
    """Before anything logs what libpq says of a connection string, which quotes the words that it does not understand.

    Raises:
        ConfigError: it is none, or empty: libpq would look for a database by itself.
    """
    with suppress(psycopg.ProgrammingError):
        if conninfo_to_dict(dsn):
            return
    raise ConfigError("audit.dsn_file: not a connection string of libpq: key=value pairs, or postgresql://")


def only_row(cursor: Cursor) -> tuple[Any, ...]:
    """The one row of the head, of a query that was just made."""
    rows = cursor.fetchall()
    if not rows:
        raise corrupt(0, "the head is missing")
    return rows[0]


def frontier(size: int, peaks: bytes) -> merkle.Frontier:
    """The tree as the head has it."""
    step = merkle.HASH_BYTES
    try:
        return merkle.Frontier(size, [bytes(peaks[at : at + step]) for at in range(0, len(peaks), step)])
    except ValueError:
        raise corrupt(size, "the head's peaks do not fit its size") from None


def read_node(cursor: Cursor, position: int) -> bytes:
    """One stored Merkle node: it lies with the leaf that completed it.

    Raises:
        AuditCorrupt: it is not there.
    """
    index = size_of_nodes(position)
    start = (position - merkle.node_count(index)) * merkle.HASH_BYTES
    rows = cursor.execute(
        "SELECT substring(nodes FROM %s FOR %s) FROM entries WHERE index = %s", (start + 1, merkle.HASH_BYTES, index)
    ).fetchall()
    if not rows or len(rows[0][0]) != merkle.HASH_BYTES:
        raise corrupt(index, "its hashes are missing")
    return bytes(rows[0][0])


def verified(verifier: Verifier, note: str) -> Checkpoint:
    """The checkpoint of the head.

    Raises:
        AuditCorrupt: not signed by this key.
    """
    try:
        return verifier.verify(note)
    except ValueError as error:
        raise corrupt(0, f"the checkpoint is not valid ({error})") from None


def scan_rows(cursor: Cursor, verifier: Verifier, visit: Callable[[int, bytes], None] | None = None) -> Scan:
    """Read all of it as of the transaction's beginning and check each row; see :func:`finslm.audit.scan.scan`.

    Raises:
        AuditCorrupt: with the index of the first record that is wrong.
        psycopg.Error: the database cannot be read.
    """
    size, note, first_kept, peaks = only_row(cursor.execute("SELECT size, checkpoint, first_kept, peaks FROM head"))
    state = Scan(verified(verifier, note), durable=size, skipped=first_kept, strict=True)
    state.match_root()
    cursor.execute(
        "DECLARE rows NO SCROLL CURSOR FOR SELECT index, entry, nodes, request_id, event FROM entries ORDER BY index"
    )
    while rows := cursor.execute("FETCH 2000 FROM rows").fetchall():
        for index, entry, nodes, *found_by in rows:
            if index != state.size:
                raise corrupt(state.size, "missing")
            gone = index < first_kept
            state.take(nodes[: merkle.HASH_BYTES] if gone else merkle.leaf_hash(entry), _only(nodes))
            if not gone:
                _match_columns(index, entry, *found_by)
                if visit is not None:
                    visit(index, entry)
    cursor.execute("CLOSE rows")
    if state.size != size or size < state.checkpoint.size:
        raise corrupt(min(state.size, size), "missing at the end, or more than the head counts")
    if b"".join(state.frontier.peaks) != peaks:
        raise corrupt(size, "the head's peaks are not those of the records: what is appended next would not fit")
    return state


def _match_columns(index: int, entry: bytes, request_id: str | None, event: str | None) -> None:
    """What a record is found by must be what stands in it."""
    fields = own_fields(entry)
    for name, value in (("request_id", request_id), ("event", event)):
        key = f'"{name}":"'
        fits = key.encode() not in fields if value is None else f'{key}{value}"'.encode() in fields
        if not fits:
            raise corrupt(index, f"its column {name} is not what stands in it: who searches would not find it")


def _only(nodes: bytes) -> Callable[[int], bytes]:
    """The stored nodes of one record, asked for once."""
    return lambda _: nodes
