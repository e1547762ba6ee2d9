"""``finslm-manifest.json``: what was installed in a folder, file by file, so that a change shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finslm.errors import ConfigError
from finslm.models.content import check_file, check_path, read_head, walk_files
from finslm.models.digest import folder_digest, sha256_file
from finslm.models.manifest import Kind, ModelEntry, Name, Sha256

SEAL_NAME = "finslm-manifest.json"


class SealedFile(BaseModel):
    """One installed file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sha256: Sha256
    size_bytes: int = Field(ge=0)


class Seal(BaseModel):
    """Content of ``finslm-manifest.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = 1
    name: Name
    kind: Kind
    licence: str
    attribution: str
    origin: Annotated[str, Field(pattern=r"^[a-z-]{1,32}$")]
    """Sort of source: ``package-index``, ``wheel``, ``folder``, ``mirror`` or ``hub``."""
    source_sha256: Sha256 | None = None
    """SHA-256 of the wheel, when it came from one."""
    made_with: Mapping[str, str] = Field(default_factory=dict)
    """Libraries that made files of ``version_dependent``, with their versions."""
    files: Mapping[str, SealedFile]
    digest: Sha256


def make_seal(
    folder: Path, name: str, entry: ModelEntry, *, origin: str, made_with: Mapping[str, str] | None = None
) -> Seal:
    """Hash every file of ``folder`` and describe it. Writes nothing.

    Raises:
        ConfigError: a file that may not be in a model folder.
    """
    files = {}
    for relative, path in walk_files(folder):
        if relative != SEAL_NAME:
            check_file(relative, entry.files.get(relative), read_head(path))
            files[relative] = SealedFile(sha256=sha256_file(path), size_bytes=path.stat().st_size)
    return Seal(
        name=name,
        kind=entry.kind,
        licence=entry.licence,
        attribution=entry.attribution,
        origin=origin,
        source_sha256=entry.wheel.sha256 if entry.wheel and origin != "folder" and origin != "hub" else None,
        made_with=made_with or {},
        files=files,
        digest=folder_digest({path: file.sha256 for path, file in files.items()}),
    )


def read_seal(folder: Path, name: str) -> Seal:
    """Read the seal of the model in ``folder`` and check that it is consistent in itself.

    Raises:
        ConfigError: none there, unreadable, for another model, or its digest does not fit its files.
    """
    again = f"run: finslm models pull {name}"
    try:
        seal = Seal.model_validate_json((folder / SEAL_NAME).read_bytes())
    except OSError as error:
        raise ConfigError(f"model {name}: {folder / SEAL_NAME}: {error.strerror or error}; {again}") from error
    except ValidationError:
        raise ConfigError(f"model {name}: {folder / SEAL_NAME} is not a finslm model manifest; {again}") from None
    for path in seal.files:
        check_path(path)
    if seal.name != name or seal.digest != folder_digest({p: f.sha256 for p, f in seal.files.items()}):
        raise ConfigError(f"model {name}: {folder / SEAL_NAME} belongs to another model or was edited; {again}")
    return seal
