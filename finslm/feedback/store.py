"""Where corrections live: one SQLite file, sealed, per tenant, appended to and erased from, never changed."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, final

from finslm import errors
from finslm.config import FeedbackSettings
from finslm.errors import ConfigError, FeedbackFull, FeedbackUnavailable, FieldViolation, InvalidRequest, QuotaExceeded
from finslm.feedback.record import Feedback, NewFeedback
from redaction.errors import KeyDestroyed, VaultTampered, VaultUnavailable
from redaction.keys import KeyProvider
from redaction.vault import EVERYBODY, Owner
from redaction.vault.envelope import Envelope

FILE: Final = "feedback.sqlite"
TENANT: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What the audit log takes for a tenant's name."""
DAY_S: Final = 24 * 3600.0

_WAIT_MS: Final = 5000
"""How long a writer waits for another process's."""
_PAGE: Final = 500
"""Rows that are read at once."""
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, principal TEXT NOT NULL,
    request TEXT NOT NULL, at REAL NOT NULL, subject BLOB, facts TEXT NOT NULL, sealed BLOB NOT NULL,
    UNIQUE (tenant, principal, request)
) STRICT;
CREATE INDEX IF NOT EXISTS days ON records (tenant, principal, at);
CREATE INDEX IF NOT EXISTS ages ON records (at);
CREATE INDEX IF NOT EXISTS subjects ON records (tenant, subject) WHERE subject IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS appended BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'never changed'); END;
CREATE TABLE IF NOT EXISTS tenants (tenant TEXT PRIMARY KEY, records INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, tenant TEXT NOT NULL, records INTEGER NOT NULL
) STRICT;
"""


class FeedbackEvent(NamedTuple):
    """Something that was done with the store, kept in it until it is on record.

    Args:
        id: UUID4; one that is read twice is the same event.
        kind: ``ERASED`` on demand, ``EXPIRED``, ``EXPORTED`` in the clear, or ``BUILT`` into a training set.
    """

    id: str
    kind: str
    tenant: str
    records: int


class Holding(NamedTuple):
    """What a tenant has here; ``bytes`` of sealed texts."""

    records: int
    bytes: int


@final
class FeedbackStore:
    """Keeps corrections. Safe to share among threads; several processes may share the folder.

    Texts are sealed with AES-256-GCM under a key of the tenant's, derived from the master keys; what is known of a
    record is authenticated with them, so that a label that somebody changes in the file is told when it is read.

    Args:
        settings: folder and limits.
        keys: what the tenants' keys come from.
        clock: seconds since the epoch.

    Raises:
        ConfigError: no folder is set, it cannot be used, or another version has made the file.
    """

    def __init__(self, settings: FeedbackSettings, keys: KeyProvider, clock: Callable[[], float] = time.time) -> None:
        if settings.dir is None:
            raise ConfigError("feedback.dir is not set: no feedback is kept; set it to a folder")
        self._settings, self._keys, self._clock = settings, keys, clock
        self._lock = threading.Lock()
        self._envelopes: dict[str, Envelope] = {}
        file = settings.dir / FILE
        try:
            settings.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                file, timeout=_WAIT_MS / 1000, check_same_thread=False, isolation_level=None
            )
            self._prepare(file)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"feedback.dir {settings.dir}: it cannot be used: {type(error).__name__}") from None

    def add(self, new: NewFeedback) -> str:
        """Keep a correction; return its id. It is on the disk then.

        Raises:
            FeedbackFull: the tenant has as much as it may.
            QuotaExceeded: the principal has added as many in 24 hours as it may.
            InvalidRequest: the same request id came with something else.
            errors.VaultTampered: what that request has kept was changed.
            FeedbackUnavailable: the file cannot be written, its disk is full, or the keys cannot be reached.
        """
        envelope, now = self._envelope(new.tenant), self._clock()
        subject = envelope.tag("subject", new.subject) if new.subject else None
        with self._transaction(write=True) as run:
            if known := run(
                "SELECT subject, id, at, facts, sealed FROM records WHERE tenant = ? AND principal = ? AND request = ?",
                (new.tenant, new.principal, new.request_id),
            ):
                return self._same(known[0], new, subject, envelope)
            made = str(uuid.uuid4())
            sealed = envelope.seal(made, _digest(made, now, new.facts), new.texts)
            self._check_room(run, new, now, len(sealed))
            run(
                "INSERT INTO records (id, tenant, principal, request, at, subject, facts, sealed) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (made, new.tenant, new.principal, new.request_id, now, subject, new.facts, sealed),
            )
            run(
                "INSERT INTO tenants (tenant, records, bytes) VALUES (?, 1, ?) ON CONFLICT (tenant) DO UPDATE SET "
                "records = records + 1, bytes = bytes + excluded.bytes",
                (new.tenant, len(sealed)),
            )
        return made

    def read(self, tenant: str = "", task: str = "") -> Iterator[Feedback]:
        """Open every record, the oldest first, of one tenant or task or of all.

        Raises:
            errors.VaultTampered: a record is not what was kept; the message has its id.
            FeedbackUnavailable: the file or the keys cannot be used.
        """
        last = 0
        while True:
            with self._transaction(write=False) as run:
                rows = run(
                    "SELECT number, id, at, facts, sealed, tenant FROM records WHERE number > ? AND ? IN ('', tenant) "
                    "ORDER BY number LIMIT ?",
                    (last, tenant, _PAGE),
                )
            if not rows:
                return
            last = rows[-1][0]
            for _, *row, owner in rows:
                found = _opened(row, self._envelope(owner))
                if task in ("", found.said.task):
                    yield found

    def erase(
        self, tenant: str, *, ids: Sequence[str] = (), subject: str = "", principal: str = "", everything: bool = False
    ) -> int:
        """Erase a tenant's records by id, by the subject they are about, by who sent them, or all; return how many.

        Raises:
            FeedbackUnavailable: the file or the keys cannot be used.
        """
        if everything:
            gone = self._erase(tenant, "ERASED", "tenant = ?", (tenant,))
            self._cut_log()
            return gone
        gone = sum(self._erase(tenant, "ERASED", "tenant = ? AND id = ?", (tenant, each)) for each in ids)
        if subject:
            tag = self._envelope(tenant).tag("subject", subject)
            gone += self._erase(tenant, "ERASED", "tenant = ? AND subject = ?", (tenant, tag))
        if principal:
            gone += self._erase(tenant, "ERASED", "tenant = ? AND principal = ?", (tenant, principal))
        self._cut_log()  # also where nothing was found: an earlier call may have erased it and failed here
        return gone

    def sweep(self) -> int:
        """Erase what is older than it may be; return how many records that were.

        Raises:
            FeedbackUnavailable: the file cannot be used.
        """
        before = self._clock() - self._settings.retention_days * DAY_S
        with self._transaction(write=False) as run:
            old = Counter(tenant for (tenant,) in run("SELECT tenant FROM records WHERE at <= ?", (before,)))
        gone = sum(self._erase(each, "EXPIRED", "tenant = ? AND at <= ?", (each, before)) for each in old)
        self._cut_log()  # whatever an erasure could not cut
        return gone

    def note(self, kind: str, tenant: str, records: int) -> None:
        """Keep an event, for the service to put on record.

        Raises:
            FeedbackUnavailable: the file cannot be written: what is to be noted must not be done.
            ConfigError: no tenant is called so.
        """
        if not TENANT.fullmatch(tenant):
            raise ConfigError(f"no tenant is called {tenant[:64]!r}: a-z, 0-9, '.', '_' and '-', at most 64 characters")
        with self._transaction(write=True) as run:
            _note(run, kind, self._clock(), tenant, records)

    def events(self, limit: int = 100) -> list[FeedbackEvent]:
        """Return what was done and not yet told of, oldest first."""
        with self._transaction(write=False) as run:
            rows = run("SELECT id, kind, tenant, records FROM events ORDER BY at, rowid LIMIT ?", (limit,))
        return [FeedbackEvent(*row) for row in rows]

    def told(self, events: Sequence[FeedbackEvent]) -> None:
        """Forget events: they are on record."""
        with self._transaction(write=True) as run:
            for event in events:
                run("DELETE FROM events WHERE id = ?", (event.id,))

    def holds(self) -> dict[str, Holding]:
        """Return tenant → what it has here."""
        with self._transaction(write=False) as run:
            return {
                tenant: Holding(*row) for tenant, *row in run("SELECT tenant, records, bytes FROM tenants ORDER BY 1")
            }

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _prepare(self, file: Path) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "cell_size_check = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise ConfigError(f"{file}: a store of version {version}, this program writes {_VERSION}")
        self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")

    def _check_room(self, run: _Run, new: NewFeedback, now: float, size: int) -> None:
        limits = self._settings
        ((records, used),) = run("SELECT records, bytes FROM tenants WHERE tenant = ?", (new.tenant,)) or ((0, 0),)
        if records >= limits.max_records or used + size > limits.max_mib << 20:
            raise FeedbackFull(
                f"the tenant has {records} records of {used} bytes, limits {limits.max_records} and {limits.max_mib} "
                "MiB: have some erased, or the limits raised"
            )
        lately = run(
            "SELECT at FROM records WHERE tenant = ? AND principal = ? AND at > ? ORDER BY at",
            (new.tenant, new.principal, now - DAY_S),
        )
        if len(lately) >= limits.max_a_day:
            raise QuotaExceeded(
                f"{len(lately)} records of this caller in 24 hours, limit {limits.max_a_day}",
                retry_after_s=lately[len(lately) - limits.max_a_day][0] + DAY_S - now,
            )

    @staticmethod
    def _same(row: Sequence[Any], new: NewFeedback, subject: bytes | None, envelope: Envelope) -> str:
        """The record of a call that was sent again."""
        kept = _opened(row[1:], envelope)
        if kept.said.claim != new.claim or row[0] != subject:
            rule = "was used for other feedback: give each its own"
            raise InvalidRequest(f"request_id {rule}", FieldViolation("request_id", rule))
        return kept.id

    def _erase(self, tenant: str, kind: str, which: str, parameters: Sequence[Any]) -> int:
        with self._transaction(write=True) as run:
            gone = run(f"DELETE FROM records WHERE {which} RETURNING length(sealed)", parameters)  # noqa: S608 - ours
            if gone:
                _note(run, kind, self._clock(), tenant, len(gone))
                run(
                    "UPDATE tenants SET records = records - ?, bytes = bytes - ? WHERE tenant = ?",
                    (len(gone), sum(size for (size,) in gone), tenant),
                )
        return len(gone)

    def _cut_log(self) -> None:
        """Write SQLite's log back and cut it, so that what was deleted is overwritten there too."""
        with self._lock, _told():
            ((busy, _, _),) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise FeedbackUnavailable(
                "erased, but another process reads the store of feedback, and its log still holds what was erased: "
                "do this again, or let the service's next sweep do it"
            )

    def _envelope(self, tenant: str) -> Envelope:
        with self._lock, _told():
            if tenant not in self._envelopes:
                key = self._keys.derive(tenant, "feedback 1")
                self._envelopes[tenant] = Envelope(key, Owner(tenant, EVERYBODY), "feedback")
            return self._envelopes[tenant]

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[_Run]:
        with self._lock, _told():
            self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield lambda sql, parameters=(): self._connection.execute(sql, parameters).fetchall()
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


