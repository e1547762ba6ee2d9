"""The stored Merkle nodes of a log that lies in files, whichever the layout: ours, or C2SP tlog-tiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from finslm.audit import merkle
from finslm.audit.scan import HASHES_FILE, corrupt, size_of_nodes

WIDTH: Final = 256
"""Hashes of a tile, and records of a bundle."""

HEIGHT: Final = 8
"""Levels of the Merkle tree in one level of tiles."""


def tile_path(level: int | str, n: int, width: int = WIDTH) -> str:
    """Where a tile lies; ``level`` is ``entries`` for records."""
    digits = f"{n:d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return f"tile/{level}/{name}" + ("" if width == WIDTH else f".p/{width}")


def is_tiles(folder: Path) -> bool:
    """Whether ``folder`` has a log in the layout of tiles."""
    return (folder / "tile").is_dir()


def nodes_of(folder: Path, size: int) -> merkle.ReadNode:
    """What reads the nodes of the tree of ``size`` records, which was verified before.

    It raises:
        AuditCorrupt: a node is not there any more.
        OSError: as the system says.
    """
    return _in_tiles(folder, size) if is_tiles(folder) else _in_file(folder / HASHES_FILE)


def root_at(folder: Path, size: int, whole: int) -> bytes:
    """Root of the first ``size`` records of a verified log of ``whole``; raises as what :func:`nodes_of` returns."""
    return merkle.root(size, nodes_of(folder, whole))


def _in_file(path: Path) -> Callable[[int], bytes]:
    def read(position: int) -> bytes:
        with path.open("rb") as file:
            file.seek(position * merkle.HASH_BYTES)
            node = file.read(merkle.HASH_BYTES)
        return _whole(node, position)

    return read


def _in_tiles(folder: Path, size: int) -> Callable[[int], bytes]:
    def read(position: int) -> bytes:
        index = size_of_nodes(position)
        level = position - merkle.node_count(index)
        first = (((index + 1) >> level) - 1) << level % HEIGHT
        hashes = _hashes(folder, size, level // HEIGHT, first, 1 << level % HEIGHT)
        while len(hashes) > 1:
            hashes = [merkle.node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
        return _whole(hashes[0], position)

    return read


def _hashes(folder: Path, size: int, level: int, first: int, count: int) -> list[bytes]:
    """``count`` hashes of a level of tiles, all in one tile."""
    n, step = first // WIDTH, merkle.HASH_BYTES
    width = min(WIDTH, (size >> HEIGHT * level) - n * WIDTH)
    path = folder / tile_path(level, n, width)
    data = (path if path.exists() else folder / tile_path(level, n)).read_bytes()
    return [data[at * step : (at + 1) * step] for at in range(first % WIDTH, first % WIDTH + count)]


def _whole(node: bytes, position: int) -> bytes:
    if len(node) != merkle.HASH_BYTES:
        raise corrupt(position // 2, "its hashes are missing")
    return node
