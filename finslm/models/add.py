"""``add``: a bank's own adapter folder comes in as a candidate, looked at like a pull and sealed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from finslm.errors import ConfigError, FinslmError
from finslm.models import versions
from finslm.models.content import check_file, read_head, walk_files
from finslm.models.diff import METRICS_FILE, RECIPE_FILE
from finslm.models.digest import sha256_file
from finslm.models.manifest import FilePin, Kind, ModelEntry
from finslm.models.registry import InstalledModel, Registry
from finslm.models.seal import SEAL_NAME, make_seal
from finslm.models.sources import silent
from finslm.models.staging import build_folder, locked, publish
from finslm.models.unpack import copy_folder

_WEIGHTS: Final[Mapping[Kind, str]] = {"ranker": ".json"}
"""How the name of the file with the weights ends, where they are no safetensors."""


def add(
    registry: Registry, folder: Path, name: str, *, kind: Kind = "adapter", licence: str, attribution: str
) -> tuple[InstalledModel, bool]:
    """Copy ``folder`` into the registry as a version of ``name``. Nothing that is there is changed.

    Recipe and metrics that a training run left beside the folder come with it, and are part of its digest.

    Returns:
        The installed version, and whether it is new.

    Raises:
        ConfigError: a file in it that may not be in a model, no weights, a full disk; nothing was installed.
    """
    entry = ModelEntry(kind=kind, title=name, description="Made here.", licence=licence, attribution=attribution)
    if versions.split(name)[1]:
        raise ConfigError(f"{name}: the digest of what is added is its content's: give the name alone")
    directory = registry.models_dir
    try:
        pins = _pins(folder, _WEIGHTS.get(kind, ".safetensors"))
        directory.mkdir(parents=True, exist_ok=True)
        with locked(directory, name), build_folder(directory, name) as work:
            built = work / "built"
            built.mkdir()
            copy_folder(folder, pins, built, silent)
            _take_along(folder, built)
            seal = make_seal(built, name, entry, origin="own")
            ref = versions.ref(name, seal.digest)
            if (known := _known(registry, ref)) is not None:
                return known, False
            (built / SEAL_NAME).write_text(seal.model_dump_json(indent=2) + "\n", "utf-8")
            publish(built, directory / ref, work / "replaced")
    except OSError as error:
        where = error.filename or directory
        raise ConfigError(f"model {name}: {where}: {error.strerror or error}; nothing was installed") from error
    return registry.resolve(ref, verify=True), True


def _pins(folder: Path, weights: str) -> dict[str, FilePin]:
    """What is in the folder now: it is copied as it is here, or not at all.

    Raises:
        ConfigError: a file that may not be in a model, or none that ends with ``weights``.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; an adapter folder as finslm finetune writes it is wanted")
    pins: dict[str, FilePin] = {}
    for relative, path in walk_files(folder):
        if relative != SEAL_NAME:
            check_file(relative, None, read_head(path))
            pins[relative] = FilePin(sha256=sha256_file(path), size_bytes=path.stat().st_size)
    if not any(relative.endswith(weights) for relative in pins):
        raise ConfigError(f"{folder}: no weights ({weights}) in it; an adapter folder is wanted")
    return pins


def _take_along(folder: Path, built: Path) -> None:
    for name in (RECIPE_FILE, METRICS_FILE):
        beside = folder.absolute().parent / name
        if beside.is_file() and not beside.is_symlink() and not (built / name).exists():
            (built / name).write_bytes(beside.read_bytes())


def _known(registry: Registry, ref: str) -> InstalledModel | None:
    """The same version, where it is installed and intact."""
    try:
        return registry.resolve(ref, verify=True)
    except FinslmError:
        return None  # absent or damaged: both mean that it comes in now
