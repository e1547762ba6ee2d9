"""Events of tools that stand beside the log: a report was drawn, the log was exported, a hold was set.

Only the service writes the log. A tool leaves a file in ``pending/`` beside it, durably and before it says that it is
done; the service puts it on record within a minute, or at its next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from finslm.audit import files
from finslm.audit.records import Kind, Record, utc_stamp
from finslm.errors import AuditUnavailable

PENDING_DIR: Final = "pending"
EVENTS: Final = frozenset(
    {"REPORT_DRAWN", "LOG_EXPORTED", "LOG_SEARCHED", "HOLD_SET", "HOLD_LIFTED", "SUBJECT_SEARCHED", "SUBJECT_ERASED"}
)
"""What a tool may put on record."""
MAX_BYTES: Final = 4096

_MODES: Final = os.R_OK | os.W_OK | os.X_OK


def is_live(log_dir: Path) -> bool:
    """Whether a service writes this folder, now or again: a copy taken elsewhere has no lock file."""
    return (log_dir / "lock").exists() and os.access(log_dir, _MODES)


@contextlib.contextmanager
def alone(log_dir: Path) -> Iterator[bool]:
    """Whether no other process takes events in while this one does.

    Raises:
        OSError: as the system says.
    """
    if not is_live(log_dir):
        yield False
        return
    fd = os.open(log_dir / "pending.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(fd)
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def leave(log_dir: Path, event: str, details: Mapping[str, str], tenant: str = "") -> None:
    """Leave an event for the service to record.

    Raises:
        ValueError: not one of :data:`EVENTS`, or details that no record may have.
        AuditUnavailable: the folder cannot be written.
    """
    if event not in EVENTS:
        raise ValueError(f"no tool records {event}")
    facts = {"id": uuid.uuid4().hex, "at": utc_stamp(datetime.now(UTC)), **details}
    Record(Kind.EVENT, event=event, tenant=tenant, details=facts)  # its rules hold already here
    text = json.dumps({"event": event, "tenant": tenant, "details": facts})
    folder = log_dir / PENDING_DIR
    try:
        files.make_private_dir(folder)
        files.write_atomically(folder / f"{facts['at'].replace(':', '')}-{facts['id']}.json", text.encode())
    except OSError as error:
        raise AuditUnavailable(f"what was done cannot be recorded in {folder}: {error.strerror}") from error


def pending(log_dir: Path) -> list[tuple[Path, Record | None]]:
    """What waits, oldest first; None for a file that is no event: the caller tells of it and leaves it.

    Raises:
        OSError: as the system says.
    """
    folder = log_dir / PENDING_DIR
    return [(path, _read(path)) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []


def done(path: Path) -> None:
    """Take away what is on record. Durable on return.

    Files that come back together, after a loss of power, would be recorded again, in an order that was never theirs.

    Raises:
        OSError: as the system says.
    """
    path.unlink(missing_ok=True)
    files.sync_dir(path.parent)


def _read(path: Path) -> Record | None:
    try:
        tree = json.loads(_bytes(path))
        if tree["event"] not in EVENTS or not isinstance(tree["details"], dict):
            return None
        return Record(Kind.EVENT, event=tree["event"], tenant=tree["tenant"], details=tree["details"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _bytes(path: Path) -> bytes:
    """At most :data:`MAX_BYTES` of a file. Nothing that is no file is waited for or followed: it holds no other up.

    Raises:
        ValueError: a link, a folder or a pipe.
        OSError: as the system says.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError("no file")
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(fd, MAX_BYTES)
    finally:
        os.close(fd)
