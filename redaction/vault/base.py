"""The vault protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Vault(Protocol):
    """Keeps the maps of sessions. A session belongs to the owner that made it; nobody else can tell it exists."""

    def put(self, owner: str, placeholders: Mapping[str, str]) -> str:
        """Keep a copy of the map; return the session's id, a random UUID4 in lower case."""
        ...

    def get(self, owner: str, session_id: str) -> Mapping[str, str]:
        """Return the map.

        Raises:
            SessionNotFound: never made, expired, purged, or another owner's.
        """
        ...

    def purge(self, owner: str, session_id: str | None = None) -> int:
        """Forget one session of the owner, or all of them; return how many were forgotten."""
        ...
