"""Placeholders of a session, as they stand in the text and as they travel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, final

from redaction.operators.placeholder import PLACEHOLDER
from redaction.vault.base import Owner, Vault

_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that reads like a digit."""

NONCE_CHARS: Final = 8
"""40 bits: whoever writes a placeholder into a text without having seen one of the session guesses in vain."""


def nonce_of(session_id: str) -> str:
    """Return what a session's placeholders carry outside of the process; it tells nothing of the session's id."""
    number = int.from_bytes(hashlib.sha256(b"finslm placeholder nonce\0" + session_id.encode()).digest()[:5], "big")
    return "".join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(NONCE_CHARS)))


def marked(placeholder: str, nonce: str) -> str:
    """Return ``<TYPE_N>`` as it travels: ``<TYPE_N_NONCE>``."""
    return f"{placeholder[:-1]}_{nonce}>"


@final
class SessionIssuer:
    """Numbers values in a session of the vault; see :class:`redaction.operators.Issuer`.

    Args:
        vault: where they live.
        owner: whose session it is.
        session_id: the session.
        travels: the text leaves the process: placeholders carry the session's nonce, so that no text can forge one.
    """

    def __init__(self, vault: Vault, owner: Owner, session_id: str, *, travels: bool) -> None:
        self._vault, self._owner, self.session_id = vault, owner, session_id
        self._nonce = nonce_of(session_id) if travels else ""

    def issue(self, values: Sequence[tuple[str, str]]) -> list[str]:
        """Return a placeholder for each (type, value).

        Raises:
            SessionNotFound, VaultUnavailable, KeyDestroyed, VaultTampered: see :class:`redaction.vault.Vault`.
        """
        issued = self._vault.issue(self._owner, self.session_id, values)
        return [marked(placeholder, self._nonce) for placeholder in issued] if self._nonce else issued


def values_of(vault: Vault, owner: Owner, session_id: str, text: str) -> Mapping[str, str]:
    """Return placeholder → value, for those in a text that carry the session's nonce and that it has issued.

    Raises:
        SessionNotFound, VaultUnavailable, KeyDestroyed, VaultTampered: see :class:`redaction.vault.Vault`.
    """
    end = f"_{nonce_of(session_id)}>"
    own = {f"{found.removesuffix(end)}>": found for found in PLACEHOLDER.findall(text) if found.endswith(end)}
    return {own[short]: value for short, value in vault.get(owner, session_id, own).items()}
