"""Checkpoints: what the log commits to, signed. C2SP tlog-checkpoint in a C2SP signed-note, Ed25519.

::

    bank.example/finslm          origin, also the key's name
    1024                         tree size, decimal
    4vQ9...=                     root hash, base64
                                 (empty line)
    — bank.example/finslm Xy...  base64 of 4 bytes key id and 64 bytes signature
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from finslm.audit.merkle import HASH_BYTES

ED25519: Final = b"\x01"
"""Signature type of Ed25519 in C2SP signed-note."""

_KEY_ID_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 64
_NAME = re.compile(r"[^\s+]{1,128}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree: the log's origin, its size in records and its root hash (32 bytes)."""

    origin: str
    size: int
    root_hash: bytes

    def body(self) -> str:
        """The signed text, with its final newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root_hash).decode()}\n"


class Verifier:
    """A public key and the name it goes by. All that is needed to check a checkpoint."""

    def __init__(self, name: str, key: Ed25519PublicKey) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError("key name: 1 to 128 characters without space or '+'")
        self.name = name
        self._key = key
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._typed = ED25519 + raw
        self.key_id = hashlib.sha256(name.encode() + b"\n" + self._typed).digest()[:_KEY_ID_BYTES]

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a vkey: ``<name>+<key id, 8 hex digits>+<base64 of type and key>``.

        Raises:
            ValueError: another form, another key type, or the key id does not belong to the key.
        """
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        typed = strict_base64(encoded)
        if typed[:1] != ED25519 or len(typed) != 1 + 32:
            raise ValueError("vkey: an Ed25519 key (type 1, 32 bytes) is wanted")
        verifier = cls(name, Ed25519PublicKey.from_public_bytes(typed[1:]))
        if key_id != verifier.key_id.hex():
            raise ValueError("vkey: the key id does not belong to this name and key")
        return verifier

    def vkey(self) -> str:
        """The public key as one line that other C2SP tools read too."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self._typed).decode()}"

    def verify(self, note: str) -> Checkpoint:
        """Read ``note`` and check this key's signature on it; lines of other keys are passed over.

        Raises:
            ValueError: not a checkpoint, of another origin, or without a valid signature of this key.
        """
        body, separator, signatures = note.partition("\n\n")
        if not separator or not signatures.endswith("\n"):
            raise ValueError("checkpoint: not a signed note")
        mine = [s for s in map(_signature, signatures[:-1].split("\n")) if s[:2] == (self.name, self.key_id)]
        if len(mine) != 1:
            raise ValueError(f"checkpoint: {len(mine)} signatures of the key {self.vkey()}, wanted one")
        try:
            self._key.verify(mine[0][2], f"{body}\n".encode())
        except InvalidSignature:
            raise ValueError("checkpoint: the signature does not match its text") from None
        checkpoint = _parse_body(body)
        if checkpoint.origin != self.name:
            raise ValueError(f"checkpoint: of another log than {self.name}")
        return checkpoint


class Signer:
    """The log's private key."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.verifier = Verifier(name, key.public_key())
        self._key = key

    def sign(self, size: int, root_hash: bytes) -> str:
        """A signed note for the tree of this size and root."""
        body = Checkpoint(self.verifier.name, size, root_hash).body()
        signature = base64.b64encode(self.verifier.key_id + self._key.sign(body.encode())).decode()
        return f"{body}\n\u2014 {self.verifier.name} {signature}\n"


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """Name, key id and signature of one signature line."""
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "\u2014" or not _NAME.fullmatch(name):
        raise ValueError("checkpoint: a signature line is '\u2014 name base64'")
    blob = strict_base64(encoded)
    if len(blob) != _KEY_ID_BYTES + _SIGNATURE_BYTES:
        raise ValueError("checkpoint: a signature has 4 bytes key id and 64 bytes signature")
    return name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:]


def _parse_body(body: str) -> Checkpoint:
    lines = body.split("\n")
    if len(lines) != 3 or not _SIZE.fullmatch(lines[1]):
        raise ValueError("checkpoint: three lines are wanted: origin, size, root hash")
    root_hash = strict_base64(lines[2])
    if len(root_hash) != HASH_BYTES:
        raise ValueError(f"checkpoint: root hash of {len(root_hash)} bytes, wanted {HASH_BYTES}")
    return Checkpoint(lines[0], int(lines[1]), root_hash)


def strict_base64(text: str) -> bytes:
    """Decode; only the one canonical spelling counts (RFC 4648 section 3.5)."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data
