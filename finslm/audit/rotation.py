"""A new signing key for a log that goes on: the old key signs that the new one takes over.

The log's last record under the old key is an EVENT ``KEY_ROTATED`` with the new public key in it. The checkpoint of the
tree that ends with it has both keys' signatures and stays in ``rotations/``, and so does the record, whatever retention
takes away. So who trusts the old key comes to the new one, and to no key that the old one never signed for, whoever can
write the folder.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from finslm.audit import files, merkle
from finslm.audit.checkpoint import Checkpoint, Signer, Verifier
from finslm.audit.file_store import FileStore
from finslm.audit.keys import KEY_FILE, VKEY_FILE, load_or_create_signer, read_private_key, read_vkey
from finslm.audit.records import Kind, Record, parse
from finslm.audit.scan import CHECKPOINT_FILE, IN_DATABASE_FILE, corrupt
from finslm.audit.store import Placed
from finslm.errors import AuditUnavailable, ConfigError

EVENT: Final = "KEY_ROTATED"
ROTATIONS_DIR: Final = "rotations"
NEXT_KEY_FILE: Final = "signing-key.next.pem"
NEXT_LOCK_FILE: Final = "signing-key.next.lock"

_NAME = re.compile(r"([0-9]{12,19})\.checkpoint", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Rotation:
    """A change of keys: the event's index and bytes, the tree that ends with it, and the key that signs from there."""

    record: int
    entry: bytes
    checkpoint: Checkpoint
    after: Verifier

    def check(self, leaf_hash: bytes, root_hash: bytes) -> None:
        """Whether the old key signed a tree whose last record says that the new one takes over.

        Args:
            leaf_hash: of the record at this index, in the log as it was verified.
            root_hash: of the log's tree that ends with it.

        Raises:
            AuditCorrupt: it did not.
        """
        if root_hash != self.checkpoint.root_hash:
            raise corrupt(self.record, "the records are not those that the old key signed at its end")
        if leaf_hash != merkle.leaf_hash(self.entry):
            raise corrupt(self.record, f"no {EVENT} record for the key that {ROTATIONS_DIR} names")


def public_part(verifier: Verifier) -> str:
    """Key id and key of a vkey, without its name: what the event has."""
    return verifier.vkey().removeprefix(f"{verifier.name}+")


def rotate(folder: Path, origin: str) -> Verifier:
    """Give the log in ``folder`` a new key. The service must be stopped; run again, it goes on where it broke off.

    Returns:
        The new public key.

    Raises:
        AuditCorrupt: the log is damaged; it keeps its key.
        AuditUnavailable: the service runs, or the disk refuses.
        ConfigError: the present key cannot be used, or the log lies in a database.
    """
    if (folder / IN_DATABASE_FILE).exists():
        raise ConfigError(f"{folder} has the key of a log in a database: name the file with its connection string")
    try:
        lock = files.lock_exclusively(folder / "lock")
        try:
            return _rotate(folder, origin, lock)
        finally:
            os.close(lock)
    except OSError as error:
        raise AuditUnavailable(f"the key of the log in {folder} was not changed: {error.strerror}") from error


def _rotate(folder: Path, origin: str, lock: int) -> Verifier:
    if (broken_off := finish(folder)) is not None:
        return broken_off
    old = load_or_create_signer(folder, origin)
    new = Signer(origin, _next_key(folder))
    store = FileStore(folder, old, os.dup(lock), lambda: datetime.now(UTC))
    try:
        (placed,) = store.append([change_event(old, new)])
        note = both(old, new, placed)
        _keep(folder, new, placed.index, store.read(placed.index), note)
        files.write_atomically(folder / CHECKPOINT_FILE, note.encode(), 0o644)
    finally:
        store.close()
    _take_over(folder, new)
    return new.verifier


def rotate_postgres(dsn: str, folder: Path, origin: str, *, schema: str = "finslm_audit") -> Verifier:
    """The same for a log in a database whose key lies in ``folder``.

    The database changes keys in one transaction; replicas that run with the old key are refused from then on, and serve
    again once they are started with the new one. Run again after a crash, it goes on where it broke off.

    Raises:
        AuditCorrupt, AuditUnavailable, ConfigError: as :func:`rotate`.
    """
    from finslm.audit.postgres_reader import open_reader  # needs psycopg, which files do not
    from finslm.audit.postgres_store import PostgresStore

    if not (folder / KEY_FILE).exists():
        raise ConfigError(f"{folder} has no key of an audit log: name the folder of the service's (audit.dir)")
    try:
        lock = files.lock_exclusively(folder / NEXT_LOCK_FILE)
    except OSError as error:
        raise AuditUnavailable(f"the key in {folder} was not changed: {error.strerror}") from error
    try:
        if (broken_off := finish(folder)) is not None:
            return broken_off
        old = load_or_create_signer(folder, origin)
        new = Signer(origin, _next_key(folder))
        with open_reader(dsn, schema) as reader:
            changed = reader.vkey == new.verifier.vkey()  # a run that broke off behind the transaction
        if not changed:
            with contextlib.closing(PostgresStore(dsn, old, schema=schema)) as store:
                store.change_key(change_event(old, new), new, lambda placed: both(old, new, placed))
        with contextlib.closing(PostgresStore(dsn, new, schema=schema)) as store:
            note, size = store.checkpoint(), store.head().size
            _keep(folder, new, size - 1, store.read(size - 1), note)
        _take_over(folder, new)
    except OSError as error:
        raise AuditUnavailable(f"the key in {folder} was not changed: {error.strerror}") from error
    finally:
        os.close(lock)
    return new.verifier


