"""The files that hold the records: ``records.log``, then ``records-<first index>.log``, each one after the other.

A log begins with ``records.log``. Where retention has taken files away, the first that is left says by its
name how many records are gone; their hashes stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, final

FIRST_FILE: Final = "records.log"
_NAME = re.compile(r"records-([0-9]{12,19})\.log", re.ASCII)


@final
@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A file of records and the index of its first."""

    first: int
    path: Path

    def open(self) -> BinaryIO:
        """Open it to read."""
        return self.path.open("rb")


def path_of(folder: Path, first: int) -> Path:
    """The file that begins with record ``first``."""
    return folder / (f"records-{first:012d}.log" if first else FIRST_FILE)


def list_segments(folder: Path) -> list[Segment]:
    """The files that are there, in the order of their records."""
    return sorted(Segment(first, path) for first, path in _found(folder))


def _found(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir():
        if path.name == FIRST_FILE:
            yield 0, path
        elif match := _NAME.fullmatch(path.name):
            yield int(match[1]), path
