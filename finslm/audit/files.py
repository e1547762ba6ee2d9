"""Small file operations that mean what they say: durable, atomic, exclusive."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from finslm.errors import AuditUnavailable


def make_private_dir(path: Path) -> None:
    """Create ``path`` (mode 0700) and its parents, and make the new entries durable."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_dir(folder.parent)


def sync_dir(path: Path) -> None:
    """Make the names in a folder durable: renames and new files."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace ``path``; a crash leaves the old or the new content, never a mixture. Durable on return.

    Raises:
        OSError: as the system says; ``path`` then has its old content.
    """
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)  # of a write that broke off: it may be read-only, as ``mode`` says
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.rename(path)
    sync_dir(path.parent)


def write_all(fd: int, data: bytes, offset: int | None = None) -> None:
    """Write all of ``data``, at ``offset`` or at the end of a file opened to append.

    Raises:
        OSError: as the system says; part of ``data`` may then be in the file.
    """
    view = memoryview(data)
    while view:
        written = os.write(fd, view) if offset is None else os.pwrite(fd, view, offset)
        view = view[written:]
        offset = None if offset is None else offset + written


@contextlib.contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait for one's turn at a lock file, and hold it; made where there is none.

    Raises:
        OSError: as the system says.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def lock_exclusively(path: Path, what: str = "the audit log", setting: str = "audit.dir") -> int:
    """Take the lock file; it is held until the returned descriptor is closed or the process ends.

    Args:
        path: of the lock file; made where there is none.
        what: the folder is of, for the message.
        setting: that names the folder, for the message.

    Raises:
        AuditUnavailable: another process (or another object in this one) holds it.
        OSError: as the system says.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise AuditUnavailable(
            f"another process writes {what} in {path.parent}: stop it, or give this one its own {setting}"
        ) from None
    except OSError:
        os.close(fd)
        raise
    return fd
