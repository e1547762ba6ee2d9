"""A vault in the memory of the process: gone with it, and never on disk."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, final

from redaction.errors import SessionNotFound
from redaction.vault.base import EVERYBODY, Owner, VaultEvent

_MOST_EVENTS: Final = 10_000


class _Session:
    """The values of a session, both ways."""

    def __init__(self, owner: Owner, expires: float) -> None:
        self.owner, self.expires = owner, expires
        self.values: dict[str, str] = {}
        self._issued: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()

    def issue(self, type_: str, value: str) -> str:
        if (placeholder := self._issued.get((type_, value))) is None:
            self._numbers[type_] += 1
            placeholder = self._issued[type_, value] = f"<{type_}_{self._numbers[type_]}>"
            self.values[placeholder] = value
        return placeholder


@final
class MemoryVault:
    """Keeps each session for ``ttl_s`` seconds, and at most ``max_sessions`` of them; the oldest goes first.

    A tenant's own session lives as long as the process.

    Args:
        ttl_s: life of a session, seconds.
        max_sessions: sessions of all owners together.
        clock: seconds, never going back.

    Raises:
        ValueError: a limit that is not positive.
    """

    def __init__(
        self, ttl_s: float = 900.0, max_sessions: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if ttl_s <= 0 or max_sessions < 1:
            raise ValueError(f"ttl_s {ttl_s} and max_sessions {max_sessions} must be positive")
        self._ttl_s, self._max_sessions, self._clock = ttl_s, max_sessions, clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()  # oldest first, which is also expiry order
        self._of_tenants: dict[str, str] = {}
        self._shared: dict[str, _Session] = {}
        self._events: dict[str, VaultEvent] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._sweep()
            return len(self._sessions)

    def open(self, owner: Owner) -> str:
        """Make a session; return its id. See :meth:`redaction.vault.Vault.open`."""
        session_id = str(uuid.uuid4())
        with self._lock:
            if owner.name == EVERYBODY:
                session_id = self._of_tenants.setdefault(owner.tenant, session_id)
                self._shared.setdefault(session_id, _Session(owner, float("inf")))
                return session_id
            self._sweep()
            while len(self._sessions) >= self._max_sessions:
                self._sessions.popitem(last=False)
            self._sessions[session_id] = _Session(owner, self._clock() + self._ttl_s)
        return session_id

    def has(self, owner: Owner, session_id: str) -> bool:
        """Return whether it is a session of the owner's that has not ended."""
        with self._lock:
            self._sweep()
            session = self._sessions.get(session_id) or self._shared.get(session_id)
            return session is not None and session.owner == owner

    def issue(self, owner: Owner, session_id: str, values: Sequence[tuple[str, str]]) -> list[str]:
        """Return a placeholder for each (type, value).

        Raises:
            SessionNotFound: not there for this owner.
        """
        with self._lock:
            session = self._find(owner, session_id)
            return [session.issue(type_, value) for type_, value in values]

    def get(self, owner: Owner, session_id: str, placeholders: Collection[str] | None = None) -> Mapping[str, str]:
        """Return placeholder → value, of all or of those asked for; a copy.

        Raises:
            SessionNotFound: not there for this owner.
        """
        with self._lock:
            known = self._find(owner, session_id).values
            if placeholders is None:
                return MappingProxyType(dict(known))
            return MappingProxyType({each: known[each] for each in placeholders if each in known})

    def purge(self, owner: Owner, session_id: str | None = None) -> int:
        """Forget one session of the owner, or all of them; return how many were forgotten."""
        gone = 0
        with self._lock:
            for sessions in (self._sessions, self._shared):
                for key in [key for key, each in sessions.items() if each.owner == owner and session_id in (None, key)]:
                    del sessions[key]
                    gone += 1
            if owner.name == EVERYBODY and self._of_tenants.get(owner.tenant) not in self._shared:
                self._of_tenants.pop(owner.tenant, None)
            self._note("ERASED", owner.tenant, gone)
        return gone

    def sweep(self) -> int:
        """Erase what has expired; return how many sessions that were."""
        with self._lock:
            return self._sweep()

    def events(self, limit: int = 100) -> list[VaultEvent]:
        """Return what was done and not yet told of, oldest first. See :meth:`redaction.vault.Vault.events`."""
        with self._lock:
            return [*self._events.values()][:limit]

    def told(self, events: Sequence[VaultEvent]) -> None:
        """Forget events: they are on record."""
        with self._lock:
            for event in events:
                self._events.pop(event.id, None)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._sessions.clear()
            self._shared.clear()
            self._of_tenants.clear()

    def _find(self, owner: Owner, session_id: str) -> _Session:
        self._sweep()
        session = self._sessions.get(session_id) or self._shared.get(session_id)
        if session is None or session.owner != owner:
            raise SessionNotFound
        return session

    def _sweep(self) -> int:
        now, gone = self._clock(), Counter[str]()
        while self._sessions and next(iter(self._sessions.values())).expires <= now:
            gone[self._sessions.popitem(last=False)[1].owner.tenant] += 1
        for tenant, count in gone.items():
            self._note("EXPIRED", tenant, count)
        return gone.total()

    def _note(self, kind: str, tenant: str, sessions: int) -> None:
        if sessions:
            event = VaultEvent(str(uuid.uuid4()), kind, tenant, sessions)
            self._events[event.id] = event
            if len(self._events) > _MOST_EVENTS:  # nobody puts them on record, as where this is used as a library
                del self._events[next(iter(self._events))]
