"""What waits in ``pending/`` beside the log, whoever put it there."""

from __future__ import annotations

import os
from pathlib import Path

from finslm.audit import files, spool


def test_what_is_no_event_holds_nothing_up(tmp_path: Path) -> None:
    """A folder, a pipe, links and a file without end are told of; what was left well is there beside them."""
    spool.leave(tmp_path, "LOG_EXPORTED", {"by": "ops"})
    folder = tmp_path / spool.PENDING_DIR
    (folder / "a.json").mkdir()
    os.mkfifo(folder / "b.json")
    (folder / "c.json").symlink_to("/nowhere")
    (folder / "d.json").symlink_to(next(folder.glob("*Z-*.json")))
    with (folder / "e.json").open("wb") as file:
        file.truncate(1 << 34)
    (folder / "f.json").write_bytes(b"\xff[" * 1000)
    found = spool.pending(tmp_path)
    assert len(found) == 7
    assert [record.event for _, record in found if record is not None] == ["LOG_EXPORTED"]
    spool.done(found[0][0])
    assert len(spool.pending(tmp_path)) == 6


def test_a_temporary_file_is_written_anew(tmp_path: Path) -> None:
    """What a write that broke off left, read-only or a link, is neither written through nor in the way."""
    other = tmp_path / "other"
    other.write_text("stays")
    (tmp_path / "tile.new").symlink_to(other)
    files.write_atomically(tmp_path / "tile", b"new", 0o444)
    assert (tmp_path / "tile").read_bytes() == b"new"
    assert not (tmp_path / "tile").is_symlink()
    assert other.read_text() == "stays"
