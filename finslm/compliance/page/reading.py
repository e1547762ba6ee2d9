"""The log, read and verified once; records are shown from it as long as they are the ones that were verified."""

from __future__ import annotations

import hashlib
import re
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

from finslm.audit import merkle, rotation
from finslm.audit.checkpoint import Verifier
from finslm.audit.nodes import nodes_of
from finslm.audit.proof import Proof
from finslm.audit.query import BLOCK, TimeIndex
from finslm.audit.records import Record
from finslm.audit.scan import CHECKPOINT_FILE, HASHES_FILE, Scan, corrupt, scan, size_of_nodes, unframe
from finslm.audit.verify import VerifyReport, check_change, open_verifier, verify_scan
from finslm.errors import AuditUnavailable

NAMED: Final = ("kind", "tenant", "principal", "method", "task", "status", "reason", "event")
"""Fields by which records are chosen."""
MAX_NAMES: Final = 500
"""Names of a field that the page offers."""

_REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


@final
class Blocks:
    """A digest of each block of records, made while they are verified: what is read later is held against it."""

    def __init__(self) -> None:
        self.digests: list[bytes] = []
        self.names: dict[str, set[str]] = defaultdict(set)
        self.first_time = ""
        self._hash = hashlib.sha256()
        self._block = 0

    def take_entry(self, index: int, entry: bytes) -> None:
        """Note the bytes of one record, in order; records that were pruned do not come."""
        while index // BLOCK > self._block:
            self._end_block()
        self._hash.update(len(entry).to_bytes(4, "big") + entry)

    def take_record(self, index: int, record: Record) -> None:  # noqa: ARG002
        """Note the names in one record."""
        self.first_time = self.first_time or record.time
        for name in NAMED:
            value = getattr(record, name)
            known = self.names[name]
            if value and value not in known and len(known) < MAX_NAMES:
                known.add(str(value))

    def close(self) -> None:
        """After the last record."""
        self._end_block()

    def _end_block(self) -> None:
        self.digests.append(self._hash.digest())
        self._hash, self._block = hashlib.sha256(), self._block + 1


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """A log that holds, as it was at one moment."""

    folder: Path
    report: VerifyReport
    verifier: Verifier
    """The key that signs now."""
    trusted: Verifier
    """The key that the reading began with; another one where keys were changed since."""
    rotations: int
    note: str
    """A signed checkpoint of it."""
    began: datetime
    at: datetime
    """When the reading was done."""
    offsets: array[int]
    starts: tuple[int, ...]
    """Where each file of records begins in :attr:`offsets`' numbering."""
    paths: tuple[Path, ...]
    blocks: Blocks
    index: TimeIndex

    @property
    def size(self) -> int:
        """Records in the tree."""
        return self.report.tree_size

    def read_range(self, start: int, end: int) -> Sequence[bytes]:
        """Return the records from ``start`` up to ``end``, all of one block.

        Raises:
            AuditCorrupt: they are no longer those that were verified.
            AuditUnavailable: they cannot be read.
        """
        block = start // BLOCK
        low = max(block * BLOCK, self.report.first_kept)
        entries = self._read(low, min(self.size, (block + 1) * BLOCK))
        found = hashlib.sha256(b"".join(len(entry).to_bytes(4, "big") + entry for entry in entries)).digest()
        if found != self.blocks.digests[block]:
            raise corrupt(low, "changed since the log was verified")
        return entries[max(0, start - low) : max(0, end - low)]

    def _read(self, start: int, end: int) -> list[bytes]:
        """Lines of the files; a file may have gone with retention meanwhile."""
        entries, at = list[bytes](), start
        try:
            while at < end:
                number = bisect_right(self.starts, self.offsets[at]) - 1
                with self.paths[number].open("rb") as file:
                    file.seek(self.offsets[at] - self.starts[number])
                    while at < end and bisect_right(self.starts, self.offsets[at]) - 1 == number:
                        line = file.read(self.offsets[at + 1] - self.offsets[at])
                        entries.append(unframe(line) or b"")
                        at += 1
        except OSError as error:
            raise AuditUnavailable(f"the audit log in {self.folder} cannot be read: {error.strerror}") from error
        return entries

    def entry(self, index: int) -> bytes:
        """Bytes of one record that is still there. Raises as :meth:`read_range`."""
        return self.read_range(index, index + 1)[0]

    def prove(self, index: int) -> Proof | None:
        """That the record is in the tree that the checkpoint signs; None when no checkpoint covers it yet.

        Raises:
            AuditCorrupt: the hashes are no longer those that were verified.
            AuditUnavailable: they cannot be read.
        """
        size = self.verifier.verify(self.note).size
        if index >= size:
            return None
        try:
            with (self.folder / HASHES_FILE).open("rb") as hashes:

                def read(position: int) -> bytes:
                    hashes.seek(position * merkle.HASH_BYTES)
                    return hashes.read(merkle.HASH_BYTES)

                proof = Proof(index, tuple(merkle.inclusion_proof(index, size, read)), self.note)
        except OSError as error:
            raise AuditUnavailable(f"the audit log in {self.folder} cannot be read: {error.strerror}") from error
        try:
            proof.verify(merkle.leaf_hash(self.entry(index)), self.verifier)
        except ValueError:
            raise corrupt(index, "its proof no longer leads to the signed root") from None
        return proof


