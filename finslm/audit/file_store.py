"""The log in a folder of local files, written by one process. The layout is in :mod:`finslm.audit.scan`."""

from __future__ import annotations

import bisect
import contextlib
import errno
import itertools
import mmap
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, final

import structlog

from finslm.audit import files, merkle
from finslm.audit.checkpoint import Signer
from finslm.audit.query import BLOCK, own_fields
from finslm.audit.records import Record, utc_stamp
from finslm.audit.reserve import Reserve
from finslm.audit.scan import CHECKPOINT_FILE, HASHES_FILE, RECORDS_FILE, Scan, corrupt, frame, scan, unframe
from finslm.audit.segments import Segment, list_segments, path_of
from finslm.audit.store import Clock, Head, Placed, Recovery
from finslm.errors import UnknownRecord

ALLOCATED_BYTES: Final = 1 << 20
"""How much longer than its records the file is made, bytes."""
SEGMENT_RECORDS: Final = 65_536
"""Records of one file; retention takes whole files away."""

_log = structlog.get_logger(__name__)


@final
class FileStore:
    """The files, under an exclusive lock."""

    def __init__(
        self,
        folder: Path,
        signer: Signer,
        lock: int,
        clock: Clock,
        *,
        segment_records: int = SEGMENT_RECORDS,
        reserve_bytes: int = 0,
    ) -> None:
        """Open the log in ``folder`` to write, check all of it, and mend what a crash left.

        Args:
            lock: descriptor of the held lock (:func:`finslm.audit.files.lock_exclusively`); closed with the store.
            segment_records: a new file is begun after this many.
            reserve_bytes: room on the disk that is kept for the log.

        Raises:
            AuditCorrupt: the log does not match its hashes or its checkpoint.
            OSError: as the system says.
        """
        _initialise(folder, signer)
        state = scan(folder, signer.verifier, beyond_hashes=True)
        self._folder, self._signer, self._clock, self._segment_records = folder, signer, clock, segment_records
        self._offsets, self._frontier, self._segments = state.offsets, state.frontier, list(state.segments)
        self._active = self._hashes = -1
        self._allocated, self._broken = 0, False
        try:
            self._active = _open(self._segments[-1].path)
            self._hashes = _open(folder / HASHES_FILE)
            self.recovery = self._mend(state)
            self._reserve = Reserve(folder, reserve_bytes)
        except BaseException:
            self._close_files()
            raise
        self._head = Head(state.size, self._frontier.root())
        self._lock = lock

    def head(self) -> Head:
        """Return the tree of all durable records."""
        return self._head

    @property
    def short(self) -> bool:
        """Whether the disk is nearly full: the reserve is given up, and no new work may begin."""
        return self._reserve.spent

    def append(self, records: Sequence[Record]) -> Sequence[Placed]:
        """Records first, then their nodes: a node in the file says that its record was durable."""
        self._reserve.look()
        if not records:
            return []
        self._broken = True  # until it is done: what a failure leaves is for the next start to look at
        if self._head.size - self._segments[-1].first >= self._segment_records:
            self._begin_segment()
        lines, nodes, placed = list[bytes](), bytearray(), list[Placed]()
        for record in records:
            entry = record.canonical(utc_stamp(self._clock()))
            path = self._frontier.peaks[::-1]
            new = self._frontier.append(merkle.leaf_hash(entry))
            placed.append(Placed(self._frontier.size - 1, new[0], self._frontier.root(), path))
            nodes += b"".join(new)
            lines.append(frame(entry))
        data, at = b"".join(lines), self._offsets[-1] - self._begin_of(self._segments[-1])
        self._allocate(at + len(data))
        files.write_all(self._active, data, at)
        os.fdatasync(self._active)
        # Not synced here: a checkpoint does that. Nodes that a loss of power takes away are made again.
        files.write_all(self._hashes, bytes(nodes), _nodes_end(self._head.size))
        for line in lines:
            self._offsets.append(self._offsets[-1] + len(line))
        self._head = Head(self._frontier.size, placed[-1].root_hash)
        self._broken = False
        return placed

    def append_unless(self, records: Sequence[Record], since: int, events: Collection[str]) -> Sequence[Placed]:
        """One thread appends, so nothing comes between the look and the append."""
        needles = [f'"event":"{event}"'.encode() for event in events]
        for start in range(since, self._head.size, BLOCK):
            for entry in self.read_range(start, min(start + BLOCK, self._head.size)):
                if any(needle in own_fields(entry) for needle in needles):
                    return []
        return self.append(records)

    def read(self, index: int) -> bytes:
        """Read one record and hold it against its leaf hash."""
        return self.read_range(index, index + 1)[0]

    def read_range(self, start: int, end: int) -> Sequence[bytes]:
        """Read records that follow one another, file by file."""
        entries, segments = list[bytes](), self._segments
        while start < end:
            segment = _segment_of(segments, start)
            stop = min(end, next((s.first for s in segments if s.first > start), end))
            try:
                with segment.open() as file:
                    file.seek(self._offsets[start] - self._begin_of(segment))
                    data = file.read(self._offsets[stop] - self._offsets[start])
            except FileNotFoundError:
                _segment_of(self._segments, start)  # retention may have taken it away meanwhile
                raise
            entries += (self._checked(index, data, self._offsets[start]) for index in range(start, stop))
            start = stop
        return entries

    def _checked(self, index: int, data: bytes, origin: int) -> bytes:
        entry = unframe(data[self._offsets[index] - origin : self._offsets[index + 1] - origin])
        if entry is None or merkle.leaf_hash(entry) != self.read_node(merkle.node_position(0, index)):
            raise corrupt(index, "does not match its hash")
        return entry

    def read_node(self, position: int) -> bytes:
        """Return one stored Merkle node."""
        node = os.pread(self._hashes, merkle.HASH_BYTES, position * merkle.HASH_BYTES)
        if len(node) != merkle.HASH_BYTES:
            raise corrupt(position // 2, "its hashes are missing")
        return node

    def find(self, request_id: str, size: int) -> list[int]:
        """Search the bytes of the first ``size`` records; the key cannot occur inside a value."""
        needle, found = f'"request_id":"{request_id}"'.encode(), list[int]()
        for begin, data in self._mapped(size):
            at = data.find(needle)
            while at >= 0:
                found += self._having(needle, begin + at)
                at = data.find(needle, at + len(needle))
        return found

    def find_last(self, event: str, size: int) -> int | None:
        """Search the bytes of the first ``size`` records backwards; the name cannot occur inside a value."""
        needle = f'"event":"{event}"'.encode()
        for begin, data in self._mapped(size, backwards=True):
            at = len(data)
            while (at := data.rfind(needle, 0, at)) >= 0:
                if having := self._having(needle, begin + at):
                    return having[0]
        return None

    def _having(self, needle: bytes, place: int) -> list[int]:
        """The index of the record at a place in the files, when the needle there is a field of it and no detail."""
        index = bisect.bisect_right(self._offsets, place) - 1
        return [index] if needle in own_fields(self.read(index)) else []

    def scan(self, visit: Callable[[int, bytes], None] | None = None) -> Scan:
        """Read the files again; see :func:`finslm.audit.scan.scan`."""
        return scan(self._folder, self._signer.verifier, visit=visit)

    def put_checkpoint(self, head: Head, note: str) -> None:  # noqa: ARG002 - one writer: never older than the file's
        """Replace the checkpoint file atomically, once the nodes that it covers are durable."""
        os.fdatasync(self._hashes)
        files.write_atomically(self._folder / CHECKPOINT_FILE, note.encode(), 0o644)

    def close(self) -> None:
        """Close the files and let go of the lock."""
        if self._active >= 0 and not self._broken:
            self._finish_file()
        self._close_files()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def first_kept(self) -> int:
        """Index of the first record that is still there."""
        return self._segments[0].first

    @property
    def boundaries(self) -> Sequence[int]:
        """The first records of the files."""
        return [segment.first for segment in self._segments]

    @property
    def may_drop(self) -> bool:
        """Who may write the folder may remove files of it."""
        return True

    def drop(self, until: int) -> bool:
        """Remove the files whose records all lie before ``until``, all at once.

        Raises:
            OSError: as the system says; what is gone is gone, and what is left is still in order.
        """
        gone = [segment for segment, after in itertools.pairwise(self._segments) if after.first <= until]
        self._segments = self._segments[len(gone) :]  # another list: who reads goes on with the one it has
        for segment in gone:
            segment.path.unlink()
        files.sync_dir(self._folder)
        return False

    def _allocate(self, end: int) -> None:
        """Make the file longer than it needs to be: a sync that changes no size takes a third less time.

        What is behind the records reads as zeros; it goes when the file is finished or closed, or at the next start.
        """
        if end <= self._allocated:
            return
        try:
            os.posix_fallocate(self._active, self._allocated, end + ALLOCATED_BYTES - self._allocated)
            self._allocated = end + ALLOCATED_BYTES
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EOPNOTSUPP, errno.EINVAL):
                raise
            self._allocated = sys.maxsize  # no room ahead: what is written may still find some

    def _finish_file(self) -> None:
        os.ftruncate(self._active, self._offsets[self._head.size] - self._begin_of(self._segments[-1]))
        os.fdatasync(self._active)

    def _begin_segment(self) -> None:
        """Go on in a new file. All before it is under a checkpoint, so a crash leaves only the last file to mend."""
        self.put_checkpoint(self._head, self._signer.sign(self._head.size, self._head.root_hash))
        segment = Segment(self._head.size, path_of(self._folder, self._head.size))
        self._finish_file()
        fd = os.open(segment.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.close(self._active)
        self._active, self._allocated = fd, 0
        files.sync_dir(self._folder)
        self._segments = [*self._segments, segment]

    def _begin_of(self, segment: Segment) -> int:
        """Where a file begins when all are laid one after the other."""
        return self._offsets[segment.first]

    def _mapped(self, size: int, *, backwards: bool = False) -> Iterator[tuple[int, mmap.mmap]]:
        """Each file's bytes among the first ``size`` records, and where they begin."""
        for segment in reversed(self._segments) if backwards else list(self._segments):
            begin, end = self._begin_of(segment), self._offsets[size]
            try:
                opened = segment.open()
            except FileNotFoundError:
                if segment in self._segments:
                    raise
                continue  # retention took it away meanwhile
            with opened as file:
                length = min(end - begin, os.fstat(file.fileno()).st_size)
                if length > 0:
                    with mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ) as data:
                        yield begin, data

    def _close_files(self) -> None:
        with contextlib.ExitStack() as closing:
            for fd in (self._active, self._hashes):
                if fd >= 0:
                    closing.callback(os.close, fd)
        self._active = self._hashes = -1  # a number that the system gives to no other file

    def _mend(self, state: Scan) -> Recovery:
        """Cut the torn tail, complete the hashes, make all of it durable.

        Everything that no checkpoint covers is written again in place: after a failed sync the
        system may show bytes that never reached the disk and hold them for clean ("fsyncgate",
        PostgreSQL 2018). The bytes are the same, so a crash amid this harms nothing.
        """
        begin = state.offsets[self._segments[-1].first]
        start, end = state.offsets[state.checkpoint.size] - begin, state.offsets[-1] - begin
        if start < 0:
            raise corrupt(state.checkpoint.size, "the last file of records begins behind the checkpoint")
        behind = os.pread(self._active, os.fstat(self._active).st_size - end, end)
        cut = len(behind.rstrip(b"\0"))  # zeros were allocated, and never written
        files.write_all(self._active, os.pread(self._active, end - start, start), start)
        os.ftruncate(self._active, end)
        os.fdatasync(self._active)
        files.write_all(self._hashes, bytes(state.tail_nodes), _nodes_end(state.checkpoint.size))
        os.ftruncate(self._hashes, _nodes_end(state.size))
        os.fdatasync(self._hashes)
        kept = state.size - state.durable
        if cut or kept:
            _log.warning("audit_tail_recovered", index=state.durable, cut_bytes=cut, kept_records=kept)
        return Recovery(kept, cut)


def _segment_of(segments: Sequence[Segment], index: int) -> Segment:
    at = bisect.bisect_right(segments, index, key=lambda segment: segment.first) - 1
    if at < 0:
        raise UnknownRecord(
            f"record {index} is gone: retention took the first {segments[0].first} away; their hashes stay"
        )
    return segments[at]


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _nodes_end(size: int) -> int:
    return merkle.node_count(size) * merkle.HASH_BYTES


def _initialise(folder: Path, signer: Signer) -> None:
    """Make the files of a new log; the signed checkpoint of the empty tree comes last and marks it complete."""
    if (folder / CHECKPOINT_FILE).exists():
        return
    for path in (folder / HASHES_FILE, *(segment.path for segment in list_segments(folder))):
        if path.exists() and path.stat().st_size:
            raise corrupt(0, f"the checkpoint file is missing, and {path.name} is not empty")
    for name in (RECORDS_FILE, HASHES_FILE):
        os.close(os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    files.sync_dir(folder)
    files.write_atomically(folder / CHECKPOINT_FILE, signer.sign(0, merkle.EMPTY_ROOT).encode(), 0o644)
