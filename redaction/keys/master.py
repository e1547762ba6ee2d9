"""Master keys in the memory of the process, from a file or from the environment."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import secrets
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from redaction.errors import KeyDestroyed, VaultTampered, VaultUnavailable
from redaction.keys.base import Wrapped

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FORM: Final = '{"current": "ID", "derive": "ID", "keys": {"ID": "32 bytes in base64"}}'


@final
@dataclass(frozen=True, slots=True)
class Masters:
    """A set of master keys.

    Args:
        keys: id → 32 bytes.
        current: the one that wraps.
        derive: the one that operators' keys come from; it stays when ``current`` changes, or pseudonyms would.
    """

    keys: Mapping[str, bytes] = field(repr=False)
    current: str
    derive: str

    @classmethod
    def parse(cls, text: str, where: str) -> Masters:
        """Read JSON of the form ``{"current": ID, "derive": ID, "keys": {ID: base64}}``.

        Raises:
            VaultUnavailable: it is something else; the message says what, and never a key.
        """
        try:
            tree = json.loads(text)
            keys = {id_: base64.b64decode(key, validate=True) for id_, key in tree["keys"].items()}
            current, derive = tree["current"], tree["derive"]
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise VaultUnavailable(f"{where}: no keys of the form {_FORM}") from None
        if odd := [id_ for id_, key in keys.items() if len(key) != KEY_BYTES or not _ID.fullmatch(id_)]:
            raise VaultUnavailable(f"{where}: {len(odd)} of {len(keys)} keys are not 32 bytes, or have an odd id")
        if missing := [name for name, id_ in (("current", current), ("derive", derive)) if id_ not in keys]:
            raise VaultUnavailable(f"{where}: {missing[0]} names no key that is there")
        return cls(keys, current, derive)


class _MasterKeys:
    """Each tenant has a key of its own under each master key (HKDF-SHA-256, RFC 5869); it wraps with AES-256-GCM."""

    def _masters(self) -> Masters:
        raise NotImplementedError

    @property
    def current(self) -> str:
        """Id of the key that wraps from now on."""
        return self._masters().current

    def wrap(self, tenant: str, data_key: bytes, bound_to: bytes) -> Wrapped:
        """Encrypt a data key; see :meth:`redaction.keys.KeyProvider.wrap`."""
        masters = self._masters()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        kept = AESGCM(_derived(masters.keys[masters.current], "wrap", tenant))
        return Wrapped(masters.current, nonce + kept.encrypt(nonce, data_key, _bound(masters.current, bound_to)))

    def unwrap(self, tenant: str, wrapped: Wrapped, bound_to: bytes) -> bytes:
        """Return the data key; see :meth:`redaction.keys.KeyProvider.unwrap`.

        Raises:
            KeyDestroyed: the master key is no longer there.
            VaultTampered: it was wrapped for another tenant or use, or changed.
        """
        master = self._masters().keys.get(wrapped.key_id)
        if master is None:
            raise KeyDestroyed("the key that these values hang on is no longer among the keys")
        nonce, sealed = wrapped.blob[:_NONCE_BYTES], wrapped.blob[_NONCE_BYTES:]
        try:
            return AESGCM(_derived(master, "wrap", tenant)).decrypt(nonce, sealed, _bound(wrapped.key_id, bound_to))
        except (InvalidTag, ValueError):
            raise VaultTampered("a data key is not what was put into the vault") from None

    def derive(self, tenant: str, purpose: str) -> bytes:
        """Return 32 bytes for a purpose; see :meth:`redaction.keys.KeyProvider.derive`."""
        masters = self._masters()
        return _derived(masters.keys[masters.derive], f"derive {purpose}", tenant)


@final
class FileKeys(_MasterKeys):
    """Master keys in a file that its owner alone may read. A file that was replaced is read again: keys rotate so.

    Args:
        path: JSON, see :meth:`Masters.parse`.

    Raises:
        VaultUnavailable: missing, readable by others, or no keys.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._read: Masters | None = None
        self._masters()

    @classmethod
    def made(cls, path: Path) -> FileKeys:
        """Open a key file; make one with a new key where there is none.

        Raises:
            VaultUnavailable: it cannot be made or read.
        """
        if not path.exists():
            key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "w") as file:
                    json.dump({"current": "1", "derive": "1", "keys": {"1": key}}, file)
                    file.flush()
                    os.fsync(file.fileno())
            except FileExistsError:
                pass  # another process was sooner
            except OSError as error:
                raise VaultUnavailable(f"{path}: no key file could be made: {error.strerror}") from None
        return cls(path)

    def _masters(self) -> Masters:
        with self._lock:
            try:
                now = self._path.stat()
                seen = now.st_mtime_ns, now.st_ino, now.st_size
                if self._read is None or seen != self._seen:
                    if now.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                        raise VaultUnavailable(f"{self._path}: others may read the keys: chmod 600 it")
                    self._read, self._seen = Masters.parse(self._path.read_text("utf-8"), str(self._path)), seen
            except (OSError, UnicodeDecodeError) as error:
                raise VaultUnavailable(f"{self._path}: {type(error).__name__}: the keys cannot be read") from None
            return self._read


@final
class EnvironmentKeys(_MasterKeys):
    """Master keys that came in a variable of the environment, as in :meth:`Masters.parse`.

    Args:
        text: its value; the caller has read it, and takes it out of the environment.
        name: of the variable, for messages.

    Raises:
        VaultUnavailable: it holds no keys.
    """

    def __init__(self, text: str, name: str) -> None:
        self._fixed = Masters.parse(text, name)

    def _masters(self) -> Masters:
        return self._fixed


def _derived(master: bytes, use: str, tenant: str) -> bytes:
    info = f"finslm {use}\0{tenant}".encode()
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(master)


def _bound(key_id: str, bound_to: bytes) -> bytes:
    return key_id.encode() + b"\0" + bound_to
