"""Reading a log from its files and checking every byte of it against the hashes and the checkpoint.

Three files say the same thing three times, and each is written only when the one before is durable:

``records.log``  one line a record: CRC-32 as 8 hex digits, space, canonical JSON, newline; goes on in
                 ``records-<first index>.log``
``hashes``       the Merkle nodes, 32 bytes each, in the order of :mod:`finslm.audit.merkle`
``checkpoint``   size and root, signed

So a record whose nodes are in ``hashes`` was durable, and may have been acknowledged: if it does not
match now, that is damage. What lies behind the last node may be torn, if nobody was told of it, or may have lost its
nodes with the power: a whole record stands either way. Nodes are synced by the checkpoint, not by each append.
"""

from __future__ import annotations

import os
import zlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, final

from finslm.audit import merkle
from finslm.audit.checkpoint import Checkpoint, Verifier
from finslm.audit.records import MAX_RECORD_BYTES
from finslm.audit.segments import FIRST_FILE, Segment, list_segments
from finslm.errors import AuditCorrupt

RECORDS_FILE: Final = FIRST_FILE
HASHES_FILE: Final = "hashes"
CHECKPOINT_FILE: Final = "checkpoint"
IN_DATABASE_FILE: Final = "in-database"
"""Marks the folder of a log's key whose records lie in PostgreSQL."""

_CRC_CHARS: Final = 8
_MAX_LINE: Final = _CRC_CHARS + 1 + MAX_RECORD_BYTES + 1
_WHAT_NOW: Final = (
    "stop using this log, keep the folder as evidence, restore it from a copy whose checkpoint is signed, "
    "and tell the people who own the controls (docs/audit-log.md, 'When the log is damaged')"
)


def frame(entry: bytes) -> bytes:
    """The line of one record."""
    return b"%08x %b\n" % (zlib.crc32(entry), entry)


def unframe(line: bytes) -> bytes | None:
    """The record of a line; None when the line is not whole."""
    entry = line[_CRC_CHARS + 1 : -1]
    return entry if entry and frame(entry) == line else None


def corrupt(index: int, what: str) -> AuditCorrupt:
    """The error for a log that is wrong from record ``index`` on."""
    return AuditCorrupt(f"audit log: record {index}: {what}; {_WHAT_NOW}", index=index)


@final
@dataclass(slots=True)
class Scan:
    """A log that was read and matched its hashes and its checkpoint.

    ``offsets`` has the start of each record in the files one after the other, and the end of the last; a record
    that retention has taken away has no length.
    """

    checkpoint: Checkpoint
    durable: int
    """Records that have their nodes in ``hashes``, or had them before the power failed."""
    segments: Sequence[Segment] = ()
    """The files of records that are there; none for a log in a database."""
    offsets: array[int] = field(default_factory=lambda: array("Q", [0]))
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    skipped: int = 0
    """Records at the beginning of an export that it has the hashes of only."""
    strict: bool = False
    """No node may be missing: a database keeps what it committed."""
    tail_nodes: bytearray = field(default_factory=bytearray)
    """Nodes of the records that are not under the checkpoint yet."""

    @property
    def size(self) -> int:
        """Records read."""
        return len(self.offsets) - 1

    @property
    def first_kept(self) -> int:
        """Index of the first record that is still there; 0 when none was ever taken away."""
        return self.segments[0].first if self.segments else self.skipped

    def take(self, leaf: bytes, stored: Callable[[int], bytes] | None = None) -> None:
        """Add one leaf to the tree after holding its nodes against the stored ones.

        Args:
            stored: gives the next stored nodes, so many bytes; None: there are none to hold them against.

        Raises:
            AuditCorrupt: they differ, or the tree has the checkpoint's size and another root.
        """
        index = self.size
        nodes = b"".join(self.frontier.append(leaf))
        found = nodes if stored is None or index >= self.durable else stored(len(nodes))
        if found != nodes and (self.strict or index < self.checkpoint.size or not _lost_in_part(found, nodes)):
            raise corrupt(index, "does not match its hash")
        if index >= self.checkpoint.size:
            self.tail_nodes += nodes
        self.offsets.append(self.offsets[-1])
        self.match_root()

    def match_root(self) -> None:
        """When the tree has the checkpoint's size, it must have its root."""
        if self.size == self.checkpoint.size and self.frontier.root() != self.checkpoint.root_hash:
            raise corrupt(0, "the records and hashes are not those that the signed checkpoint commits to")


