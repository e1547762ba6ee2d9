"""Who explains labels: a file, an installed model, or a server inside the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from finslm.train.distilling.recipe import EndpointRationales, FileRationales, LocalRationales, Rationales
from finslm.train.distilling.teachers.base import Row, Teacher
from finslm.train.distilling.teachers.endpoint import EndpointTeacher
from finslm.train.distilling.teachers.file import FileTeacher
from finslm.train.distilling.teachers.local import LocalTeacher

__all__ = ["EndpointTeacher", "FileTeacher", "LocalTeacher", "Row", "Teacher", "teacher_of"]


def teacher_of(said: Rationales, data: Path, installed: Callable[[str], Path]) -> Teacher | None:
    """The teacher that a recipe names; None where it names none.

    Args:
        data: folder that a file's path is relative to.
        installed: from a model's name to its folder.

    Raises:
        ConfigError: it cannot be used.
    """
    match said:
        case FileRationales():
            return FileTeacher(data / said.path)
        case LocalRationales():
            return LocalTeacher(installed(said.model), said)
        case EndpointRationales():
            return EndpointTeacher(said)
        case _:
            return None