def change_event(old: Signer, new: Signer) -> Record:
    """The last record under the old key."""
    details = {"before": public_part(old.verifier), "after": public_part(new.verifier)}
    return Record(Kind.EVENT, event=EVENT, details=details)


def _keep(folder: Path, new: Signer, index: int, entry: bytes, note: str) -> None:
    """What leads from the old key to the new one."""
    files.make_private_dir(folder / ROTATIONS_DIR)
    stem = folder / ROTATIONS_DIR / f"{index + 1:012d}"
    files.write_atomically(stem.with_suffix(".vkey"), f"{new.verifier.vkey()}\n".encode(), 0o644)
    files.write_atomically(stem.with_suffix(".record"), entry, 0o644)
    files.write_atomically(stem.with_suffix(".checkpoint"), note.encode(), 0o644)


def _take_over(folder: Path, new: Signer) -> None:
    files.write_atomically(folder / VKEY_FILE, f"{new.verifier.vkey()}\n".encode(), 0o644)
    finish(folder)


def _next_key(folder: Path) -> Ed25519PrivateKey:
    path = folder / NEXT_KEY_FILE
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        files.write_atomically(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    return read_private_key(path)


def finish(folder: Path) -> Verifier | None:
    """Put the private key in its place, when a change of keys broke off after the public one was there.

    Returns:
        The new public key, when that was all that was left to do.
    """
    path = folder / NEXT_KEY_FILE
    if not path.exists() or not (folder / VKEY_FILE).exists():
        return None
    present = read_vkey(folder / VKEY_FILE)
    if Signer(present.name, read_private_key(path)).verifier.vkey() != present.vkey():
        return None
    path.replace(folder / KEY_FILE)
    files.sync_dir(folder)
    return present


def both(old: Signer, new: Signer, placed: Placed) -> str:
    """A checkpoint of the tree that ends with the event, with the signatures of both keys."""
    size = placed.index + 1
    return old.sign(size, placed.root_hash) + new.sign(size, placed.root_hash).rpartition("\n\n")[2]


def checkpoint_text(folder: Path) -> str:
    """The checkpoint file of a log in files or tiles, unchecked; empty where there is none."""
    place = folder / CHECKPOINT_FILE
    return place.read_text("utf-8", errors="replace") if place.exists() else ""


def follow(folder: Path, trusted: Verifier, note: str | None) -> tuple[Verifier, list[Rotation]]:
    """Come from a trusted key to the one that signs now.

    Args:
        folder: has the changes of keys.
        note: the log's newest checkpoint: where the key of the last change did not sign it, that change broke off.
            None: none can have, as in a database, which changes keys before anything of it is kept here.

    Returns:
        That key, and the changes on the way; whoever reads the log must check each one.

    Raises:
        AuditCorrupt: a file of a change is not what it should be.
        OSError: as the system says.
    """
    passed = list[Rotation]()
    signer, changes = trusted, list[Rotation]()
    for size, path in _rotations(folder):
        try:
            checkpoint = trusted.verify(path.read_text("utf-8"))
        except ValueError:
            continue  # a change before this key's time
        change = _read(size, path, checkpoint, trusted)
        if change is None:
            continue  # the change that brought this key
        passed.append(change)
        trusted = change.after
        if note is None or trusted.has_signed(note):  # else this change broke off, and the key before it signs on
            signer, changes = trusted, list(passed)
    return signer, changes


def _rotations(folder: Path) -> Iterator[tuple[int, Path]]:
    place = folder / ROTATIONS_DIR
    found = [(int(match[1]), path) for path in place.glob("*") if (match := _NAME.fullmatch(path.name))]
    yield from sorted(found)


def _read(size: int, path: Path, checkpoint: Checkpoint, before: Verifier) -> Rotation | None:
    """The files of a change: both keys signed one tree, and the record names the new one. None: that is ``before``."""
    try:
        after = read_vkey(path.with_suffix(".vkey"))
        if checkpoint.size != size or after.verify(path.read_text("utf-8")) != checkpoint:
            raise ValueError("another tree")
        if after.vkey() == before.vkey():
            return None
        entry = path.with_suffix(".record").read_bytes()
        record = parse(entry)
        if record.event != EVENT or record.details.get("after") != public_part(after):
            raise ValueError("another event")
    except (ValueError, ConfigError, FileNotFoundError):
        raise corrupt(size - 1, f"{path.name} in {ROTATIONS_DIR} is not a change of keys with its {EVENT}") from None
    return Rotation(size - 1, entry, checkpoint, after)