def scan(
    folder: Path, verifier: Verifier, *, beyond_hashes: bool = False, visit: Callable[[int, bytes], None] | None = None
) -> Scan:
    """Read the whole log. Changes nothing; works while another process appends.

    Args:
        beyond_hashes: also take the whole records that have no nodes yet (when opening to write).
        visit: called with the index and bytes of each record. What it gathers counts only when the scan returns.

    Raises:
        AuditCorrupt: with the index of the first record that is wrong.
        OSError: as the system says.
    """
    # In this order, a log that grows meanwhile still has all that was read before.
    checkpoint = read_checkpoint(folder, verifier)
    with _open(folder / HASHES_FILE) as hashes:
        state = Scan(checkpoint, durable=size_of_nodes(os.fstat(hashes.fileno()).st_size // merkle.HASH_BYTES))
        # A file that a writer began since then has nothing of what is durable here.
        state.segments = [s for s in list_segments(folder) if beyond_hashes or s.first <= state.durable]
        if not state.segments:
            raise corrupt(0, "there is no file of records")
        if state.durable < checkpoint.size:
            raise corrupt(state.durable, f"missing: the checkpoint is for {checkpoint.size} records")
        state.match_root()
        _take_pruned(state, hashes)
        for number, segment in enumerate(state.segments):
            if number and segment.first != state.size:
                raise corrupt(min(state.size, segment.first), f"the file {segment.path.name} does not go on from it")
            if number and _length(state, before := state.segments[number - 1]) != before.path.stat().st_size:
                raise corrupt(state.size, f"the file {before.path.name} has more than its records")
            _take_segment(state, segment, hashes, beyond_hashes=beyond_hashes, visit=visit)
    if state.size < state.durable:
        raise corrupt(state.size, "damaged or missing")
    return state


def _take_segment(
    state: Scan,
    segment: Segment,
    hashes: BinaryIO,
    *,
    beyond_hashes: bool,
    visit: Callable[[int, bytes], None] | None,
) -> None:
    """Read a file up to the first line that is not whole, or to what was durable when the scan began."""
    with segment.open() as records:
        while beyond_hashes or state.size < state.durable:
            entry = unframe(records.readline(_MAX_LINE))
            if entry is None:
                return
            state.take(merkle.leaf_hash(entry), hashes.read)
            state.offsets[-1] += _CRC_CHARS + 1 + len(entry) + 1
            if visit is not None:
                visit(state.size - 1, entry)


def _length(state: Scan, segment: Segment) -> int:
    """Bytes of the records read from the file that was read last."""
    return state.offsets[-1] - state.offsets[segment.first]


def _take_pruned(state: Scan, hashes: BinaryIO) -> None:
    """Records that retention took away: their leaf hashes stand for them, and carry the tree as before."""
    while state.size < min(state.first_kept, state.durable):
        at = hashes.tell()
        leaf = hashes.read(merkle.HASH_BYTES)
        hashes.seek(at)
        state.take(leaf, hashes.read)


def _lost_in_part(found: bytes, nodes: bytes) -> bool:
    """Whether each node is right or empty: a page that never reached the disk reads as zeros. The record stands."""
    pairs = zip(_each(found), _each(nodes), strict=True)
    return all(stored == right or not any(stored) for stored, right in pairs)


def _each(nodes: bytes) -> list[bytes]:
    return [nodes[at : at + merkle.HASH_BYTES] for at in range(0, len(nodes), merkle.HASH_BYTES)]


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise corrupt(0, f"the file {path.name} is missing") from None


def read_checkpoint(folder: Path, verifier: Verifier) -> Checkpoint:
    """Read and verify the checkpoint file.

    Raises:
        AuditCorrupt: missing, not a signed note, or not signed by this key. No record is proven then: index 0.
    """
    try:
        return verifier.verify((folder / CHECKPOINT_FILE).read_bytes().decode())
    except FileNotFoundError:
        raise corrupt(0, "the checkpoint file is missing") from None
    except ValueError as error:
        # UnicodeDecodeError would show bytes of the file; its kind is enough.
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise corrupt(0, f"the checkpoint file is not valid ({what})") from None


def size_of_nodes(nodes: int) -> int:
    """Largest tree whose nodes are all among the first ``nodes`` stored ones."""
    size = nodes // 2
    while merkle.node_count(size + 1) <= nodes:
        size += 1
    return size