_Run = Callable[..., list[tuple[Any, ...]]]
"""Runs a statement with parameters; returns its rows."""


@contextmanager
def _told() -> Iterator[None]:
    """Say what went wrong in the words of :mod:`finslm.errors`; never a statement, which may quote a row."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise FeedbackUnavailable(f"the store of feedback cannot be used ({name}): nothing was kept") from None
    except (VaultUnavailable, KeyDestroyed):
        raise FeedbackUnavailable("the keeper of the keys cannot be reached: nothing was kept") from None


def _note(run: _Run, kind: str, at: float, tenant: str, records: int) -> None:
    run(
        "INSERT INTO events (id, at, kind, tenant, records) VALUES (?, ?, ?, ?, ?)",
        (str(uuid.uuid4()), at, kind, tenant, records),
    )


def _opened(row: Sequence[Any], envelope: Envelope) -> Feedback:
    id_, at, facts, sealed = row
    try:
        texts = envelope.open(id_, _digest(id_, at, facts), bytes(sealed))
    except VaultTampered:
        raise errors.VaultTampered(f"feedback {id_} is not what was kept, or was sealed with another key") from None
    return Feedback(id_, at, NewFeedback.read(facts, texts))


def _digest(id_: str, at: float, facts: str) -> bytes:
    return hashlib.sha256(f"{id_}\0{at!r}\0{facts}".encode()).digest()
