"""The log's signing key: a file beside the log, made on the first start.

Who can read it can sign a log of their own making; keep ``log.vkey`` and checkpoints elsewhere too
(see docs/audit-log.md). Keys in an HSM or a key service are not supported by this file.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from finslm.audit.checkpoint import Signer, Verifier
from finslm.audit.files import write_atomically
from finslm.audit.scan import CHECKPOINT_FILE
from finslm.errors import ConfigError

KEY_FILE = "signing-key.pem"
"""Private key, PKCS #8 PEM, mode 0600."""
VKEY_FILE = "log.vkey"
"""Public key, C2SP vkey, one line."""


def load_or_create_signer(folder: Path, origin: str) -> Signer:
    """Read the signing key of the log in ``folder``; make one when the folder has none.

    Raises:
        ConfigError: the key cannot be read, is not Ed25519, is open to others, or ``log.vkey`` is of
            another key or origin.
        OSError: as the system says.
    """
    path = folder / KEY_FILE
    if not path.exists():
        if (folder / VKEY_FILE).exists() or (folder / CHECKPOINT_FILE).exists():
            raise ConfigError(
                f"audit: {path} is missing, and there is a log signed with it: restore it from its backup"
            )
        key = Ed25519PrivateKey.generate()
        write_atomically(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    signer = Signer(origin, read_private_key(path))
    if not (folder / VKEY_FILE).exists():
        write_atomically(folder / VKEY_FILE, f"{signer.verifier.vkey()}\n".encode(), 0o644)
    elif read_vkey(folder / VKEY_FILE).vkey() != signer.verifier.vkey():
        raise ConfigError(
            f"audit: {folder / VKEY_FILE} is of another key or another audit.origin than configured: "
            "set audit.origin as it was, or restore the key file"
        )
    return signer


def read_vkey(path: Path) -> Verifier:
    """Read a public key file.

    Raises:
        ConfigError: unreadable, or not a vkey.
    """
    try:
        return Verifier.parse(path.read_text("ascii").removesuffix("\n"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"audit: public key {path}: {type(error).__name__}; a one-line vkey is wanted") from None


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key file.

    Raises:
        ConfigError: open to others, not a PEM private key, or not Ed25519.
        OSError: as the system says.
    """
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"audit: {path} can be read by others: chmod 600, and consider the key known")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        raise ConfigError(f"audit: {path} is not a PEM private key: restore it from its backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"audit: {path}: an Ed25519 key is wanted")
    return key
