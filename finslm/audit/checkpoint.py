"""Checkpoints: what the log commits to, signed. C2SP tlog-checkpoint in a C2SP signed-note, Ed25519.

::

    bank.example/finslm          origin, also the key's name
    1024                         tree size, decimal
    4vQ9...=                     root hash, base64
                                 (empty line)
    — bank.example/finslm Xy...  base64 of 4 bytes key id and 64 bytes signature
    — witness.example/w1 kP...   any number of other keys' lines
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from finslm.audit.merkle import HASH_BYTES

ED25519: Final = b"\x01"
"""Signature type of Ed25519 in C2SP signed-note."""

MAX_SIGNATURES: Final = 64
"""Most signature lines of a note; C2SP signed-note asks for at least 16."""

_KEY_ID_BYTES: Final = 4
_NAME = re.compile(r"[^\s+]{1,128}")
_ANY_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
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

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the signed text. Extension lines, which other logs may have, are passed over.

        Raises:
            ValueError: another form.
        """
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < 3 or not all(lines) or not _SIZE.fullmatch(lines[1]):
            raise ValueError("checkpoint: three lines are wanted: origin, size, root hash")
        root_hash = strict_base64(lines[2])
        if len(root_hash) != HASH_BYTES:
            raise ValueError(f"checkpoint: root hash of {len(root_hash)} bytes, wanted {HASH_BYTES}")
        return cls(lines[0], int(lines[1]), root_hash)


@final
@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note, of whatever key and type."""

    name: str
    key_id: bytes
    signature: bytes

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """Read a line, without its newline.

        Raises:
            ValueError: another form.
        """
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\u2014" or not _ANY_NAME.fullmatch(name):
            raise ValueError("checkpoint: a signature line is '\u2014 name base64'")
        blob = strict_base64(encoded)
        if len(blob) <= _KEY_ID_BYTES:
            raise ValueError("checkpoint: a signature has 4 bytes key id and more")
        return cls(name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:])

    def line(self) -> str:
        """The line, with its newline."""
        return f"\u2014 {self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@final
@dataclass(frozen=True, slots=True)
class Note:
    """A text and who signed it (C2SP signed-note). Nothing is verified yet."""

    text: str
    """With its final newline."""
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, note: str) -> Note:
        """Read a note.

        Raises:
            ValueError: another form, control characters, or more than :data:`MAX_SIGNATURES` lines.
        """
        text, separator, lines = note.rpartition("\n\n")
        if not separator or not lines.endswith("\n") or _CONTROL.search(note):
            raise ValueError("checkpoint: not a signed note")
        signatures = lines[:-1].split("\n")
        if len(signatures) > MAX_SIGNATURES:
            raise ValueError(f"checkpoint: {len(signatures)} signatures, limit {MAX_SIGNATURES}")
        return cls(f"{text}\n", tuple(map(NoteSignature.parse, signatures)))

    def by(self, key: NoteKey) -> NoteSignature | None:
        """The line of ``key``, or None; it is not verified. Lines of other keys and types are passed over.

        Raises:
            ValueError: there is more than one.
        """
        mine = [s for s in self.signatures if (s.name, s.key_id) == (key.name, key.key_id)]
        if len(mine) > 1:
            raise ValueError(f"checkpoint: {len(mine)} signatures of the key {key.vkey()}, wanted one")
        return mine[0] if mine else None


class NoteKey:
    """An Ed25519 public key of signed notes: the name it goes by and what it signs (its type, one byte)."""

    def __init__(self, name: str, kind: bytes, key: Ed25519PublicKey) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError("key name: 1 to 128 characters without space or '+'")
        self.name, self.public = name, key
        self.raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._typed = kind + self.raw
        self.key_id = hashlib.sha256(name.encode() + b"\n" + self._typed).digest()[:_KEY_ID_BYTES]

    @classmethod
    def parse(cls, vkey: str, kind: bytes) -> NoteKey:
        """Read a vkey: ``<name>+<key id, 8 hex digits>+<base64 of type and key>``.

        Raises:
            ValueError: another form, another type than ``kind``, or the key id does not belong to the key.
        """
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        typed = strict_base64(encoded)
        if typed[:1] != kind or len(typed) != 1 + 32:
            raise ValueError(f"vkey: an Ed25519 key (type {kind[0]}, 32 bytes) is wanted")
        key = cls(name, kind, Ed25519PublicKey.from_public_bytes(typed[1:]))
        if key_id != key.key_id.hex():
            raise ValueError("vkey: the key id does not belong to this name and key")
        return key

    def vkey(self) -> str:
        """The public key as one line that other C2SP tools read too."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self._typed).decode()}"

    def check(self, signature: bytes, message: bytes) -> None:
        """Check an Ed25519 signature.

        Raises:
            ValueError: it does not match.
        """
        try:
            self.public.verify(signature, message)
        except InvalidSignature:
            raise ValueError("checkpoint: the signature does not match its text") from None


class Verifier:
    """A public key and the name it goes by. All that is needed to check a checkpoint."""

    def __init__(self, name: str, key: Ed25519PublicKey) -> None:
        self.key = NoteKey(name, ED25519, key)
        self.name, self.key_id = name, self.key.key_id

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a vkey: ``<name>+<key id, 8 hex digits>+<base64 of type and key>``.

        Raises:
            ValueError: another form, another key type, or the key id does not belong to the key.
        """
        key = NoteKey.parse(vkey, ED25519)
        return cls(key.name, key.public)

    def vkey(self) -> str:
        """The public key as one line that other C2SP tools read too."""
        return self.key.vkey()

    def has_signed(self, note: str) -> bool:
        """Whether ``note`` is a checkpoint with a valid signature of this key."""
        try:
            self.verify(note)
        except ValueError:
            return False
        return True

    def verify(self, note: str) -> Checkpoint:
        """Read ``note`` and check this key's signature on it; lines of other keys are passed over.

        Raises:
            ValueError: not a checkpoint, of another origin, or without a valid signature of this key.
        """
        return self.verify_note(Note.parse(note))

    def verify_note(self, note: Note) -> Checkpoint:
        """Check this key's signature on ``note``; raises as :meth:`verify`."""
        mine = note.by(self.key)
        if mine is None:
            raise ValueError(f"checkpoint: 0 signatures of the key {self.vkey()}, wanted one")
        self.key.check(mine.signature, note.text.encode())
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != self.name:
            raise ValueError(f"checkpoint: of another log than {self.name}")
        return checkpoint


def verify_signed(note: Note, verifiers: Iterable[Verifier]) -> Checkpoint:
    """Check ``note`` with the keys of a log, of which it may have changed one for another.

    Raises:
        ValueError: not a checkpoint, signed by none of them, or a signature of one of them does not match.
    """
    found = [verifier.verify_note(note) for verifier in verifiers if note.by(verifier.key) is not None]
    if not found:
        raise ValueError("checkpoint: signed by none of the log's known keys")
    return found[0]


class Signer:
    """The log's private key."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.verifier = Verifier(name, key.public_key())
        self._key = key

    def sign(self, size: int, root_hash: bytes) -> str:
        """A signed note for the tree of this size and root."""
        body = Checkpoint(self.verifier.name, size, root_hash).body()
        signature = NoteSignature(self.verifier.name, self.verifier.key_id, self._key.sign(body.encode()))
        return f"{body}\n{signature.line()}"


def strict_base64(text: str) -> bytes:
    """Decode; only the one canonical spelling counts (RFC 4648 section 3.5)."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data
