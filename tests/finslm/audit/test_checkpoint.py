"""Checkpoints are C2SP signed notes that other tools read, and only the one signed spelling passes."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from finslm.audit.checkpoint import Checkpoint, Signer, Verifier

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ROOT = hashlib.sha256(b"root").digest()
NOTE = Signer("bank.example/finslm", KEY).sign(42, ROOT)
VERIFIER = Verifier.parse(Signer("bank.example/finslm", KEY).verifier.vkey())

# The key and note of the documentation of golang.org/x/mod/sumdb/note, where the format was born.
FOREIGN_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
FOREIGN_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_sign_and_verify_with_the_public_line_alone() -> None:
    """What was signed comes back; the note is three lines, an empty one and a signature line."""
    assert VERIFIER.verify(NOTE) == Checkpoint("bank.example/finslm", 42, ROOT)
    lines = NOTE.split("\n")
    assert lines[:2] == ["bank.example/finslm", "42"]
    assert lines[3] == ""
    assert lines[4].startswith("\u2014 bank.example/finslm ")


def test_reads_a_foreign_key_and_checks_a_foreign_signature() -> None:
    """Key id and signature of Go's implementation check out; its text is then refused for not being a checkpoint."""
    foreign = Verifier.parse(FOREIGN_VKEY)
    assert foreign.vkey() == FOREIGN_VKEY
    with pytest.raises(ValueError, match="three lines"):
        foreign.verify(FOREIGN_NOTE)
    with pytest.raises(ValueError, match="signature does not match"):
        foreign.verify(FOREIGN_NOTE.replace("problem is", "problem was"))


def test_every_changed_byte_is_refused() -> None:
    """No bit of a note is free."""
    raw = NOTE.encode()
    for at in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            with pytest.raises(ValueError):  # noqa: PT011 - UnicodeDecodeError included
                VERIFIER.verify(changed.decode())


def test_a_note_with_cosignatures_verifies() -> None:
    """Lines of other keys (witnesses) are passed over; a note without ours, or with two of ours, is refused."""
    witness = Signer("witness.example", Ed25519PrivateKey.generate()).sign(42, ROOT).splitlines()[-1]
    assert VERIFIER.verify(f"{NOTE}{witness}\n").size == 42
    with pytest.raises(ValueError, match="0 signatures"):
        VERIFIER.verify(NOTE.partition("\n\n")[0] + f"\n\n{witness}\n")
    with pytest.raises(ValueError, match="2 signatures"):
        VERIFIER.verify(NOTE + NOTE.splitlines()[-1] + "\n")


def test_another_logs_checkpoint_is_refused() -> None:
    """A key of the same bytes under another name is another key."""
    with pytest.raises(ValueError, match="0 signatures"):
        VERIFIER.verify(Signer("bank.example/other", KEY).sign(42, ROOT))


@pytest.mark.parametrize(
    "vkey", ["", "a", "a+b", VERIFIER.vkey() + " ", VERIFIER.vkey().upper(), "x" + VERIFIER.vkey()]
)
def test_vkeys_of_another_form_are_refused(vkey: str) -> None:
    """The key id binds name and key."""
    with pytest.raises(ValueError):  # noqa: PT011
        Verifier.parse(vkey)
