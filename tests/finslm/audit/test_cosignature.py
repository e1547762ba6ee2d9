"""Cosignatures are C2SP's timestamped Ed25519 signatures, and only the one signed spelling passes."""

from __future__ import annotations

import base64
import hashlib
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from finslm.audit.checkpoint import Note, Signer, Verifier, verify_signed
from finslm.audit.cosignature import CosignatureVerifier, Cosigner

ORIGIN = "bank.example/finslm"
LOG = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
WITNESS = Cosigner("witness.example/w1", KEY)
ROOT = hashlib.sha256(b"root").digest()
NOTE = Note.parse(LOG.sign(42, ROOT))
TIME_S = 1_770_000_000

# Made with filippo.io/torchwood and golang.org/x/mod/sumdb/note (Go): keys, a log's signature and a cosignature.
GO_LOG = "log.example/go+b5a871b9+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
GO_WITNESS = "witness.example/go+6993be35+BBOY9ixtGkV8UbpqS189vS9p/KkyFiGNyJl+QWvRfZPK"
GO_NOTE = """\
log.example/go
20852163
SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=

— log.example/go tahxuc+pTKta+CIlqAc3X1rtyC3BNMwRNQnXZuNmvYJsOTO+r6NTQRwTaP1NvLWcTyPzBmDnH+nSUE1udlWYonfChA8=
— witness.example/go \
aZO+NQAAAABrC2zbkJAf0KqoUMgUZnUvir7PIF3TJntzwqR6jAzzHFoIVdmAJRTjrbNd+jANF/fc2zIniH22oebOW1kr0pjnOMc7Bw==
"""


def cosigned(*lines: str) -> Note:
    return Note.parse(LOG.sign(42, ROOT) + "".join(lines))


def test_the_bytes_are_those_of_the_specification() -> None:
    """Key id, message and blob made here by hand, from the standard library and Ed25519 alone."""
    raw = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = hashlib.sha256(b"witness.example/w1\n\x04" + raw).digest()[:4]
    text = f"{ORIGIN}\n42\n{base64.b64encode(ROOT).decode()}\n"
    signature = KEY.sign(f"cosignature/v1\ntime {TIME_S}\n{text}".encode())
    blob = base64.b64encode(key_id + struct.pack(">Q", TIME_S) + signature).decode()
    assert WITNESS.cosign(NOTE.text, TIME_S).line() == f"— witness.example/w1 {blob}\n"
    typed = base64.b64encode(b"\x04" + raw).decode()
    assert WITNESS.verifier.vkey() == f"witness.example/w1+{key_id.hex()}+{typed}"


def test_what_another_implementation_signed_verifies_and_is_what_we_sign() -> None:
    """Ed25519 has one signature of a text: from the same key and time ours is the same line."""
    note = Note.parse(GO_NOTE)
    witness, log = CosignatureVerifier.parse(GO_WITNESS), Verifier.parse(GO_LOG)
    assert (witness.vkey(), log.vkey()) == (GO_WITNESS, GO_LOG)
    assert log.verify(GO_NOTE).size == 20852163
    time_s = witness.verify(note)
    assert time_s is not None
    cosigner = Cosigner("witness.example/go", Ed25519PrivateKey.from_private_bytes(bytes([8] * 32)))
    assert cosigner.cosign(note.text, time_s).line() == f"{GO_NOTE.splitlines()[-1]}\n"


def test_a_cosignature_comes_back_with_its_time() -> None:
    note = cosigned(WITNESS.cosign(NOTE.text, TIME_S).line())
    public = CosignatureVerifier.parse(WITNESS.verifier.vkey())
    assert public.verify(note) == TIME_S
    assert public.verify(NOTE) is None
    assert verify_signed(note, [LOG.verifier]).size == 42


