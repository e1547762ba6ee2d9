"""Taking the log out of the service's hands: a bundle in the layout of C2SP tlog-tiles, or records as JSON lines.

A bundle verifies on a machine without the service, by ``finslm audit verify`` or by any client of that format.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from finslm.audit import files, merkle
from finslm.audit.keys import VKEY_FILE
from finslm.audit.nodes import nodes_of
from finslm.audit.records import Record
from finslm.audit.rotation import ROTATIONS_DIR
from finslm.audit.scan import CHECKPOINT_FILE
from finslm.audit.tiles import TileBuilder, put
from finslm.audit.verify import VerifyReport, open_verifier, verify_dir
from finslm.audit.witnessed import COSIGNED_FILE
from finslm.errors import ConfigError


def export_bundle(log_dir: Path, out: Path, *, first: int = 0, vkey: str | None = None) -> VerifyReport:
    """Check the whole log and write what its checkpoint covers to the new folder ``out``.

    Args:
        first: records before this one are exported by their hashes only.

    Raises:
        AuditCorrupt, AuditUnavailable, InvalidRequest: as :func:`finslm.audit.verify.verify_dir`.
        ConfigError: ``out`` is there already, or cannot be written.
    """
    building = out.with_name(f"{out.name}.new")
    if out.exists() or building.exists():
        raise ConfigError(f"{out if out.exists() else building} is there already: name a new folder, or remove it")
    verifier, builder = open_verifier(log_dir, vkey), TileBuilder()
    try:
        note = (log_dir / CHECKPOINT_FILE).read_text("utf-8")
        size = verifier.verify(note).size
        read_node = nodes_of(log_dir, size)
        files.make_private_dir(building)

        def take(index: int, record: Record) -> None:
            while builder.size < min(index, size):  # what retention took away
                put(building, builder.add(read_node(merkle.node_position(0, builder.size)), None))
            if index < size:
                entry = record.canonical()
                put(building, builder.add(merkle.leaf_hash(entry), entry if index >= first else None))

        report = verify_dir(log_dir, vkey=vkey, visit=take)
        put(building, builder.partial())
        for name in (VKEY_FILE, COSIGNED_FILE):
            if (log_dir / name).exists():
                shutil.copyfile(log_dir / name, building / name)
        if (log_dir / ROTATIONS_DIR).exists():
            shutil.copytree(log_dir / ROTATIONS_DIR, building / ROTATIONS_DIR)
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


def export_lines(log_dir: Path, out: Path, form: Callable[[int, Record], str], *, vkey: str | None = None) -> int:
    """Check the whole log and write a line for each record to the new file ``out``; return how many.

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
            report = verify_dir(log_dir, vkey=vkey, visit=lambda index, record: _line(file, form(index, record)))
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
