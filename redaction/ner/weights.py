"""Where the detection models are on disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from redaction.errors import ModelMissing

MODELS_DIR_VARIABLE = "FINSLM_MODELS__DIR"


def default_models_dir() -> Path:
    """The folder that ``finslm models pull`` fills: ``FINSLM_MODELS__DIR``, else below the XDG data home.

    It does not depend on the working directory, so a library user finds what the service pulled.
    """
    if chosen := os.environ.get(MODELS_DIR_VARIABLE):
        return Path(chosen)
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "finslm" / "models"


RAMPART = "rampart"
"""Name of the token classifier: names, addresses, numbers (ONNX, CC BY 4.0)."""

SPACY = "en-core-web-sm"
"""Name of the spaCy pipeline of which the entity recognizer is used (MIT)."""

MANIFEST = "finslm-manifest.json"
"""What the puller writes beside a model's files; not part of the model."""


def model_folder(models_dir: Path, name: str, *files: str) -> Path:
    """Return a model's folder after a look whether ``files`` are in it.

    Raises:
        ModelMissing: the folder or one of the files is not there.
    """
    folder = models_dir / name
    if missing := [file for file in files if not (folder / file).is_file()]:
        raise ModelMissing(f"model {name}: {folder / missing[0]} is missing; get it with: finslm models pull {name}")
    return folder


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 (hex) over the relative path and SHA-256 of each file, sorted by path; no manifest."""
    whole = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return whole.hexdigest()


def shipped_models_dir() -> Path:
    """The folder of the models that come with the package."""
    return Path(__file__).parent / "shipped"
