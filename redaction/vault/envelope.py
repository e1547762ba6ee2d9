"""What a session's values look like in a store: sealed with a data key of the session's own, which is wrapped itself.

AES-256-GCM (NIST SP 800-38D) with 96 random bits of nonce for each value; what it belongs to is authenticated with it,
so that no row opens in another's place. Equal values are found by a keyed hash under a key of the session's, so that
equal values of two sessions do not look alike.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from redaction.errors import VaultTampered
from redaction.vault.base import Owner

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = b"finslm vault 1"


def bound_to(owner: Owner, session_id: str) -> bytes:
    """Return what a session's data key is bound to."""
    return _framed(_VERSION, owner.tenant.encode(), owner.name.encode(), session_id.encode())


@final
class Envelope:
    """Seals and opens the values of one session. Its ``repr`` shows nothing.

    Args:
        data_key: 32 bytes.
        owner, session_id: whose values they are.
    """

    def __init__(self, data_key: bytes, owner: Owner, session_id: str) -> None:
        self._sealing = AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=b"finslm seal").derive(data_key))
        self._hashing = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"finslm find").derive(data_key)
        self._bound = bound_to(owner, session_id)

    def __repr__(self) -> str:
        return "<Envelope>"

    def tag(self, type_: str, value: str) -> bytes:
        """Return 32 bytes by which an equal value is found: HMAC-SHA-256."""
        return hmac.digest(self._hashing, _framed(type_.encode(), value.encode("utf-8", "surrogatepass")), "sha256")

    def seal(self, placeholder: str, tag: bytes, value: str) -> bytes:
        """Encrypt a value; it opens beside this placeholder and tag alone."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        clear = value.encode("utf-8", "surrogatepass")
        return nonce + self._sealing.encrypt(nonce, clear, _framed(self._bound, placeholder.encode(), tag))

    def open(self, placeholder: str, tag: bytes, sealed: bytes) -> str:
        """Decrypt a value.

        Raises:
            VaultTampered: it was changed, or is another placeholder's, session's or tenant's.
        """
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            clear = self._sealing.decrypt(nonce, rest, _framed(self._bound, placeholder.encode(), tag))
        except (InvalidTag, ValueError):
            raise VaultTampered("a value is not what was put into the vault") from None
        return clear.decode("utf-8", "surrogatepass")


def new_data_key() -> bytes:
    """Return 32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def _framed(*parts: bytes) -> bytes:
    """Parts with their lengths, so that no two lists of parts read alike."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
