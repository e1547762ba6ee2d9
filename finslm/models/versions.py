"""Several versions of one model beside each other: how they are named, and in which folders they are.

``<models_dir>/<name>/`` holds what was pulled. A version that came in by ``finslm models add`` has a folder of its own,
``<models_dir>/<name>@<16 digits of its digest>/``, so that nothing is ever overwritten.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from finslm.errors import UnknownModel
from finslm.models.manifest import NAME_PATTERN
from finslm.models.seal import SEAL_NAME

SHOWN_DIGITS: Final = 16
"""Of a digest, in the name of a version."""
LEAST_DIGITS: Final = 8
"""Fewest digits that name a version."""
_REF = re.compile(rf"({NAME_PATTERN[1:-1]})(?:@([0-9a-f]{{{LEAST_DIGITS},64}}))?")


def split(ref: str) -> tuple[str, str]:
    """Name and the beginning of the digest, empty where none is given, of ``NAME`` or ``NAME@DIGEST``.

    Raises:
        UnknownModel: neither.
    """
    if (found := _REF.fullmatch(ref)) is None:
        raise UnknownModel(
            "a model name is a-z, 0-9, '.', '_' or '-', at most 64 characters; a version of it is NAME@DIGEST with "
            f"{LEAST_DIGITS} digits or more"
        )
    return found[1], found[2] or ""


def ref(name: str, digest: str) -> str:
    """How a version is named."""
    return f"{name}@{digest[:SHOWN_DIGITS]}"


def own_folders(models_dir: Path, name: str, digest: str = "") -> list[Path]:
    """Folders of the versions of ``name`` that were added, those whose digest begins with ``digest``."""
    begins = digest[:SHOWN_DIGITS]
    return sorted(seal.parent for seal in models_dir.glob(f"{name}@{begins}*/{SEAL_NAME}"))


def own_names(models_dir: Path) -> set[str]:
    """Names of the sealed folders, of any kind."""
    found = (_REF.fullmatch(seal.parent.name) for seal in models_dir.glob(f"*/{SEAL_NAME}"))
    return {match[1] for match in found if match}
