"""Files that somebody carried here: a wheel, a folder of wheels, or the folder of an installed model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from finslm.errors import ConfigError
from finslm.models.manifest import ModelEntry
from finslm.models.seal import SEAL_NAME
from finslm.models.sources.base import Fetched, Progress, ReadyFiles, WheelFile


@final
@dataclass(frozen=True, slots=True)
class LocalFiles:
    """A wheel file, or a folder with the wheel, with the model's folder, or with the model's files."""

    path: Path

    def fetch(self, name: str, entry: ModelEntry, into: Path, progress: Progress) -> Fetched:  # noqa: ARG002 - the Protocol's
        """Point at the files, which stay where they are; see :class:`~finslm.models.sources.base.Source`."""
        if self.path.is_file():
            if self.path.suffix != ".whl" or entry.wheel is None:
                raise ConfigError(f"model {name}: --from {self.path}: a .whl file or a folder is wanted")
            return WheelFile(self.path, "wheel")
        if entry.wheel is not None and (wheel := self.path / entry.wheel.filename).is_file():
            return WheelFile(wheel, "wheel")
        for folder in (self.path / name, self.path):
            if (folder / SEAL_NAME).is_file():
                return ReadyFiles(folder, "folder")
        wanted = f"{entry.wheel.filename} or " if entry.wheel else ""
        raise ConfigError(f"model {name}: {self.path} holds neither {wanted}an installed model ({SEAL_NAME})")
