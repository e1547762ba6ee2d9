"""A vault in the memory of the process: gone with it, and never on disk."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, final

from redaction.errors import SessionNotFound


class _Session(NamedTuple):
    owner: str
    expires: float
    placeholders: Mapping[str, str]


@final
class MemoryVault:
    """Keeps each session for ``ttl_s`` seconds, and at most ``max_sessions`` of them; the oldest goes first.

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
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._sweep()
            return len(self._sessions)

    def put(self, owner: str, placeholders: Mapping[str, str]) -> str:
        """Keep a copy of the map; return the session's id."""
        session_id = str(uuid.uuid4())
        with self._lock:
            self._sweep()
            while len(self._sessions) >= self._max_sessions:
                self._sessions.popitem(last=False)
            kept = MappingProxyType(dict(placeholders))
            self._sessions[session_id] = _Session(owner, self._clock() + self._ttl_s, kept)
        return session_id

    def get(self, owner: str, session_id: str) -> Mapping[str, str]:
        """Return the map, read-only.

        Raises:
            SessionNotFound: not there for this owner.
        """
        with self._lock:
            self._sweep()
            session = self._sessions.get(session_id)
        if session is None or session.owner != owner:
            raise SessionNotFound
        return session.placeholders

    def purge(self, owner: str, session_id: str | None = None) -> int:
        """Forget one session of the owner, or all of them; return how many were forgotten."""
        with self._lock:
            gone = [
                key for key, session in self._sessions.items() if session.owner == owner and session_id in (None, key)
            ]
            for key in gone:
                del self._sessions[key]
        return len(gone)

    def _sweep(self) -> None:
        now = self._clock()
        while self._sessions and next(iter(self._sessions.values())).expires <= now:
            self._sessions.popitem(last=False)
