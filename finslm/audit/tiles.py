"""The log as C2SP tlog-tiles lays it out: static files that any client of that format reads and verifies.

``tile/<level>/<n>`` has 256 hashes (8192 bytes), the n-th at its level; ``tile/entries/<n>`` the 256 records under a
level-0 tile, each with its length as two bytes, big-endian. The last of a level may be partial: ``<n>.p/<width>``.
``n`` is written in groups of three digits, all but the last behind an ``x``: ``x001/x234/067``. A full file never
changes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, final

from finslm.audit import files, merkle
from finslm.audit.checkpoint import Checkpoint, Verifier
from finslm.audit.nodes import HEIGHT, WIDTH, tile_path
from finslm.audit.scan import CHECKPOINT_FILE, Scan, corrupt, read_checkpoint
from finslm.errors import AuditUnavailable


@final
@dataclass(slots=True)
class TileBuilder:
    """Makes the files of a log that grows: those that are full as records come, the partial ones when asked."""

    size: int = 0
    _hashes: list[list[bytes]] = field(default_factory=lambda: [[]])
    """Of each level, the hashes that are in no full tile yet."""
    _entries: list[bytes | None] = field(default_factory=list)

    @classmethod
    def resume(cls, size: int, read_node: merkle.ReadNode, read_range: Callable[[int, int], Sequence[bytes]]) -> Self:
        """As after ``size`` records, from what is stored."""
        levels = max(1, -(-size.bit_length() // HEIGHT))
        widths = [(size >> HEIGHT * level) % WIDTH for level in range(levels)]
        hashes = [
            [
                read_node(merkle.node_position(HEIGHT * level, (size >> HEIGHT * level) - width + at))
                for at in range(width)
            ]
            for level, width in enumerate(widths)
        ]
        return cls(size, hashes, list(read_range(size - widths[0], size)))

    def add(self, leaf: bytes, entry: bytes | None) -> Iterator[tuple[str, bytes]]:
        """Take a record, or only its hash; yield the path and content of each file that it fills.

        The bundle of records comes last: where it is, the tiles are, and who broke off goes on behind it.
        """
        self._hashes[0].append(leaf)
        self._entries.append(entry)
        self.size += 1
        level = 0
        while len(self._hashes[level]) == WIDTH:
            full = self._hashes[level]
            yield tile_path(level, (self.size >> HEIGHT * (level + 1)) - 1), b"".join(full)
            self._hashes[level] = []
            level += 1
            if level == len(self._hashes):
                self._hashes.append([])
            self._hashes[level].append(_root(full))
        if len(self._entries) == WIDTH:
            if all(kept is not None for kept in self._entries):
                yield tile_path("entries", self.size // WIDTH - 1), _bundle(self._entries)
            self._entries.clear()

    def partial(self) -> Iterator[tuple[str, bytes]]:
        """Path and content of each file that is not full, for a checkpoint of the present size."""
        for level, hashes in enumerate(self._hashes):
            if hashes:
                yield tile_path(level, self.size >> HEIGHT * (level + 1), len(hashes)), b"".join(hashes)
        if self._entries and all(kept is not None for kept in self._entries):
            yield tile_path("entries", self.size // WIDTH, len(self._entries)), _bundle(self._entries)


def _root(hashes: Sequence[bytes]) -> bytes:
    """Root over a full tile."""
    level = list(hashes)
    while len(level) > 1:
        level = [merkle.node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def _bundle(entries: Sequence[bytes | None]) -> bytes:
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries if entry is not None)


def unbundle(data: bytes) -> list[bytes]:
    """The records of an entry bundle.

    Raises:
        ValueError: it ends within a record.
    """
    entries, at = list[bytes](), 0
    while at < len(data):
        (length,) = struct.unpack_from(">H", data, at) if at + 2 <= len(data) else (len(data),)
        entries.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    if at != len(data):
        raise ValueError("entry bundle: ends within a record")
    return entries


def put(folder: Path, made: Iterator[tuple[str, bytes]]) -> None:
    """Write files durably; one that is there already has the same content and is left.

    Raises:
        OSError: as the system says.
    """
    for name, data in made:
        path = folder / name
        if not path.exists():
            files.make_private_dir(path.parent)
            files.write_atomically(path, data, 0o444)


@final
class Publisher:
    """Keeps a folder of tiles up to a log that grows.

    Args:
        folder: made where there is none; it may lie on storage that writes once.
    """

    def __init__(
        self, folder: Path, read_node: merkle.ReadNode, read_range: Callable[[int, int], Sequence[bytes]]
    ) -> None:
        self._folder, self._read_node, self._read_range = folder, read_node, read_range
        self._builder: TileBuilder | None = None

    def publish(self, checkpoint: Checkpoint, note: str, first_kept: int) -> None:
        """Write the files of the tree that ``checkpoint`` commits to, and last the checkpoint itself.

        Raises:
            AuditUnavailable: records that were not published yet are gone.
            OSError: as the system says; the old checkpoint and its files stand.
        """
        builder = self._builder or self._begin()
        self._builder = None  # a failure below begins anew from what is in the folder
        if 0 < builder.size < first_kept:
            raise AuditUnavailable(
                f"{self._folder}: retention took record {builder.size} away before it was published: name another "
                "folder"
            )
        for index in range(builder.size, first_kept):  # a folder that begins after retention: hashes only
            put(self._folder, builder.add(self._read_node(merkle.node_position(0, index)), None))
        for start in range(builder.size, checkpoint.size, WIDTH):
            for entry in self._read_range(start, min(start + WIDTH, checkpoint.size)):
                put(self._folder, builder.add(merkle.leaf_hash(entry), entry))
        put(self._folder, builder.partial())
        files.write_atomically(self._folder / CHECKPOINT_FILE, note.encode(), 0o644)
        self._builder = builder

    def _begin(self) -> TileBuilder:
        """Go on after the last full bundle that is there; a file that exists is never written again."""
        files.make_private_dir(self._folder)
        done = 0
        while (self._folder / tile_path("entries", done // WIDTH)).exists():
            done += WIDTH
        return TileBuilder.resume(done, self._read_node, self._read_range)


def scan_tiles(folder: Path, verifier: Verifier, visit: Callable[[int, bytes], None]) -> Scan:
    """Read a log in this layout and check each file against the tree, and the tree against the signed checkpoint.

    Records whose bundle is not there count by their hashes, as long as none before them is there: an export may begin
    later than the log.

    Raises:
        AuditCorrupt: with the index of the first record that is wrong or missing.
        OSError: as the system says.
    """
    checkpoint = read_checkpoint(folder, verifier)
    state, builder = Scan(checkpoint, durable=checkpoint.size), TileBuilder()
    state.match_root()
    for start in range(0, checkpoint.size, WIDTH):
        width = min(WIDTH, checkpoint.size - start)
        leaves = _read_tile(folder, start // WIDTH, width)
        entries = _read_entries(folder, start // WIDTH, width, may_miss=start == state.skipped)
        if entries is None:
            state.skipped += width
        for place, leaf in enumerate(leaves):
            entry = None if entries is None else entries[place]
            if entry is not None and merkle.leaf_hash(entry) != leaf:
                raise corrupt(state.size, "does not match its hash")
            state.take(leaf)
            _compare(folder, builder.add(leaf, entry))
            if entry is not None:
                visit(state.size - 1, entry)
    _compare(folder, builder.partial())
    return state


def _read_tile(folder: Path, n: int, width: int) -> list[bytes]:
    data, step = _read(folder, 0, n, width), merkle.HASH_BYTES
    if data is None or len(data) < width * step or len(data) % step:
        raise corrupt(n * WIDTH, f"{tile_path(0, n, width)} is missing or too short")
    return [data[at : at + step] for at in range(0, width * step, step)]


def _read_entries(folder: Path, n: int, width: int, *, may_miss: bool) -> list[bytes] | None:
    data = _read(folder, "entries", n, width)
    if data is None:
        if may_miss:
            return None
        raise corrupt(n * WIDTH, f"{tile_path('entries', n, width)} is missing")
    try:
        entries = unbundle(data)
    except ValueError as error:
        raise corrupt(n * WIDTH, str(error)) from None
    if len(entries) < width:
        raise corrupt(n * WIDTH + len(entries), "missing in its bundle")
    return entries[:width]


def _read(folder: Path, level: int | str, n: int, width: int) -> bytes | None:
    """A tile of this width, or the full one that has grown from it."""
    for path in (folder / tile_path(level, n, width), folder / tile_path(level, n)):
        if path.exists():
            return path.read_bytes()
    return None


def _compare(folder: Path, made: Iterator[tuple[str, bytes]]) -> None:
    """What is there of upper tiles must be what the records make; level 0 and the bundles were read already."""
    for name, data in made:
        path = folder / name
        if path.exists() and path.read_bytes() != data:
            raise corrupt(0, f"{name} is not what the records make")