def take_reading(folder: Path, vkey: str | None, began: datetime) -> Reading:
    """Read and verify the whole log, as :func:`finslm.audit.verify_dir` does, and keep where its records lie.

    Raises:
        AuditCorrupt, AuditUnavailable, ConfigError, InvalidRequest: as :func:`finslm.audit.verify_dir`.
    """
    try:
        trusted = open_verifier(folder, vkey)
        verifier, changes = rotation.follow(folder, trusted, rotation.checkpoint_text(folder))
        note = (folder / CHECKPOINT_FILE).read_bytes()  # before the scan: a log that grows still has all of it
        blocks, states = Blocks(), list[Scan]()

        def read(take: Callable[[int, bytes], None]) -> Scan:
            def visit(index: int, entry: bytes) -> None:
                blocks.take_entry(index, entry)
                take(index, entry)

            states.append(scan(folder, verifier, visit=visit))
            return states[0]

        report = verify_scan(read, blocks.take_record)
        for change in changes:
            check_change(nodes_of(folder, report.tree_size), report, change)
        starts, paths = _files(states[0])
        blocks.close()
        return Reading(
            *(folder, report, verifier, trusted, len(changes), note.decode("utf-8", "replace"), began),
            *(datetime.now(UTC), states[0].offsets, starts, paths, blocks, TimeIndex()),
        )
    except OSError as error:
        raise AuditUnavailable(f"the audit log in {folder} cannot be read: {error.strerror}") from error


def _files(state: Scan) -> tuple[tuple[int, ...], tuple[Path, ...]]:
    """Where each file begins, among the bytes of all: at its first record."""
    offsets = state.offsets
    found = [(offsets[segment.first], segment.path) for segment in state.segments if segment.first < len(offsets)]
    return tuple(start for start, _ in found), tuple(path for _, path in found)


def size_now(folder: Path) -> int:
    """Records that the log has now, by the length of its hashes; nothing is verified.

    Raises:
        AuditUnavailable: they cannot be read.
    """
    try:
        return size_of_nodes((folder / HASHES_FILE).stat().st_size // merkle.HASH_BYTES)
    except OSError as error:
        raise AuditUnavailable(f"the audit log in {folder} cannot be read: {error.strerror}") from error


def is_request_id(text: str) -> bool:
    """Whether it is the id of a call as records have it."""
    return _REQUEST_ID.fullmatch(text) is not None
