"""What a witness keeps: its key, and of each log the last checkpoint that it cosigned.

A folder of its own::

    witness-key.pem     private key, mode 0600
    witness.vkey        public key
    lock                held by the process that serves
    logs/<SHA-256 of the origin>          the last cosigned checkpoint, a note
    logs/<SHA-256 of the origin>.fork     the first checkpoint refused for another root at the same size
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from finslm.audit import files
from finslm.audit.checkpoint import Checkpoint, Note, Verifier, verify_signed
from finslm.audit.cosignature import CosignatureVerifier, Cosigner
from finslm.audit.keys import read_private_key
from finslm.errors import ConfigError

KEY_FILE: Final = "witness-key.pem"
VKEY_FILE: Final = "witness.vkey"
LOCK_FILE: Final = "lock"
LOGS_DIR: Final = "logs"

_ORIGIN_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Seen:
    """The last checkpoint of a log that a witness cosigned, and when (Unix seconds)."""

    text: str
    """The note, with the signatures of log and witness."""
    checkpoint: Checkpoint
    time_s: int

    @classmethod
    def parse(cls, text: str, witness: CosignatureVerifier, logs: Collection[Verifier] | None = None) -> Seen:
        """Read what a witness keeps, or gives out, of a log.

        Args:
            logs: the log's keys; None where they are not known: the witness's own signature must do then.

        Raises:
            ValueError: not a checkpoint that this witness has cosigned and the log has signed.
        """
        note = Note.parse(text)
        time_s = witness.verify(note)
        if time_s is None:
            raise ValueError(f"checkpoint: not cosigned by {witness.name}")
        checkpoint = Checkpoint.parse(note.text) if logs is None else verify_signed(note, logs)
        return cls(text, checkpoint, time_s)


def create_key(folder: Path, name: str) -> CosignatureVerifier:
    """Make the key of a new witness.

    Raises:
        ConfigError: the folder has a key already, or the name is none.
        OSError: as the system says.
    """
    if (folder / KEY_FILE).exists() or (folder / VKEY_FILE).exists():
        raise ConfigError(f"witness: {folder} has a key already: give a new witness a folder of its own")
    key = Ed25519PrivateKey.generate()
    try:
        cosigner = Cosigner(name, key)
    except ValueError as error:
        raise ConfigError(f"witness: {error}; a name like witness.bank.example/risk is wanted") from None
    files.make_private_dir(folder / LOGS_DIR)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files.write_atomically(folder / KEY_FILE, pem)
    files.write_atomically(folder / VKEY_FILE, f"{cosigner.verifier.vkey()}\n".encode(), 0o644)
    return cosigner.verifier


def read_public_key(folder: Path) -> CosignatureVerifier:
    """The public key of the witness in ``folder``.

    Raises:
        ConfigError: unreadable, or not a witness's vkey.
    """
    path = folder / VKEY_FILE
    try:
        return CosignatureVerifier.parse(path.read_text("utf-8").removesuffix("\n"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"witness: public key {path}: {type(error).__name__}; make a witness with: finslm witness init"
        ) from None


def read_cosigner(folder: Path) -> Cosigner:
    """The private key of the witness in ``folder``, under the name of its public key.

    Raises:
        ConfigError: one of both is missing, not usable, or they do not belong together.
    """
    public = read_public_key(folder)
    try:
        cosigner = Cosigner(public.name, read_private_key(folder / KEY_FILE))
    except OSError as error:
        raise ConfigError(f"witness: {folder / KEY_FILE}: {error.strerror}: restore it from its backup") from None
    if cosigner.verifier.vkey() != public.vkey():
        raise ConfigError(f"witness: {folder / VKEY_FILE} is not the public key of {folder / KEY_FILE}")
    return cosigner


def path_of(folder: Path, origin: str) -> Path:
    """Where the witness of ``folder`` keeps the last checkpoint of a log."""
    return folder / LOGS_DIR / hash_of(origin)


def hash_of(origin: str) -> str:
    """SHA-256 of an origin, hex: how files and URLs name a log (C2SP tlog-witness)."""
    return hashlib.sha256(origin.encode()).hexdigest()


def read_seen(path: Path, witness: CosignatureVerifier, logs: Collection[Verifier] | None = None) -> Seen | None:
    """What the witness has cosigned last of a log; None when nothing.

    Raises:
        ConfigError: the file is damaged, or of another log. Nobody may go on from there by guessing.
        OSError: as the system says.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        seen = Seen.parse(data.decode(), witness, logs)
        if hash_of(seen.checkpoint.origin) != path.name:
            raise ValueError("of another log than the file's name says")
    except ValueError as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ConfigError(
            f"witness: {path} is damaged ({what}): do not delete it, the witness would begin anew; restore it, or "
            "give the key that the log had before with another --log"
        ) from None
    return seen


def list_seen(folder: Path) -> Iterator[Seen]:
    """All that the witness of ``folder`` has cosigned last; reads while it serves. Raises as :func:`read_seen`."""
    public = read_public_key(folder)
    for path in sorted((folder / LOGS_DIR).iterdir()):
        if _ORIGIN_HASH.fullmatch(path.name) and (seen := read_seen(path, public)) is not None:
            yield seen
