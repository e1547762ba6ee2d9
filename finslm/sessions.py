"""(7) Whose values are numbered together, and (12) who gets them back: sessions of the vault, for callers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

from finslm import errors
from finslm.types import Principal
from redaction import Policy
from redaction.errors import KeyDestroyed, SessionNotFound, VaultTampered, VaultUnavailable
from redaction.keys import KeyProvider, TenantKeys
from redaction.operators import Context
from redaction.vault import EVERYBODY, Owner, SessionIssuer, Vault, VaultEvent, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@final
class Sessions:
    """The vault, as the pipeline uses it. Every method may wait for a disk or a database: call it off the event loop.

    Args:
        vault: where the values live.
        keys: what operators' keys come from; None: those that need one refuse.
    """

    def __init__(self, vault: Vault, keys: KeyProvider | None = None) -> None:
        self._vault, self._keys = vault, keys

    def for_model(self, principal: Principal, policy: Policy, subject: str = "") -> Context:
        """Numbers for a text that stays in the process: ``<TYPE_N>``."""
        if policy.placeholders == "session":
            return self.with_keys(principal, subject=subject)
        with told():
            owner = Owner(principal.tenant, EVERYBODY)
            issuer = SessionIssuer(self._vault, owner, self._vault.open(owner), travels=False)
            return self.with_keys(principal, issuer, subject)

    def with_keys(self, principal: Principal, issuer: SessionIssuer | None = None, subject: str = "") -> Context:
        """For a text of a caller: with its tenant's keys."""
        keys = None if self._keys is None else TenantKeys(self._keys, principal.tenant)
        return Context(keys=keys, subject=subject, issuer=issuer)

    def to_keep(self, principal: Principal, policy: Policy, session_id: str = "") -> SessionIssuer:
        """Numbers for a text that leaves the process and may come back: ``<TYPE_N_NONCE>``.

        Args:
            session_id: to go on with; empty: a new one, or the tenant's where the policy says so.
        """
        with told():
            owner = self._owner(principal, session_id)
            if not session_id:
                owner = Owner(principal.tenant, EVERYBODY) if policy.placeholders == "tenant" else owner
                session_id = self._vault.open(owner)
            return SessionIssuer(self._vault, owner, session_id, travels=True)

    def values(self, principal: Principal, session_id: str, text: str) -> Mapping[str, str]:
        """Placeholder → value, for those in a text that the session has issued.

        Raises:
            UnknownSession, VaultUnavailable, KeyDestroyed, VaultTampered: see :func:`told`.
        """
        with told():
            return values_of(self._vault, self._owner(principal, session_id), session_id, text)

    def sweep(self) -> int:
        """Erase what has expired; return how many sessions that were.

        Raises:
            VaultUnavailable: the store cannot be reached; it is worth another try.
        """
        with told():
            return self._vault.sweep()

    def events(self) -> Sequence[VaultEvent]:
        """Return what was done to the vault and is not yet on record.

        Raises:
            VaultUnavailable: the store cannot be reached.
        """
        with told():
            return self._vault.events()

    def recorded(self, events: Sequence[VaultEvent]) -> None:
        """Forget events that are on record now.

        Raises:
            VaultUnavailable: the store cannot be reached; the events will be put on record once more.
        """
        with told():
            self._vault.told(events)

    def close(self) -> None:
        """Let go of the vault."""
        self._vault.close()

    def _owner(self, principal: Principal, session_id: str) -> Owner:
        """The caller; or its tenant, if the session is the one of the whole tenant."""
        everybody = Owner(principal.tenant, EVERYBODY)
        if session_id and self._vault.has(everybody, session_id):
            return everybody
        return Owner(principal.tenant, principal.name)


@contextmanager
def told() -> Iterator[None]:
    """Say what went wrong in the vault in the words of :mod:`finslm.errors`.

    Raises:
        UnknownSession: none of this id for this caller, or expired.
        VaultUnavailable: the store or the keeper of the keys cannot be reached.
        KeyDestroyed: the values were erased with their key.
        VaultTampered: the store was changed by somebody else.
    """
    try:
        yield
    except SessionNotFound:
        raise errors.UnknownSession("no such session for this caller, or it has expired: redact again") from None
    except VaultUnavailable:
        raise errors.VaultUnavailable("the vault cannot be reached: nothing was passed on, try again later") from None
    except KeyDestroyed:
        raise errors.KeyDestroyed("the key of these values was destroyed, and they with it: redact again") from None
    except VaultTampered:
        raise errors.VaultTampered("what the vault holds was changed: nothing of it is given out") from None
