"""Which calls were about a person: kept outside the log, under a key for each person, so that it can be erased.

The log itself has only a commitment (field ``subjects`` of an OUTCOME): SHA-256 over the sorted commitments of the
sightings, each SHA-256 over a tag, 32 random bytes of salt and the subject's token. A token is a keyed hash that the
caller of this module makes; values never come here. The salt lies here, sealed with the subject's own data key, which
the tenant's master key wraps. To erase a subject is to destroy that key and the rows: the log, its proofs and its
checkpoints stay as they are, and nothing in them can be brought back to the person (EDPB guidelines 02/2025 on what
must lie off an append-only log).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from finslm.errors import AuditUnavailable
from redaction.errors import RedactionError
from redaction.keys import KeyProvider, Wrapped

TOKEN_BYTES: Final = 32
_SALT_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG: Final = b"finslm subject 1"
_WAIT_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS subjects (
    token BLOB NOT NULL, tenant TEXT NOT NULL, key_id TEXT NOT NULL, wrapped BLOB NOT NULL, since REAL NOT NULL,
    PRIMARY KEY (tenant, token)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sightings (
    tenant TEXT NOT NULL, token BLOB NOT NULL, subjects TEXT NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (tenant, token, subjects)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sightings_of_a_call ON sightings (subjects);
CREATE TABLE IF NOT EXISTS calls (
    subjects TEXT PRIMARY KEY, request_id TEXT NOT NULL, commitments BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""


@final
@dataclass(frozen=True, slots=True)
class Sighting:
    """That a call was about a subject, and what proves it against the call's OUTCOME record."""

    request_id: str
    salt: bytes
    commitments: tuple[bytes, ...]
    """Of all subjects of the call, sorted; SHA-256 over them is the record's ``subjects``."""

    def proves(self, token: bytes, subjects: str) -> bool:
        """Whether the record's commitment covers this subject.

        Args:
            subjects: the field of the OUTCOME record.
        """
        return commit(token, self.salt) in self.commitments and over(self.commitments) == subjects


def commit(token: bytes, salt: bytes) -> bytes:
    """The commitment of one sighting."""
    return hashlib.sha256(_TAG + salt + token).digest()


def over(commitments: Sequence[bytes]) -> str:
    """What an OUTCOME record has, hex."""
    return hashlib.sha256(b"".join(commitments)).hexdigest()


@final
class SubjectStore:
    """A SQLite file. Safe to share among threads, and among processes of one host.

    Args:
        file: made, with its folder, readable by its owner alone, where there is none.
        keys: wraps each subject's data key.

    Raises:
        AuditUnavailable: it cannot be opened.
    """

    def __init__(self, file: Path, keys: KeyProvider) -> None:
        self._keys, self._lock = keys, threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(file, timeout=_WAIT_S, check_same_thread=False, isolation_level=None)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise AuditUnavailable(f"audit.subjects_file {file} cannot be opened: {type(error).__name__}") from None

    def note(self, tenant: str, request_id: str, tokens: Sequence[bytes]) -> str:
        """Keep that a call was about these subjects; return the commitment for its record. Durable on return.

        Raises:
            AuditUnavailable: it cannot be kept; the call must not go on.
        """
        if not tokens:
            return ""
        if any(len(token) != TOKEN_BYTES for token in tokens):
            raise ValueError(f"a token has {TOKEN_BYTES} bytes")
        salts = {token: secrets.token_bytes(_SALT_BYTES) for token in tokens}
        commitments = sorted(commit(token, salt) for token, salt in salts.items())
        subjects = over(commitments)
        with self._transaction() as cursor:
            for token, salt in sorted(salts.items()):
                key = self._data_key(cursor, tenant, token) or self._new_subject(cursor, tenant, token)
                row = (tenant, token, subjects, _seal(key, salt, request_id))
                cursor.execute("INSERT INTO sightings VALUES (?, ?, ?, ?)", row)
            cursor.execute("INSERT INTO calls VALUES (?, ?, ?)", (subjects, request_id, b"".join(commitments)))
        return subjects

    def sightings(self, tenant: str, token: bytes) -> list[Sighting]:
        """The calls that were about a subject; none when there are none, or it was erased.

        Raises:
            AuditUnavailable: the store or the keeper of the keys cannot be used, or a row was changed.
        """
        with self._transaction() as cursor:
            key = self._data_key(cursor, tenant, token)
            rows = cursor.execute(
                "SELECT request_id, sealed, commitments FROM sightings JOIN calls USING (subjects) "
                "WHERE tenant = ? AND token = ? ORDER BY request_id",
                (tenant, token),
            ).fetchall()
        if key is None:
            return []
        return [Sighting(call, _open(key, sealed, call), _split(each_of)) for call, sealed, each_of in rows]

    def erase(self, tenant: str, token: bytes) -> int:
        """Destroy a subject's key and rows; return in how many calls it had been seen. :meth:`forget` follows.

        Raises:
            AuditUnavailable: the store cannot be used, and nothing was erased.
        """
        with self._transaction() as cursor:
            seen = cursor.execute(
                "DELETE FROM sightings WHERE tenant = ? AND token = ? RETURNING subjects", (tenant, token)
            ).fetchall()
            cursor.execute("DELETE FROM subjects WHERE tenant = ? AND token = ?", (tenant, token))
            cursor.executemany(
                "DELETE FROM calls WHERE subjects = ?1 AND NOT EXISTS (SELECT 1 FROM sightings WHERE subjects = ?1)",
                seen,
            )
        return len(seen)

    def forget(self) -> None:
        """After erasing: take what was overwritten out of the write-ahead log too.

        Raises:
            AuditUnavailable: others read it; do it again.
        """
        with self._lock:  # what was overwritten must not live on in the write-ahead log
            (busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise AuditUnavailable(
                "erased, but a copy is left in the store's -wal file, which others read: do it again"
            )

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _new_subject(self, cursor: sqlite3.Cursor, tenant: str, token: bytes) -> bytes:
        key = secrets.token_bytes(32)
        wrapped = self._keys.wrap(tenant, key, _TAG + token)
        cursor.execute(
            "INSERT INTO subjects VALUES (?, ?, ?, ?, ?)", (token, tenant, wrapped.key_id, wrapped.blob, time.time())
        )
        return key

    def _data_key(self, cursor: sqlite3.Cursor, tenant: str, token: bytes) -> bytes | None:
        row = cursor.execute(
            "SELECT key_id, wrapped FROM subjects WHERE tenant = ? AND token = ?", (tenant, token)
        ).fetchone()
        return None if row is None else self._keys.unwrap(tenant, Wrapped(*row), _TAG + token)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        try:
            with self._lock:
                cursor = self._connection.cursor()
                cursor.execute("BEGIN IMMEDIATE")
                try:
                    yield cursor
                    cursor.execute("COMMIT")
                except BaseException:
                    cursor.execute("ROLLBACK")
                    raise
        except (sqlite3.Error, RedactionError) as error:
            raise AuditUnavailable(f"the store of data subjects cannot be used: {type(error).__name__}") from None


def _seal(key: bytes, salt: bytes, request_id: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, salt, request_id.encode())


def _open(key: bytes, sealed: bytes, request_id: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], request_id.encode())
    except InvalidTag:
        raise AuditUnavailable("the store of data subjects was changed: a sighting does not open") from None


def _split(commitments: bytes) -> tuple[bytes, ...]:
    return tuple(commitments[at : at + 32] for at in range(0, len(commitments), 32))
