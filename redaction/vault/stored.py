"""What vaults in a database have in common: the tables, and what is done in one transaction."""

from __future__ import annotations

import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from redaction.errors import KeyDestroyed, SessionNotFound
from redaction.keys import KeyProvider, Wrapped
from redaction.vault.base import EVERYBODY, Owner, VaultEvent
from redaction.vault.envelope import Envelope, bound_to, new_data_key

TOMBSTONE_S: Final = 30 * 24 * 3600.0
"""How long a session that was purged is told from one that never was, seconds."""

_CACHED: Final = 4096
"""Sessions whose data key stays unwrapped in memory."""


class Transaction(Protocol):
    """Statements that are done all or not at all. ``?`` stands for a parameter."""

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement; return its rows."""
        ...

    def lock(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a SELECT whose rows nobody else changes before the end."""
        ...

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row."""
        ...


class Holding(NamedTuple):
    """What a tenant has in the vault."""

    sessions: int
    values: int
    erased: int
    """Sessions that were purged and are still told from those that never were."""


class _Session(NamedTuple):
    envelope: Envelope
    wrapped: bytes


class StoredVault(ABC):
    """A vault in a database; see :class:`redaction.vault.Vault`.

    ``sessions`` has one row for each session, with its wrapped data key: that is null once it was destroyed.
    ``counters`` has the last number of each type of a session, ``entries`` the sealed values, ``events`` what was done
    and is not yet on record.

    Args:
        keys: wraps the data keys.
        ttl_s: life of a session, seconds; a tenant's own stays.
        clock: seconds since the epoch.
    """

    def __init__(self, keys: KeyProvider, ttl_s: float, clock: Callable[[], float] = time.time) -> None:
        if ttl_s <= 0:
            raise ValueError(f"ttl_s {ttl_s} must be positive")
        self._keys, self._ttl_s, self._clock = keys, ttl_s, clock
        self._cache: OrderedDict[str, _Session] = OrderedDict()
        self._cache_lock = threading.Lock()

    @abstractmethod
    def _transaction(self, *, write: bool) -> AbstractContextManager[Transaction]:
        """All or nothing; durable when it ends. What goes wrong in the store is VaultUnavailable."""

    @abstractmethod
    def _forgotten(self) -> None:
        """After values were destroyed: let nothing of them lie about in the store's files."""

    def open(self, owner: Owner) -> str:
        """Make a session; return its id. See :meth:`redaction.vault.Vault.open`."""
        shared = owner.name == EVERYBODY
        with self._transaction(write=True) as work:
            if shared and (found := self._shared(work, owner)):
                return found
            session_id = str(uuid.uuid4())
            wrapped = self._keys.wrap(owner.tenant, new_data_key(), bound_to(owner, session_id))
            expires = None if shared else self._clock() + self._ttl_s
            work.run(
                "INSERT INTO sessions (id, tenant, owner, created, expires, key_id, wrapped) "
                # Another process may have been sooner with the tenant's own.
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (session_id, *owner, self._clock(), expires, wrapped.key_id, wrapped.blob),
            )
            return self._shared(work, owner) or session_id if shared else session_id

    def has(self, owner: Owner, session_id: str) -> bool:
        """Return whether it is a session of the owner's that has not ended."""
        with self._transaction(write=False) as work:
            rows = work.run("SELECT tenant, owner, expires, wrapped FROM sessions WHERE id = ?", (session_id,))
        return any(Owner(row[0], row[1]) == owner and self._lives(row[2]) and row[3] is not None for row in rows)

    def issue(self, owner: Owner, session_id: str, values: Sequence[tuple[str, str]]) -> list[str]:
        """Return a placeholder for each (type, value). See :meth:`redaction.vault.Vault.issue`."""
        if not values:
            return []
        with self._transaction(write=True) as work:
            envelope = self._envelope(work, owner, session_id, lock=True)
            tags = {each: envelope.tag(*each) for each in dict.fromkeys(values)}
            known = self._known(work, session_id, list(tags.values()))
            new = [each for each, tag in tags.items() if tag not in known]
            numbers = self._counted(work, session_id, {type_ for type_, _ in new}) if new else {}
            rows = []
            for type_, value in new:
                numbers[type_] = number = numbers.get(type_, 0) + 1
                placeholder = f"<{type_}_{number}>"
                tag = tags[type_, value]
                known[tag] = placeholder
                rows.append((session_id, type_, number, tag, envelope.seal(placeholder, tag, value)))
            if rows:
                work.many("INSERT INTO entries (session, type, number, tag, sealed) VALUES (?, ?, ?, ?, ?)", rows)
                work.many(
                    "INSERT INTO counters (session, type, number) VALUES (?, ?, ?) "
                    "ON CONFLICT (session, type) DO UPDATE SET number = excluded.number",
                    [(session_id, type_, number) for type_, number in numbers.items()],
                )
            return [known[tags[each]] for each in values]

    def get(self, owner: Owner, session_id: str, placeholders: Collection[str] | None = None) -> Mapping[str, str]:
        """Return placeholder → value, of all or of those asked for. See :meth:`redaction.vault.Vault.get`."""
        with self._transaction(write=False) as work:
            envelope = self._envelope(work, owner, session_id)
            asked = None if placeholders is None else [*filter(None, map(_parts, placeholders))]
            rows = list(self._entries(work, session_id, asked))
        named = ((f"<{type_}_{number}>", bytes(tag), bytes(sealed)) for type_, number, tag, sealed in rows)
        return MappingProxyType({name: envelope.open(name, tag, sealed) for name, tag, sealed in named})

    def purge(self, owner: Owner, session_id: str | None = None) -> int:
        """Destroy the key and the values of one session of the owner, or of all; return how many there were."""
        with self._transaction(write=True) as work:
            rows = work.lock("SELECT id FROM sessions WHERE tenant = ? AND owner = ? AND wrapped IS NOT NULL", owner)
            gone = [row[0] for row in rows if session_id in (None, row[0])]
            self._destroy(work, gone)
            self._note(work, "ERASED", owner.tenant, len(gone))
        self._done_away(gone)
        return len(gone)

    def purge_tenant(self, tenant: str) -> int:
        """Destroy the keys and the values of all sessions of a tenant; return how many there were."""
        with self._transaction(write=True) as work:
            found = work.lock("SELECT id FROM sessions WHERE tenant = ? AND wrapped IS NOT NULL", (tenant,))
            gone = [row[0] for row in found]
            self._destroy(work, gone)
            self._note(work, "ERASED", tenant, len(gone))
        self._done_away(gone)
        return len(gone)

    def sweep(self) -> int:
        """Destroy what has expired, and forget what was destroyed long ago; return how many sessions expired."""
        now = self._clock()
        with self._transaction(write=True) as work:
            rows = work.run("SELECT id, tenant FROM sessions WHERE expires <= ?", (now,))
            gone = [row[0] for row in rows]
            self._destroy(work, gone)
            for tenant, count in Counter(row[1] for row in rows).items():
                self._note(work, "EXPIRED", tenant, count)
            work.many("DELETE FROM sessions WHERE id = ?", [(each,) for each in gone])
            work.run("DELETE FROM sessions WHERE wrapped IS NULL AND created <= ?", (now - TOMBSTONE_S,))
        self._done_away(gone)
        return len(gone)

    def rewrap(self, limit: int = 1000) -> int:
        """Wrap with the current key what hangs on others, at most ``limit`` data keys; return how many there were.

        Values are not touched, and calls go on meanwhile. Once this returns 0 and :meth:`keys_in_use` names the
        current key alone, the others can be taken out of the provider.
        """
        with self._transaction(write=True) as work:
            rows = work.lock(
                "SELECT id, tenant, owner, key_id, wrapped FROM sessions WHERE key_id <> ? AND wrapped IS NOT NULL "
                "LIMIT ?",
                (self._keys.current, limit),
            )
            for session_id, tenant, name, key_id, blob in rows:
                bound = bound_to(Owner(tenant, name), session_id)
                data_key = self._keys.unwrap(tenant, Wrapped(key_id, bytes(blob)), bound)
                wrapped = self._keys.wrap(tenant, data_key, bound)
                work.run(
                    "UPDATE sessions SET key_id = ?, wrapped = ? WHERE id = ?",
                    (wrapped.key_id, wrapped.blob, session_id),
                )
            self._note(work, "REWRAPPED", "", len(rows), self._keys.current)
        return len(rows)

    def holds(self) -> Mapping[str, Holding]:
        """Return tenant → what it has here; expired sessions that were not swept yet count."""
        with self._transaction(write=False) as work:
            sessions = work.run(
                "SELECT tenant, COUNT(wrapped), SUM(CASE WHEN wrapped IS NULL THEN 1 ELSE 0 END) FROM sessions "
                "GROUP BY tenant"
            )
            values = dict(
                work.run(
                    "SELECT s.tenant, COUNT(*) FROM entries e JOIN sessions s ON s.id = e.session GROUP BY s.tenant"
                )
            )
        return {tenant: Holding(live, values.get(tenant, 0), int(gone)) for tenant, live, gone in sessions}

    @property
    def current_key(self) -> str:
        """Id of the key that wraps from now on."""
        return self._keys.current

    def keys_in_use(self) -> frozenset[str]:
        """Return the ids of the keys that something hangs on."""
        with self._transaction(write=False) as work:
            rows = work.run("SELECT DISTINCT key_id FROM sessions WHERE wrapped IS NOT NULL")
        return frozenset(row[0] for row in rows)

    def events(self, limit: int = 100) -> list[VaultEvent]:
        """Return what was done and not yet told of, oldest first. See :meth:`redaction.vault.Vault.events`."""
        with self._transaction(write=False) as work:
            rows = work.run("SELECT id, kind, tenant, sessions, key_id FROM events ORDER BY at, id LIMIT ?", (limit,))
        return [VaultEvent(*row) for row in rows]

    def told(self, events: Sequence[VaultEvent]) -> None:
        """Forget events: they are on record."""
        if events:
            with self._transaction(write=True) as work:
                work.many("DELETE FROM events WHERE id = ?", [(event.id,) for event in events])

    def _note(self, work: Transaction, kind: str, tenant: str, sessions: int, key_id: str = "") -> None:
        """Keep an event, in the transaction of what it tells of: neither is there without the other."""
        if sessions:
            work.run(
                "INSERT INTO events (id, at, kind, tenant, sessions, key_id) VALUES (?, ?, ?, ?, ?, ?)",
                (str(uuid.uuid4()), self._clock(), kind, tenant, sessions, key_id),
            )

    def _shared(self, work: Transaction, owner: Owner) -> str | None:
        rows = work.run("SELECT id FROM sessions WHERE tenant = ? AND owner = ? AND wrapped IS NOT NULL", owner)
        return rows[0][0] if rows else None

    def _lives(self, expires: float | None) -> bool:
        return expires is None or expires > self._clock()

    def _envelope(self, work: Transaction, owner: Owner, session_id: str, *, lock: bool = False) -> Envelope:
        ask = work.lock if lock else work.run
        rows = ask("SELECT tenant, owner, expires, key_id, wrapped FROM sessions WHERE id = ?", (session_id,))
        if not rows or Owner(rows[0][0], rows[0][1]) != owner or not self._lives(rows[0][2]):
            raise SessionNotFound
        key_id, wrapped = rows[0][3], rows[0][4]
        if wrapped is None:
            raise KeyDestroyed("the values of this session were erased")
        with self._cache_lock:
            cached = self._cache.get(session_id)
            if cached is not None and cached.wrapped == bytes(wrapped):
                self._cache.move_to_end(session_id)
                return cached.envelope
        data_key = self._keys.unwrap(owner.tenant, Wrapped(key_id, bytes(wrapped)), bound_to(owner, session_id))
        envelope = Envelope(data_key, owner, session_id)
        with self._cache_lock:
            self._cache[session_id] = _Session(envelope, bytes(wrapped))
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return envelope

    @staticmethod
    def _known(work: Transaction, session_id: str, tags: Sequence[bytes]) -> dict[bytes, str]:
        """Tag → placeholder, of those that the session has."""
        known = {}
        for part in _parts_of(tags):
            marks = ", ".join("?" * len(part))
            sql = f"SELECT tag, type, number FROM entries WHERE session = ? AND tag IN ({marks})"  # noqa: S608 - marks only
            known.update({bytes(tag): f"<{t}_{n}>" for tag, t, n in work.run(sql, (session_id, *part))})
        return known

    @staticmethod
    def _counted(work: Transaction, session_id: str, types: Collection[str]) -> dict[str, int]:
        rows = work.run("SELECT type, number FROM counters WHERE session = ?", (session_id,))
        return {type_: number for type_, number in rows if type_ in types}

    @staticmethod
    def _entries(
        work: Transaction, session_id: str, asked: Sequence[tuple[str, int]] | None
    ) -> Iterator[tuple[Any, ...]]:
        """Type, number, tag and sealed value."""
        if asked is None:
            yield from work.run("SELECT type, number, tag, sealed FROM entries WHERE session = ?", (session_id,))
            return
        for part in _parts_of(asked):
            marks = " OR ".join(["(type = ? AND number = ?)"] * len(part))
            sql = f"SELECT type, number, tag, sealed FROM entries WHERE session = ? AND ({marks})"  # noqa: S608 - marks only
            yield from work.run(sql, (session_id, *(each for pair in part for each in pair)))

    @staticmethod
    def _destroy(work: Transaction, gone: Sequence[str]) -> None:
        ids = [(each,) for each in gone]
        if ids:
            work.many("DELETE FROM entries WHERE session = ?", ids)
            work.many("DELETE FROM counters WHERE session = ?", ids)
            work.many("UPDATE sessions SET wrapped = NULL, expires = NULL WHERE id = ?", ids)

    def _done_away(self, gone: Sequence[str]) -> None:
        with self._cache_lock:
            for each in gone:
                self._cache.pop(each, None)
        if gone:
            self._forgotten()


def _parts(placeholder: str) -> tuple[str, int] | None:
    type_, _, number = placeholder.strip("<>").rpartition("_")
    return (type_, int(number)) if type_ and number.isdecimal() and len(number) < 10 else None


def _parts_of(items: Sequence[Any], size: int = 200) -> Iterator[Sequence[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))
