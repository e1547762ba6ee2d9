"""The key provider protocol: who keeps the keys that everything in a vault hangs on."""

from __future__ import annotations

from typing import NamedTuple, Protocol, final


class Wrapped(NamedTuple):
    """A data key as it may lie in a store.

    Args:
        key_id: which key of the provider opens it.
        blob: the data key, encrypted.
    """

    key_id: str
    blob: bytes


class KeyProvider(Protocol):
    """Wraps data keys for tenants. Safe to share among threads.

    Every method may raise ``VaultUnavailable``: the keeper of the keys cannot be reached, or what it keeps is no key.
    """

    @property
    def current(self) -> str:
        """Id of the key that wraps from now on."""
        ...

    def wrap(self, tenant: str, data_key: bytes, bound_to: bytes) -> Wrapped:
        """Encrypt a data key of 32 bytes with the current key, for a tenant.

        Args:
            bound_to: authenticated with it: it opens for nothing else.
        """
        ...

    def unwrap(self, tenant: str, wrapped: Wrapped, bound_to: bytes) -> bytes:
        """Return the data key.

        Raises:
            KeyDestroyed: the key that wrapped it is no longer there.
            VaultTampered: it was wrapped for another tenant or use, or changed.
        """
        ...

    def derive(self, tenant: str, purpose: str) -> bytes:
        """Return 32 bytes: always the same for a tenant and a purpose, whichever key wraps now."""
        ...


@final
class TenantKeys:
    """What operators ask of a tenant's keys; see :class:`redaction.operators.Keys`."""

    def __init__(self, provider: KeyProvider, tenant: str) -> None:
        self._provider, self._tenant = provider, tenant

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for a purpose.

        Raises:
            VaultUnavailable: the keeper of the keys cannot be reached.
        """
        return self._provider.derive(self._tenant, purpose)
