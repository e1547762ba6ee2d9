"""Whose decisions count: Ed25519 keys (RFC 8032) of approvers, and what is checked of a stage log with them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from finslm.config import ModelsSettings
from finslm.errors import ConfigError
from finslm.models.stages import AHEAD, Clock, Entry, StageLog, now, stamp

_UNTIL = " until "
Passphrase = Callable[[], str]
"""Asked when a key file is encrypted."""


@final
@dataclass(frozen=True, slots=True)
class Approvers:
    """The settings' word on who may decide.

    Args:
        keys: name → public key, base64, with ``until TIME`` for one who has left.
        origin: of the decisions that count.
        unsigned: decisions count without a signature.
        clock: no decision counts that is dated more than :data:`finslm.models.stages.AHEAD` after it.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    origin: str = ModelsSettings.model_fields["origin"].default
    unsigned: bool = False
    clock: Clock = now

    @classmethod
    def of(cls, settings: ModelsSettings) -> Approvers:
        """From the settings."""
        return cls(settings.approvers, settings.origin, settings.unsigned_stages)

    def check(self, log: StageLog) -> None:
        """Every decision must be one that counts. One that does not is never just left out: it may be a retirement.

        Raises:
            ConfigError: the first that does not count, and why.
        """
        for entry in log.entries:
            self.check_entry(entry)

    def check_entry(self, entry: Entry) -> None:
        """See :meth:`check`."""
        decision = entry.decision
        what = f"decision {decision.index} of the stage log ({decision.stage} {decision.model} by {decision.by})"
        if decision.origin != self.origin:
            raise ConfigError(f"{what} was made for {decision.origin[:128]}, and models.origin here is {self.origin}")
        self._check_time(decision.time, what)
        if self.unsigned:
            return
        if not self.keys:
            raise ConfigError(
                f"{what} counts for nothing: name its signer's key in models.approvers, or set "
                "models.unsigned_stages for a trial without signatures"
            )
        if decision.by not in self.keys:
            raise ConfigError(
                f"{what}: {decision.by} is not in models.approvers; known: {', '.join(sorted(self.keys))}"
            )
        key, _, until = self.keys[decision.by].partition(_UNTIL)
        if until and decision.time > f"{until.removesuffix('Z')}.000000Z":
            raise ConfigError(f"{what} is of {decision.time}, and models.approvers ends their word at {until}")
        if not is_signed(key, decision.signed_bytes(), entry.signature):
            raise ConfigError(f"{what} is not signed with the key that models.approvers names for {decision.by}")

    def _check_time(self, time: str, what: str) -> None:
        """One of a clock far ahead would stand before every later one, and outlive its signer's ``until``."""
        here = self.clock()
        if time > stamp(here + AHEAD):
            raise ConfigError(
                f"{what} is dated {time}, and it is {stamp(here)} here; {AHEAD.seconds // 60} minutes ahead is "
                "the most that counts: set this machine's clock, or, if it was the other one's that was wrong, restore "
                "stages.jsonl from its backup and decide again"
            )

    def signer(self, by: str, key_file: Path | None, passphrase: Passphrase) -> Callable[[bytes], bytes]:
        """What signs a decision of ``by``; nothing is signed where decisions count without.

        Raises:
            ConfigError: no key, not one that can be read, or not the one that the settings name for ``by``.
        """
        if key_file is None:
            if self.unsigned:
                return lambda _: b""
            raise ConfigError(
                "a decision has to be signed: give --key KEYFILE (finslm models key makes one, and says the public "
                "key for models.approvers); or set models.unsigned_stages for a trial without signatures"
            )
        key = read_private_key(key_file, passphrase)
        named = self.keys.get(by, "").partition(_UNTIL)[0]
        if not self.unsigned and named != public_text(key.public_key()):
            raise ConfigError(
                f"{key_file} is not the key that models.approvers names for {by}; it has {_some(self.keys)}"
            )
        return key.sign


def is_signed(public: str, data: bytes, signature: bytes) -> bool:
    """Whether ``signature`` over ``data`` is of the key whose public half is ``public`` (base64, 32 bytes).

    Raises:
        ConfigError: ``public`` is no such key.
    """
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True)).verify(signature, data)
    except InvalidSignature:
        return False
    except ValueError:
        raise ConfigError(f"public key {public[:64]!r}: 32 bytes in base64 are wanted (finslm models key)") from None
    return True


def public_text(key: Ed25519PublicKey) -> str:
    """The public key as settings and commands write it: 44 characters of base64."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def new_key(file: Path, passphrase: str = "") -> str:
    """Make a key pair; the private half goes to ``file``, which must not exist yet, for its owner's eyes only.

    Args:
        passphrase: encrypts the file; empty: it is not encrypted.

    Returns:
        The public half, see :func:`public_text`.

    Raises:
        ConfigError: the file exists, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    how: KeySerializationEncryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
    try:
        file.touch(0o600, exist_ok=False)
        file.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"key file {file}: {error.strerror}; give a new file in a folder that is yours") from error
    return public_text(key.public_key())


def read_private_key(file: Path, passphrase: Passphrase) -> Ed25519PrivateKey:
    """Read a private key, PKCS #8 PEM.

    Raises:
        ConfigError: unreadable, open to others, encrypted with another passphrase, or of another kind.
    """
    try:
        if file.stat().st_mode & 0o077:
            raise ConfigError(f"key file {file} can be read by others: chmod 600, and consider the key known")
        key = _load(file.read_bytes(), passphrase)
    except OSError as error:
        raise ConfigError(f"key file {file}: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm, InternalError):
        raise ConfigError(f"key file {file}: not a PEM private key, or another passphrase") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"key file {file}: an Ed25519 key is wanted (finslm models key)")
    return key


def _load(data: bytes, passphrase: Passphrase) -> object:
    try:
        return load_pem_private_key(data, password=None)
    except TypeError:  # it is encrypted
        return load_pem_private_key(data, password=passphrase().encode())


def _some(keys: Mapping[str, str]) -> str:
    return ", ".join(sorted(keys)) or "nobody"
