"""Who may read the audit log, and of which tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, final

from finslm.access.principals import LOCAL
from finslm.errors import PermissionDenied
from finslm.types import Principal

ALL: Final = "*"


@final
class AuditReaders:
    """Readers from the settings; the local caller of a server without tokens reads all."""

    def __init__(self, readers: Mapping[str, Sequence[str]]) -> None:
        self._readers = {LOCAL.name: (ALL,), **readers}

    def tenants_of(self, principal: Principal) -> tuple[str, ...] | None:
        """Return the tenants that this principal may read; None: all, and what is of no tenant.

        Raises:
            PermissionDenied: it may read nothing.
        """
        tenants = self._readers.get(principal.name)
        if tenants is None:
            raise PermissionDenied("you may not read the audit log: the operator sets audit.readers")
        return None if ALL in tenants else tuple(tenants)