def test_every_changed_bit_of_a_cosignature_is_refused_or_no_cosignature() -> None:
    """What no longer names the key is another's line, and is passed over; the rest does not verify."""
    line = WITNESS.cosign(NOTE.text, TIME_S)
    blob = line.key_id + line.signature
    for at in range(len(blob) * 8):
        changed = bytearray(blob)
        changed[at // 8] ^= 1 << at % 8
        note = cosigned(f"— witness.example/w1 {base64.b64encode(changed).decode()}\n")
        if at < 32:
            assert WITNESS.verifier.verify(note) is None
        else:
            with pytest.raises(ValueError):
                WITNESS.verifier.verify(note)


def test_it_counts_for_its_text_alone() -> None:
    line = WITNESS.cosign(NOTE.text, TIME_S).line()
    with pytest.raises(ValueError, match="does not match"):
        WITNESS.verifier.verify(Note.parse(LOG.sign(43, ROOT) + line))


def test_two_lines_of_one_witness_are_refused() -> None:
    lines = (WITNESS.cosign(NOTE.text, TIME_S).line(), WITNESS.cosign(NOTE.text, TIME_S + 1).line())
    with pytest.raises(ValueError, match="2 signatures"):
        WITNESS.verifier.verify(cosigned(*lines))


def test_lines_of_unknown_keys_and_types_are_passed_over() -> None:
    """Other lengths, other names, other ids: C2SP signed-note wants them ignored."""
    foreign = [f"— other.example/{n} {base64.b64encode(bytes(4 + n)).decode()}\n" for n in (1, 64, 72, 2428)]
    foreign.append(f"— witness.example/w1 {base64.b64encode(bytes(76)).decode()}\n")
    note = cosigned(*foreign, WITNESS.cosign(NOTE.text, TIME_S).line())
    assert WITNESS.verifier.verify(note) == TIME_S
    assert LOG.verifier.verify_note(note).size == 42


@pytest.mark.parametrize("time_s", [0, -1, 1 << 63])
def test_times_that_no_cosignature_can_carry(time_s: int) -> None:
    with pytest.raises(ValueError, match="time"):
        WITNESS.cosign(NOTE.text, time_s)


def test_keys_of_the_other_type_are_refused() -> None:
    """A log's key does not cosign, a witness's key signs no log, though the bytes of the key be the same."""
    with pytest.raises(ValueError, match="type 4"):
        CosignatureVerifier.parse(LOG.verifier.vkey())
    with pytest.raises(ValueError, match="type 1"):
        Verifier.parse(WITNESS.verifier.vkey())


def test_a_log_that_changed_its_key_is_known_by_either() -> None:
    later = Signer(ORIGIN, KEY)
    for note in (LOG.sign(1, ROOT), later.sign(1, ROOT)):
        assert verify_signed(Note.parse(note), [LOG.verifier, later.verifier]).size == 1
    with pytest.raises(ValueError, match="none of"):
        verify_signed(Note.parse(later.sign(1, ROOT)), [LOG.verifier])
    broken = LOG.sign(1, ROOT) + later.sign(2, ROOT).splitlines()[-1] + "\n"
    with pytest.raises(ValueError, match="does not match"):
        verify_signed(Note.parse(broken), [LOG.verifier, later.verifier])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        "a\n\n",
        LOG.sign(1, ROOT).rstrip("\n"),
        LOG.sign(1, ROOT).replace("\n", "\r\n"),
        LOG.sign(1, ROOT) + "\n",
        LOG.sign(1, ROOT).replace("—", "-"),
        LOG.sign(1, ROOT) + "— w AAAA\n",
        LOG.sign(1, ROOT) + "— w AAAAAAB=\n",
        LOG.sign(1, ROOT) + "— a b AAAAAAA=\n",
        LOG.sign(1, ROOT) + "— w AAAAAAA=\n" * 64,
    ],
)
def test_notes_of_another_form_are_refused(note: str) -> None:
    with pytest.raises(ValueError):
        Note.parse(note)


def test_extension_lines_of_other_logs_are_signed_with_the_rest() -> None:
    """C2SP tlog-checkpoint allows them; they are part of what is signed."""
    text = f"{NOTE.text}extension\n"
    signature = WITNESS.cosign(text, TIME_S)
    assert WITNESS.verifier.verify(Note(text, (signature,))) == TIME_S
    with pytest.raises(ValueError, match="does not match"):
        WITNESS.verifier.verify(Note(NOTE.text, (signature,)))


@given(st.text())
def test_any_text_is_a_note_or_a_value_error(text: str) -> None:
    try:
        note = Note.parse(text)
    except ValueError:
        return
    assert text == f"{note.text}\n{''.join(line.line() for line in note.signatures)}"
