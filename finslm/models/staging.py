"""All or nothing on disk: a lock, a folder to build in, and one rename that makes it visible."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from finslm.models.content import walk_files


@contextlib.contextmanager
def locked(models_dir: Path, name: str) -> Iterator[None]:
    """Hold the lock of one model; waits for another pull of it. The system frees it when a holder dies."""
    with (models_dir / f".{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def build_folder(models_dir: Path, name: str) -> Iterator[Path]:
    """Sweep what killed pulls left, and give a fresh folder on the same volume; removed at the end.

    Call it with the lock held: whatever bears this model's ``.partial`` name is then nobody's.
    """
    for left in models_dir.glob(f".{name}.*.partial"):
        remove(left)
    folder = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".partial", dir=models_dir))
    try:
        yield folder
    finally:
        remove(folder)


def remove(path: Path) -> None:
    """Delete a folder, or a link without following it."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def publish(built: Path, target: Path, aside: Path) -> None:
    """Make ``built`` durable and visible as ``target``; what was there goes to ``aside``.

    Everything is synced before the rename, so a crash leaves the old state or the new one; in the
    instant between the two renames of a replacement there is none, and a pull repairs that.
    """
    folders = {built}
    for _, path in walk_files(built):
        path.chmod(0o644)  # safetensors writes 0600; the service runs as another user
        _sync(path)
        folders.update(parent for parent in path.parents if parent.is_relative_to(built))
    for folder in folders:
        folder.chmod(0o755)
        _sync(folder)
    if target.is_symlink() or target.exists():
        target.rename(aside)
    built.rename(target)
    _sync(target.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Write ``data`` as ``path``, readable by all: after a crash it is the old file or the new one.

    Raises:
        OSError: as the system says; the old file is as it was.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
