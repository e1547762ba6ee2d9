"""Taking the log out of the service's hands: a bundle in the layout of C2SP tlog-tiles, or records as JSON lines.

A bundle verifies on a machine without the service, by ``finslm audit verify`` or by any client of that format.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TextIO

from finslm.audit import files, merkle
from finslm.audit.checkpoint import Checkpoint, Note
from finslm.audit.keys import VKEY_FILE
from finslm.audit.nodes import nodes_of
from finslm.audit.records import Record
from finslm.audit.rotation import ROTATIONS_DIR, checkpoint_text
from finslm.audit.scan import CHECKPOINT_FILE, corrupt
from finslm.audit.tiles import TileBuilder, put
from finslm.audit.verify import Reader, VerifyReport, verify_dir, verify_reader
from finslm.audit.witnessed import COSIGNED_FILE
from finslm.errors import ConfigError


class Verify(Protocol):
    """Reads a whole log and checks all of it: :func:`verify_dir` or :func:`verify_reader` of one."""

    def __call__(self, *, visit: Callable[[int, Record], None] | None = None) -> VerifyReport:
        """``visit`` gets each record."""
        ...


def export_bundle(log_dir: Path, out: Path, *, first: int = 0, vkey: str | None = None) -> VerifyReport:
    """Check the whole log and write what its checkpoint covers to the new folder ``out``.

    Args:
        first: records before this one are exported by their hashes only.

    Raises:
        AuditCorrupt, AuditUnavailable, InvalidRequest: as :func:`finslm.audit.verify.verify_dir`.
        ConfigError: ``out`` is there already, or cannot be written.
    """
    note, size = checkpoint_text(log_dir), checkpoint_size(log_dir)
    return _bundle(partial(verify_dir, log_dir, vkey=vkey), log_dir, note, nodes_of(log_dir, size), out, first)


def export_reader(
    reader: Reader, key_dir: Path | None, out: Path, *, first: int = 0, vkey: str | None = None
) -> VerifyReport:
    """The same for a log that lies in a database, with its key's folder; None: there is ``vkey``.

    Raises:
        AuditCorrupt, AuditUnavailable, InvalidRequest: as :func:`finslm.audit.verify.verify_reader`.
        ConfigError: ``out`` is there already, or cannot be written.
    """
    verify = partial(verify_reader, reader, key_dir, vkey=vkey)
    report = _bundle(verify, key_dir, reader.note, reader.read_node, out, first)
    if vkey is not None and not (out / VKEY_FILE).exists():
        files.write_atomically(out / VKEY_FILE, vkey.encode("ascii"), 0o644)
    return report


def _bundle(
    verify: Verify, key_dir: Path | None, note: str, read_node: merkle.ReadNode, out: Path, first: int
) -> VerifyReport:
    building = out.with_name(f"{out.name}.new")
    if out.exists() or building.exists():
        raise ConfigError(f"{out if out.exists() else building} is there already: name a new folder, or remove it")
    size, builder = _size(note), TileBuilder()
    try:
        files.make_private_dir(building)

        def take(index: int, record: Record) -> None:
            while builder.size < min(index, size):  # what retention took away
                put(building, builder.add(read_node(merkle.node_position(0, builder.size)), None))
            if index < size:
                entry = record.canonical()
                put(building, builder.add(merkle.leaf_hash(entry), entry if index >= first else None))

        report = verify(visit=take)
        put(building, builder.partial())
        if key_dir is not None:
            _copy_keys(key_dir, building)
        files.write_atomically(building / CHECKPOINT_FILE, note.encode(), 0o644)
        building.rename(out)
        files.sync_dir(out.parent)
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise ConfigError(f"the bundle cannot be written to {out}: {error.strerror}") from None
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return report


def _copy_keys(key_dir: Path, building: Path) -> None:
    for name in (VKEY_FILE, COSIGNED_FILE):
        if (key_dir / name).exists():
            shutil.copyfile(key_dir / name, building / name)
    if (key_dir / ROTATIONS_DIR).exists():
        shutil.copytree(key_dir / ROTATIONS_DIR, building / ROTATIONS_DIR)


def checkpoint_size(folder: Path) -> int:
    """Records under the checkpoint of a log in files or tiles, its signature unchecked; 0 without one."""
    note = checkpoint_text(folder)
    return _size(note) if note else 0


def _size(note: str) -> int:
    try:
        return Checkpoint.parse(Note.parse(note).text).size
    except ValueError as error:
        raise corrupt(0, f"the checkpoint is not valid ({error})") from None


def export_lines(verify: Verify, out: Path, form: Callable[[int, Record], str]) -> int:
    """Check the whole log, as ``verify`` does, and write a line a record to the new file ``out``; return how many.

    Args:
        form: from the index and the record to its line, without the line feed.

    Raises:
        AuditCorrupt, AuditUnavailable, InvalidRequest: as :func:`finslm.audit.verify.verify_dir`.
        ConfigError: ``out`` is there already, or cannot be written.
    """
    building = out.with_name(f"{out.name}.new")
    if out.exists():
        raise ConfigError(f"{out} is there already: name a new file, or remove it")
    try:
        with open(building, "x", encoding="utf-8", opener=_private) as file:
            report = verify(visit=lambda index, record: _line(file, form(index, record)))
        building.replace(out)
    except FileExistsError:
        raise ConfigError(f"{building} is there already: another export runs, or broke off: remove it") from None
    except OSError as error:
        building.unlink(missing_ok=True)
        raise ConfigError(f"the export cannot be written to {out}: {error.strerror}") from None
    except BaseException:
        building.unlink(missing_ok=True)
        raise
    return report.records


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _line(file: TextIO, text: str) -> None:
    file.write(f"{text}\n")


def json_line(index: int, record: Record) -> str:
    """Index, leaf hash and the record as it is stored."""
    entry = record.canonical()
    return f'{{"index":{index},"leaf_hash":"{merkle.leaf_hash(entry).hex()}","record":{entry.decode()}}}'
