"""Which files a model folder may hold: data only, nothing that loading could execute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from finslm.errors import ConfigError
from finslm.models.manifest import FilePin

CODE_SUFFIXES = frozenset(
    [
        *(".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".npz", ".h5"),
        *(".py", ".pyc", ".so", ".dll", ".dylib", ".exe", ".sh", ".zip", ".tar", ".gz", ".whl"),
    ]
)
_PICKLE_PROTOCOLS = tuple(bytes((0x80, version)) for version in (2, 3, 4, 5))
_ZIP = b"PK\x03\x04"
_MSGPACK_FIRST = frozenset(range(0x80, 0xA0)) | {0xDC, 0xDD, 0xDE, 0xDF}
"""First bytes of a MessagePack map or array (msgpack/spec.md)."""


def check_path(path: str, *, may_hide: bool = False) -> None:
    """Refuse a path that would leave its folder (zip-slip) or hide in it.

    Args:
        may_hide: a leading dot is no reason: of an archive's members that are not unpacked.

    Raises:
        ConfigError: absolute, with ``..``, a backslash, a control character or a leading dot.
    """
    parts = PurePosixPath(path).parts
    bad = not parts or path.startswith("/") or "\\" in path or not path.isprintable() or PurePosixPath(path).drive
    dots = any(part == ".." or (part.startswith(".") and not may_hide) for part in parts)
    if bad or dots or "/".join(parts) != path:
        raise ConfigError(f"path {path[:128]!r} in a model is refused: only plain relative paths are unpacked")


def check_file(path: str, pin: FilePin | None, head: bytes) -> None:
    """Refuse a file whose loading could run code.

    Args:
        path: relative path in the model folder.
        pin: its entry in the manifest, None for a file made here or shipped.
        head: its first bytes (8 are enough).

    Raises:
        ConfigError: a pickle, an archive, a program, or a name that loaders take for one.
    """
    check_path(path)
    msgpack = pin is not None and pin.format == "msgpack"
    if PurePosixPath(path).suffix.lower() in CODE_SUFFIXES and not msgpack:
        raise ConfigError(f"{path}: files of this type can carry code and are refused; weights must be safetensors")
    if head.startswith((*_PICKLE_PROTOCOLS, _ZIP)):
        raise ConfigError(f"{path}: the content is a pickle or an archive and is refused; weights must be safetensors")
    if msgpack and (not head or head[0] not in _MSGPACK_FIRST):
        raise ConfigError(f"{path}: MessagePack is declared and the content is something else")


def read_head(path: Path) -> bytes:
    """First eight bytes of a file."""
    with path.open("rb") as file:
        return file.read(8)


def walk_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield ``(relative path, path)`` of every file below ``folder``.

    Raises:
        ConfigError: something there is neither a plain file nor a folder (a link could point anywhere).
    """
    for entry in sorted(os.scandir(folder), key=lambda item: item.name):
        if entry.is_dir(follow_symlinks=False):
            for inner, path in walk_files(Path(entry.path)):
                yield f"{entry.name}/{inner}", path
        elif entry.is_file(follow_symlinks=False):
            yield entry.name, Path(entry.path)
        else:
            raise ConfigError(f"{entry.path}: a model folder holds plain files only, and this is a link or a device")
