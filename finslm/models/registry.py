"""Which models are on this machine, and whether they are what they should be. Opens no connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from finslm.errors import ConfigError, UnknownModel
from finslm.models.content import walk_files
from finslm.models.digest import sha256_file
from finslm.models.manifest import NAME_PATTERN, Catalogue, Kind, ModelEntry, read_catalogue, shipped_root
from finslm.models.seal import SEAL_NAME, Seal, SealedFile, make_seal, read_seal
from finslm.types import ModelIdentity


@final
@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that can be loaded from ``path``: an ordinary folder of files."""

    path: Path
    identity: ModelIdentity
    kind: Kind
    licence: str
    attribution: str
    size_bytes: int


@final
@dataclass(frozen=True, slots=True)
class ModelState:
    """A line of the listing: exactly one of ``installed`` and ``problem`` (the reason) is set."""

    name: str
    entry: ModelEntry | None
    installed: InstalledModel | None
    problem: str | None
    state: Literal["installed", "missing", "damaged"] = "installed"


class Registry:
    """The models below one folder, and those shipped in the package.

    A name of the manifest must be what the manifest pins. A folder with a seal and a name of its
    own (a bank's own fine-tune) is served too; its identity is its digest.

    Args:
        models_dir: the folder that ``finslm models pull`` fills.
        catalogue: the manifest; the package's own when None.
        shipped: folder of the shipped models; that of the package which ships them when None.
    """

    def __init__(self, models_dir: Path, catalogue: Catalogue | None = None, shipped: Path | None = None) -> None:
        self.models_dir = models_dir
        self.catalogue = catalogue or read_catalogue()
        self._shipped = shipped

    def resolve(self, name: str, *, verify: bool = False) -> InstalledModel:
        """Find an installed model.

        Without ``verify`` the names and sizes of its files are checked, with it their SHA-256 too
        (about a second for each gigabyte). A shipped adapter is small and is always hashed.

        Raises:
            UnknownModel: not installed; the message says the command that installs it.
            ConfigError: installed and damaged, or not what the manifest pins.
        """
        if not re.fullmatch(NAME_PATTERN, name):
            raise UnknownModel("a model name is a-z, 0-9, '.', '_' or '-', at most 64 characters")
        entry = self.catalogue.models.get(name)
        if entry is not None and entry.shipped:
            return self._resolve_shipped(name, entry)
        folder = self.models_dir / name
        if not folder.is_dir():
            raise UnknownModel(_absent(name, entry, self.models_dir))
        seal = read_seal(folder, name)
        _compare_sizes(name, folder, seal)
        if entry is not None:
            check_pins(name, entry, seal)
        if verify:
            _compare_hashes(name, folder, seal)
        return _installed(folder, seal)

    def verify(self, name: str) -> InstalledModel:
        """Hash every file of an installed model again; raises like :meth:`resolve`."""
        return self.resolve(name, verify=True)

    def list(self) -> tuple[ModelState, ...]:
        """Every model of the manifest and every further sealed folder, by name."""
        sealed = {seal.parent.name for seal in self.models_dir.glob(f"*/{SEAL_NAME}")}
        own = {name for name in sealed if re.fullmatch(NAME_PATTERN, name)}
        return tuple(self._state(name) for name in sorted(own | set(self.catalogue.models)))

    def _state(self, name: str) -> ModelState:
        entry = self.catalogue.models.get(name)
        try:
            return ModelState(name, entry, self.resolve(name), None)
        except UnknownModel as error:
            return ModelState(name, entry, None, str(error), "missing")
        except ConfigError as error:
            return ModelState(name, entry, None, str(error), "damaged")

    def _resolve_shipped(self, name: str, entry: ModelEntry) -> InstalledModel:
        folder = (self._shipped or shipped_root(entry.package)) / name
        if not folder.is_dir():
            raise UnknownModel(f"model {name}: this build of the package does not ship it")
        seal = make_seal(folder, name, entry, origin="package")
        if entry.digest is None:
            raise ConfigError(f"model {name}: shipped but not pinned; from a checkout run: finslm models pin {name}")
        if seal.digest != entry.digest:
            raise ConfigError(
                f"model {name}: its folder has digest {seal.digest}, pinned is {entry.digest}: reinstall the package"
            )
        return _installed(folder, seal)


def check_pins(name: str, entry: ModelEntry, seal: Seal) -> None:
    """Compare a seal with the manifest.

    Raises:
        ConfigError: another set of files, or another hash where the manifest pins one.
    """
    again = f"run: finslm models pull {name}"
    if set(seal.files) != set(entry.files):
        different = ", ".join(sorted(set(seal.files) ^ set(entry.files))[:5])
        raise ConfigError(f"model {name}: other files than the manifest pins ({different}); {again}")
    made_here = set(entry.version_dependent) if seal.made_with else set()
    for path, file in seal.files.items():
        if file.sha256 != entry.files[path].sha256 and path not in made_here:
            raise ConfigError(f"model {name}: {path} has SHA-256 {file.sha256}, not the pinned one; {again}")


def _absent(name: str, entry: ModelEntry | None, models_dir: Path) -> str:
    if entry is None:
        return f"model {name}: no folder of this name in {models_dir} and none in the manifest; see: finslm models list"
    return f"model {name} is not installed in {models_dir}; run: finslm models pull {name}"


def _compare_sizes(name: str, folder: Path, seal: Seal) -> None:
    sizes = {rel: path.stat().st_size for rel, path in walk_files(folder) if rel != SEAL_NAME}
    wanted = {rel: file.size_bytes for rel, file in seal.files.items()}
    if wrong := sorted(rel for rel in sizes.keys() | wanted.keys() if sizes.get(rel) != wanted.get(rel)):
        raise ConfigError(f"model {name}: missing, added or of another size: {_some(wrong)}; {_again(name)}")


def _compare_hashes(name: str, folder: Path, seal: Seal) -> None:
    files: Mapping[str, SealedFile] = seal.files
    if wrong := sorted(rel for rel, file in files.items() if sha256_file(folder / rel) != file.sha256):
        raise ConfigError(
            f"model {name}: the content has changed since it was installed: {_some(wrong)}; {_again(name)}"
        )


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def _again(name: str) -> str:
    return f"find out why, then run: finslm models pull {name}"


def _installed(folder: Path, seal: Seal) -> InstalledModel:
    return InstalledModel(
        path=folder,
        identity=ModelIdentity(seal.name, seal.digest),
        kind=seal.kind,
        licence=seal.licence,
        attribution=seal.attribution,
        size_bytes=sum(file.size_bytes for file in seal.files.values()),
    )
