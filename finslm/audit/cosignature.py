"""Cosignatures: what a witness states of a checkpoint. C2SP tlog-cosignature, timestamped Ed25519 (type 4).

A cosignature says: as of this time, the largest tree that I know of this log has this root, and it extends
every tree of this log that I have cosigned before. The signed message is two lines and the checkpoint's text::

    cosignature/v1
    time 1679315147              seconds since the Unix epoch
    bank.example/finslm
    1024
    4vQ9...=

The line in the note has, in base64, 4 bytes of key id, 8 bytes of time (big-endian) and 64 bytes of signature.
"""

from __future__ import annotations

from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from finslm.audit.checkpoint import Note, NoteKey, NoteSignature

COSIGNATURE: Final = b"\x04"
"""Signature type of a timestamped Ed25519 cosignature in C2SP signed-note."""

MAX_TIME_S: Final = (1 << 63) - 1

_TIME_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 64


@final
class CosignatureVerifier:
    """A witness's public key."""

    def __init__(self, name: str, key: Ed25519PublicKey) -> None:
        self.key = NoteKey(name, COSIGNATURE, key)
        self.name, self.key_id = name, self.key.key_id

    @classmethod
    def parse(cls, vkey: str) -> CosignatureVerifier:
        """Read a vkey of type 4.

        Raises:
            ValueError: another form or type, or the key id does not belong to the key.
        """
        key = NoteKey.parse(vkey, COSIGNATURE)
        return cls(key.name, key.public)

    def vkey(self) -> str:
        """The public key as one line that other C2SP tools read too."""
        return self.key.vkey()

    def verify(self, note: Note) -> int | None:
        """The time of this witness's cosignature on ``note``, Unix seconds; None when there is none.

        Raises:
            ValueError: there is one that is not valid, or more than one.
        """
        mine = note.by(self.key)
        if mine is None:
            return None
        if len(mine.signature) != _TIME_BYTES + _SIGNATURE_BYTES:
            raise ValueError("cosignature: 8 bytes of time and 64 bytes of signature are wanted")
        time_s = int.from_bytes(mine.signature[:_TIME_BYTES], "big")
        self.key.check(mine.signature[_TIME_BYTES:], _message(time_s, note.text))
        return time_s


@final
class Cosigner:
    """A witness's private key. It signs whatever it is given: the rules are :class:`finslm.audit.witness.Witness`'s."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.verifier = CosignatureVerifier(name, key.public_key())
        self._key = key

    def cosign(self, text: str, time_s: int) -> NoteSignature:
        """The signature line for a checkpoint's text.

        Args:
            text: the checkpoint without its signatures.
            time_s: now, Unix seconds.

        Raises:
            ValueError: the time is not one that a cosignature can carry.
        """
        signature = self._key.sign(_message(time_s, text))
        stamped = time_s.to_bytes(_TIME_BYTES, "big") + signature
        return NoteSignature(self.verifier.name, self.verifier.key_id, stamped)


def _message(time_s: int, text: str) -> bytes:
    if not 0 < time_s <= MAX_TIME_S:
        raise ValueError(f"cosignature: time {time_s}, wanted 1 to {MAX_TIME_S} seconds since 1970")
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()
