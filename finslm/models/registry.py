"""Which models are on this machine, and whether they are what they should be. Opens no connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from finslm.errors import ConfigError, UnknownModel
from finslm.models import versions
from finslm.models.content import walk_files
from finslm.models.digest import sha256_file
from finslm.models.manifest import Catalogue, Kind, ModelEntry, read_catalogue, shipped_root
from finslm.models.seal import SEAL_NAME, Seal, SealedFile, make_seal, read_seal
from finslm.types import ModelIdentity


@final
@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A version of a model that can be loaded from ``path``: an ordinary folder of files."""

    path: Path
    identity: ModelIdentity
    kind: Kind
    licence: str
    attribution: str
    size_bytes: int
    released: Literal["", "pinned", "made-here"] = ""
    """``pinned``: every file is what the package's manifest says. ``made-here``: except some that a library of another
    version wrote on this machine. Empty: it came in here."""

    @property
    def ref(self) -> str:
        """``NAME@DIGEST``, which names this version and no other."""
        return versions.ref(self.identity.name, self.identity.digest)


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

    def resolve(self, ref: str, *, verify: bool = False) -> InstalledModel:
        """Find an installed model: ``NAME@DIGEST`` a certain version; ``NAME`` the release's, or else the only one.

        Which version is to be served, :class:`finslm.models.approval.Approval` knows. Without ``verify`` the names and
        sizes of its files are checked, with it their SHA-256 too (about a second for each gigabyte). A shipped
        adapter is small and is always hashed.

        Raises:
            UnknownModel: not installed; the message says the command that installs it.
            ConfigError: installed and damaged, not what the manifest pins, or one of several versions.
        """
        name, digest = versions.split(ref)
        entry, own = self.catalogue.models.get(name), versions.own_folders(self.models_dir, name, digest)
        released = self._released(name, entry)
        if digest:
            return self._version(name, digest, entry, own, verify=verify)
        if released is not None or not own:
            return self._open_release(name, entry, verify=verify)
        if len(own) > 1:
            raise ConfigError(f"model {name} has several versions: name one of {', '.join(path.name for path in own)}")
        return _open(name, own[0], None, verify=verify)

    def versions(self, name: str) -> tuple[ModelState, ...]:
        """All versions of one name, the release's first."""
        entry, found = self.catalogue.models.get(name), list[ModelState]()
        if entry is not None or self._released(name, entry) is not None:
            found.append(_state(name, entry, lambda: self._open_release(name, entry, verify=False)))
        for folder in versions.own_folders(self.models_dir, name):
            found.append(_state(name, entry, lambda folder=folder: _open(name, folder, None, verify=False)))  # type: ignore[misc]
        return tuple(found)

    def verify(self, name: str) -> InstalledModel:
        """Hash every file of an installed model again; raises like :meth:`resolve`."""
        return self.resolve(name, verify=True)

    def list(self) -> tuple[ModelState, ...]:
        """Every model of the manifest and every further sealed folder, by name; each version is one."""
        names = sorted(versions.own_names(self.models_dir) | set(self.catalogue.models))
        return tuple(state for name in names for state in self.versions(name))

    def _released(self, name: str, entry: ModelEntry | None) -> Path | None:
        """The folder of the version without a digest in its name, where there is one."""
        shipped = entry is not None and entry.shipped
        folder = self._shipped_folder(name, entry) if entry is not None and shipped else self.models_dir / name
        return folder if folder.is_dir() else None

    def _open_release(self, name: str, entry: ModelEntry | None, *, verify: bool) -> InstalledModel:
        if entry is not None and entry.shipped:
            return self._resolve_shipped(name, entry)
        if (folder := self._released(name, entry)) is None:
            raise UnknownModel(_absent(name, entry, self.models_dir))
        return _open(name, folder, entry, verify=verify)

    def _version(
        self, name: str, digest: str, entry: ModelEntry | None, own: Sequence[Path], *, verify: bool
    ) -> InstalledModel:
        """The version whose digest begins with ``digest``."""
        found = [state.installed for state in self.versions(name) if state.installed]
        matching = [model for model in found if model.identity.digest.startswith(digest)]
        if not matching and own:
            return _open(name, own[0], None, verify=verify)  # it is damaged: raises, and says how
        if not matching:
            known = ", ".join(model.ref for model in found) or "none"
            raise UnknownModel(f"model {name}: no version {digest} is installed; installed: {known}")
        if len(matching) > 1:
            raise ConfigError(f"model {name}: {digest} begins several digests: give more of it")
        (model,) = matching
        is_own = model.path in own
        return (
            _open(name, model.path, None, verify=verify) if is_own else self._open_release(name, entry, verify=verify)
        )

    def _shipped_folder(self, name: str, entry: ModelEntry) -> Path:
        return (self._shipped or shipped_root(entry.package)) / name

    def _resolve_shipped(self, name: str, entry: ModelEntry) -> InstalledModel:
        folder = self._shipped_folder(name, entry)
        if not folder.is_dir():
            raise UnknownModel(f"model {name}: this build of the package does not ship it")
        seal = make_seal(folder, name, entry, origin="package")
        if entry.digest is None:
            raise ConfigError(f"model {name}: shipped but not pinned; from a checkout run: finslm models pin {name}")
        if seal.digest != entry.digest:
            raise ConfigError(
                f"model {name}: its folder has digest {seal.digest}, pinned is {entry.digest}: reinstall the package"
            )
        return _installed(folder, seal, "pinned")


def _state(name: str, entry: ModelEntry | None, open_it: Callable[[], InstalledModel]) -> ModelState:
    try:
        return ModelState(name, entry, open_it(), None)
    except UnknownModel as error:
        return ModelState(name, entry, None, str(error), "missing")
    except ConfigError as error:
        return ModelState(name, entry, None, str(error), "damaged")


def _open(name: str, folder: Path, entry: ModelEntry | None, *, verify: bool) -> InstalledModel:
    """Read a sealed folder; one with a digest in its name must have that digest."""
    seal = read_seal(folder, name)
    if folder.name not in (name, versions.ref(name, seal.digest)):
        raise ConfigError(f"model {name}: {folder} holds another version, {seal.digest}: add it again under its own")
    _compare_sizes(name, folder, seal)
    if entry is not None:
        check_pins(name, entry, seal)
    if verify:
        _compare_hashes(name, folder, seal)
    return _installed(folder, seal, _release_of(entry, seal))


def _release_of(entry: ModelEntry | None, seal: Seal) -> Literal["", "pinned", "made-here"]:
    if entry is None:
        return ""
    same = all(file.sha256 == entry.files[path].sha256 for path, file in seal.files.items())
    return "pinned" if same else "made-here"


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


def _installed(folder: Path, seal: Seal, released: Literal["", "pinned", "made-here"]) -> InstalledModel:
    return InstalledModel(
        path=folder,
        identity=ModelIdentity(seal.name, seal.digest),
        kind=seal.kind,
        licence=seal.licence,
        attribution=seal.attribution,
        size_bytes=sum(file.size_bytes for file in seal.files.values()),
        released=released,
    )
