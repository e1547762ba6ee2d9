"""The vault protocol."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

EVERYBODY: Final = ""
"""Name of the owner whose session is that of the whole tenant."""


class Owner(NamedTuple):
    """Whose session it is: nobody else can tell that it exists. ``name`` EVERYBODY: the tenant's own."""

    tenant: str
    name: str


class VaultEvent(NamedTuple):
    """Something that was done to the vault, kept in it until somebody has put it on record.

    Args:
        id: UUID4; one that is read twice is the same event.
        kind: ``ERASED`` on demand, ``EXPIRED``, or ``REWRAPPED`` with another key.
        tenant: whose sessions they were; empty: of more than one.
        sessions: how many.
        key_id: of REWRAPPED: the key that wraps now.
    """

    id: str
    kind: str
    tenant: str
    sessions: int
    key_id: str = ""


class Vault(Protocol):
    """Keeps the maps from placeholder to value, by session. Safe to share among threads.

    Every method may raise ``VaultUnavailable``: the store cannot be reached or is full, so nothing may be passed on;
    ``KeyDestroyed``: the key of the tenant or of the session was destroyed, and its values with it;
    ``VaultTampered``: what is stored is not what was put there.
    """

    def open(self, owner: Owner) -> str:
        """Make a session; return its id, a random UUID4 in lower case. A tenant's own is made once, and found then."""
        ...

    def has(self, owner: Owner, session_id: str) -> bool:
        """Return whether it is a session of the owner's that has not ended."""
        ...

    def issue(self, owner: Owner, session_id: str, values: Sequence[tuple[str, str]]) -> list[str]:
        """Return a placeholder ``<TYPE_N>`` for each (type, value): the one it has in this session, or the next.

        All or none; what was returned outlives the process, where the store does. Numbers count from 1 for each type.

        Raises:
            SessionNotFound: never made, expired, purged, or another owner's: one message for all.
        """
        ...

    def get(self, owner: Owner, session_id: str, placeholders: Collection[str] | None = None) -> Mapping[str, str]:
        """Return placeholder → value: of all, or of those asked for that the session has.

        Raises:
            SessionNotFound: see :meth:`issue`.
        """
        ...

    def purge(self, owner: Owner, session_id: str | None = None) -> int:
        """Forget one session of the owner, or all of them, for good; return how many were forgotten."""
        ...

    def sweep(self) -> int:
        """Erase what has expired; return how many sessions that were."""
        ...

    def events(self, limit: int = 100) -> list[VaultEvent]:
        """Return what was done and not yet told of, oldest first."""
        ...

    def told(self, events: Sequence[VaultEvent]) -> None:
        """Forget events: they are on record."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
