"""Where the log lies: a folder of local files, written by one process."""

from __future__ import annotations

import bisect
import contextlib
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

import structlog

from finslm.audit import files, merkle
from finslm.audit.checkpoint import Signer
from finslm.audit.scan import (
    CHECKPOINT_FILE,
    HASHES_FILE,
    RECORDS_FILE,
    Scan,
    corrupt,
    frame,
    scan,
    unframe,
)

_log = structlog.get_logger(__name__)


@final
@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening a log found behind the last acknowledged record: the trace of a crash, or nothing."""

    kept_records: int
    """Whole records that nobody was told of; kept, since they may be true."""
    cut_bytes: int
    """Bytes of a torn record; cut."""


class AuditStore(Protocol):
    """Durable, ordered storage of records, Merkle nodes and the checkpoint."""

    @property
    def frontier(self) -> merkle.Frontier:
        """The tree as it was when the store was opened; the log that holds the store moves it on."""
        ...

    @property
    def recovery(self) -> Recovery:
        """What opening found behind the last acknowledged record."""
        ...

    def append(self, entries: Sequence[bytes], nodes: bytes) -> None:
        """Add records and the Merkle nodes that they complete. Durable on return.

        Raises:
            OSError: it may or may not be durable, and nothing more may be appended.
        """
        ...

    def read(self, index: int) -> bytes:
        """Return the record at ``index``.

        Raises:
            AuditCorrupt: it does not match its hash.
            OSError: as the system says.
        """
        ...

    def read_node(self, position: int) -> bytes:
        """Return the Merkle node at a position (:func:`finslm.audit.merkle.node_position`)."""
        ...

    def find(self, request_id: str, size: int) -> list[int]:
        """Return the indexes, among the first ``size`` records, of those of a call."""
        ...

    def find_last(self, event: str, size: int) -> int | None:
        """Return the index, among the first ``size`` records, of the last EVENT of that name."""
        ...

    def put_checkpoint(self, note: str) -> None:
        """Replace the checkpoint. Durable on return.

        Raises:
            OSError: as the system says; the old one stands.
        """
        ...

    def close(self) -> None:
        """Let go of files and locks. Appends nothing; may be called twice."""
        ...


@final
class FileStore:
    """The files of :mod:`finslm.audit.scan`, under an exclusive lock."""

    def __init__(self, folder: Path, signer: Signer, lock: int) -> None:
        """Open the log in ``folder`` to write, check all of it, and mend what a crash left.

        Args:
            lock: descriptor of the held lock (:func:`finslm.audit.files.lock_exclusively`); closed with the store.

        Raises:
            AuditCorrupt: the log does not match its hashes or its checkpoint.
            OSError: as the system says.
        """
        _initialise(folder, signer)
        state = scan(folder, signer.verifier, beyond_hashes=True)
        self._folder = folder
        self._offsets = state.offsets
        self._frontier = state.frontier
        with contextlib.ExitStack() as opened:
            self._records = _open(folder / RECORDS_FILE, opened)
            self._hashes = _open(folder / HASHES_FILE, opened)
            self._recovery = self._mend(state)
            opened.callback(os.close, lock)
            self._opened = opened.pop_all()

    @property
    def frontier(self) -> merkle.Frontier:
        """The tree as it was when the store was opened."""
        return self._frontier

    @property
    def recovery(self) -> Recovery:
        """What opening found behind the last acknowledged record."""
        return self._recovery

    def append(self, entries: Sequence[bytes], nodes: bytes) -> None:
        """Records first, then their nodes: a node on disk says that its record was durable."""
        lines = [frame(entry) for entry in entries]
        files.write_all(self._records, b"".join(lines), self._offsets[-1])
        os.fdatasync(self._records)
        files.write_all(self._hashes, nodes, _nodes_end(len(self._offsets) - 1))
        os.fdatasync(self._hashes)
        for line in lines:
            self._offsets.append(self._offsets[-1] + len(line))

    def read(self, index: int) -> bytes:
        """Read one record and hold it against its leaf hash."""
        start, end = self._offsets[index], self._offsets[index + 1]
        entry = unframe(os.pread(self._records, end - start, start))
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
        needle, end = f'"request_id":"{request_id}"'.encode(), self._offsets[size]
        found: list[int] = []
        if not end:
            return found
        with mmap.mmap(self._records, end, access=mmap.ACCESS_READ) as data:
            at = data.find(needle)
            while at >= 0:
                found.append(bisect.bisect_right(self._offsets, at) - 1)
                at = data.find(needle, at + len(needle))
        return found

    def find_last(self, event: str, size: int) -> int | None:
        """Search the bytes of the first ``size`` records backwards; the name cannot occur inside a value."""
        if not (end := self._offsets[size]):
            return None
        with mmap.mmap(self._records, end, access=mmap.ACCESS_READ) as data:
            at = data.rfind(f'"event":"{event}"'.encode())
        return None if at < 0 else bisect.bisect_right(self._offsets, at) - 1

    def put_checkpoint(self, note: str) -> None:
        """Replace the checkpoint file atomically."""
        files.write_atomically(self._folder / CHECKPOINT_FILE, note.encode(), 0o644)

    def close(self) -> None:
        """Close the files and let go of the lock."""
        self._opened.close()
        self._records = self._hashes = -1  # a number that the system gives to no other file

    def _mend(self, state: Scan) -> Recovery:
        """Cut the torn tail, complete the hashes, make all of it durable.

        Everything that no checkpoint covers is written again in place: after a failed sync the
        system may show bytes that never reached the disk and hold them for clean ("fsyncgate",
        PostgreSQL 2018). The bytes are the same, so a crash amid this harms nothing.
        """
        start, end = state.offsets[state.checkpoint.size], state.offsets[-1]
        cut = os.fstat(self._records).st_size - end
        files.write_all(self._records, os.pread(self._records, end - start, start), start)
        os.ftruncate(self._records, end)
        os.fdatasync(self._records)
        files.write_all(self._hashes, bytes(state.tail_nodes), _nodes_end(state.checkpoint.size))
        os.ftruncate(self._hashes, _nodes_end(state.size))
        os.fdatasync(self._hashes)
        kept = state.size - state.durable
        if cut or kept:
            _log.warning("audit_tail_recovered", index=state.durable, cut_bytes=cut, kept_records=kept)
        return Recovery(kept, cut)


def _open(path: Path, opened: contextlib.ExitStack) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    opened.callback(os.close, fd)
    return fd


def _nodes_end(size: int) -> int:
    return merkle.node_count(size) * merkle.HASH_BYTES


def _initialise(folder: Path, signer: Signer) -> None:
    """Make the files of a new log; the signed checkpoint of the empty tree comes last and marks it complete."""
    if (folder / CHECKPOINT_FILE).exists():
        return
    for name in (RECORDS_FILE, HASHES_FILE):
        fd = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(fd).st_size
        os.close(fd)
        if size:
            raise corrupt(0, f"the checkpoint file is missing, and {name} is not empty")
    files.sync_dir(folder)
    files.write_atomically(folder / CHECKPOINT_FILE, signer.sign(0, merkle.EMPTY_ROOT).encode(), 0o644)
