"""Master keys in a hardware security module (PKCS#11, OASIS 2.40), which they never leave."""

from __future__ import annotations

import hmac
import secrets
import threading
from pathlib import Path
from typing import Any, Final, final

import pkcs11
from pkcs11 import KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import NoSuchKey, PKCS11Error, UserAlreadyLoggedIn

from redaction.errors import KeyDestroyed, VaultTampered, VaultUnavailable
from redaction.keys.base import Wrapped

_NONCE_BYTES: Final = 12
_TAG_BITS: Final = 128
_MAC_BYTES: Final = 32


@final
class Pkcs11Keys:
    """See :class:`redaction.keys.KeyProvider`. The module encrypts (AES-GCM) and authenticates (HMAC-SHA-256) itself.

    Args:
        module: the vendor's library.
        token: label of the token.
        pin: of its user.
        current: label of the AES key that wraps from now on; that of an older one is the id that it is found by.
        derive: label of the generic secret key that operators' keys and the marks of wrapped keys come from; it stays.

    Raises:
        VaultUnavailable: the module, the token or a key is not there, or the PIN is wrong.
    """

    def __init__(self, module: Path, token: str, pin: str, current: str, derive: str) -> None:
        self._current, self._derive = current, derive
        self._lock = threading.Lock()  # a session takes one call at a time
        try:
            self._session = _session(pkcs11.lib(str(module)).get_token(token_label=token), pin)
            usable = [hasattr(self._key(current, KeyType.AES), each) for each in ("encrypt", "decrypt")]
            usable.append(hasattr(self._key(derive, KeyType.GENERIC_SECRET), "sign"))
        except NoSuchKey:
            usable = [False]
        except (PKCS11Error, RuntimeError, OSError) as error:
            kind = type(error).__name__
            raise VaultUnavailable(f"PKCS#11 token {token}: {kind}: check module, label and PIN") from None
        if not all(usable):
            raise VaultUnavailable(
                f"token {token}: an AES key {current} that encrypts and decrypts, and a generic secret {derive} that "
                "signs, are wanted"
            )

    @property
    def current(self) -> str:
        """Label of the key that wraps from now on."""
        return self._current

    def wrap(self, tenant: str, data_key: bytes, bound_to: bytes) -> Wrapped:
        """Encrypt a data key in the module; see :meth:`redaction.keys.KeyProvider.wrap`."""
        nonce, bound = secrets.token_bytes(_NONCE_BYTES), _bound(tenant, self._current, bound_to)
        params = pkcs11.GCMParams(nonce, bound, _TAG_BITS)
        with self._lock, _reached():
            key = self._key(self._current, KeyType.AES)
            sealed = nonce + bytes(key.encrypt(data_key, mechanism=Mechanism.AES_GCM, mechanism_param=params))
            return Wrapped(self._current, sealed + self._mac(b"finslm wrapped", bound, sealed))

    def unwrap(self, tenant: str, wrapped: Wrapped, bound_to: bytes) -> bytes:
        """Return the data key; see :meth:`redaction.keys.KeyProvider.unwrap`.

        Raises:
            KeyDestroyed: the module has no such key any more.
            VaultTampered: it was wrapped for another tenant or use, or changed.
            VaultUnavailable: the module cannot be reached.
        """
        bound = _bound(tenant, wrapped.key_id, bound_to)
        sealed, mac = wrapped.blob[:-_MAC_BYTES], wrapped.blob[-_MAC_BYTES:]
        with self._lock, _reached():
            try:
                key = self._key(wrapped.key_id, KeyType.AES)
            except NoSuchKey:
                raise KeyDestroyed("the key that these values hang on is no longer in the module") from None
            # Modules differ in what they say of a wrong tag, so it is known before.
            if not hmac.compare_digest(mac, self._mac(b"finslm wrapped", bound, sealed)):
                raise VaultTampered("a data key is not what was put into the vault")
            params = pkcs11.GCMParams(sealed[:_NONCE_BYTES], bound, _TAG_BITS)
            opened = key.decrypt(sealed[_NONCE_BYTES:], mechanism=Mechanism.AES_GCM, mechanism_param=params)
            return bytes(opened)

    def derive(self, tenant: str, purpose: str) -> bytes:
        """Return 32 bytes for a purpose; see :meth:`redaction.keys.KeyProvider.derive`."""
        with self._lock, _reached():
            return self._mac(b"finslm derive", tenant.encode(), purpose.encode())

    def _mac(self, *parts: bytes) -> bytes:
        key = self._key(self._derive, KeyType.GENERIC_SECRET)
        return bytes(key.sign(_framed(*parts), mechanism=Mechanism.SHA256_HMAC))

    def _key(self, label: str, kind: KeyType) -> Any:
        return self._session.get_key(object_class=ObjectClass.SECRET_KEY, key_type=kind, label=label)


class _reached:  # noqa: N801 - reads as a clause
    """Whatever else the module says: it cannot be reached."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PKCS11Error):
            raise VaultUnavailable(f"the security module does not answer: {type(error).__name__}") from None


def _session(token: Any, pin: str) -> Any:
    try:
        return token.open(user_pin=pin)
    except UserAlreadyLoggedIn:  # a login counts for the whole process
        return token.open()


def _bound(tenant: str, key_id: str, bound_to: bytes) -> bytes:
    return _framed(b"finslm wrap", tenant.encode(), key_id.encode(), bound_to)


def _framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
