"""Reading an open log: its records, its checkpoints, and the proofs of both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from finslm.audit import merkle
from finslm.audit.checkpoint import Signer, Verifier
from finslm.audit.proof import Proof
from finslm.audit.query import RecordFilter, TimeIndex
from finslm.audit.records import Record, parse
from finslm.audit.scan import corrupt
from finslm.audit.store import AuditStore, Head
from finslm.audit.tiles import Publisher
from finslm.audit.verify import PRUNED, VerifyReport, declared_end, verify_scan
from finslm.errors import AuditUnavailable, UnknownRecord


@final
@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That a leaf is at ``index`` in the tree of ``tree_size``; check it with :func:`merkle.verify_inclusion`."""

    index: int
    tree_size: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]


class ReadableLog:
    """What an open log tells; its methods read the disk or the database, and block.

    Args:
        store: where it lies.
        signer: signs the checkpoints that are asked for.
    """

    def __init__(self, store: AuditStore, signer: Signer) -> None:
        self._store, self._signer = store, signer
        self._times = TimeIndex()
        self._publisher: Publisher | None = None

    @property
    def size(self) -> int:
        """Durable records. Asks the database, where the log is in one."""
        return self._store.head().size

    @property
    def root_hash(self) -> str:
        """Root over the durable records, hex."""
        return self._store.head().root_hash.hex()

    def record(self, index: int) -> Record:
        """Return the record at ``index``. Reads the disk.

        Raises:
            UnknownRecord: not one of the log's.
            AuditCorrupt: it does not match its hash.
            AuditUnavailable: the disk cannot be read, or the log is closed.
        """
        return parse(self.entry(index))

    def entry(self, index: int) -> bytes:
        """Return the canonical bytes of the record at ``index``; raises as :meth:`record`."""
        size = self.size
        if not 0 <= index < size:
            raise UnknownRecord(f"no audit record {index}: the log has {size}, counted from 0")
        with reading():
            return self._store.read(index)

    def select(
        self, chosen: RecordFilter, start: int, end: int, most_read: int
    ) -> Iterator[tuple[int, list[tuple[int, Record]]]]:
        """Go through the records from ``start`` to ``end``, which are there: see :meth:`TimeIndex.select`.

        Raises:
            AuditCorrupt: one of them does not match its hash.
            UnknownRecord: retention took ``start`` away.
        """
        with reading():
            for upto, found in self._times.select(self._store, chosen, start, end, most_read):
                yield upto, [(index, parse(entry)) for index, entry in found]

    @property
    def first_kept(self) -> int:
        """Index of the first record that is still there. Asks the database, where the log is in one."""
        return self._store.first_kept

    @property
    def boundaries(self) -> Sequence[int]:
        """Indexes at which retention can cut the log, in order; the first is where it begins now."""
        return self._store.boundaries

    @property
    def may_drop(self) -> bool:
        """Whether this process is allowed to take records away."""
        return self._store.may_drop

    def find(self, request_id: str) -> list[tuple[int, Record]]:
        """Return the records of a call, in the order of the log; none when there are none. Reads the whole log.

        Raises:
            AuditCorrupt: one of them does not match its hash.
        """
        with reading():
            return [(index, self.record(index)) for index in self._store.find(request_id, self.size)]

    def last_event(self, event: str) -> Record | None:
        """Return the last EVENT of this name, or None. Reads the log backwards to it.

        Raises:
            AuditCorrupt: it does not match its hash.
        """
        with reading():
            index = self._store.find_last(event, self.size)
            if index is None:
                return None
            if (record := self.record(index)).event != event:
                raise corrupt(index, f"it is found as {event}, and is none")
            return record

    def checkpoint(self) -> str:
        """Return a signed note for the durable records as of now (C2SP tlog-checkpoint)."""
        head = self._store.head()
        return self._signer.sign(head.size, head.root_hash)

    def inclusion_proof(self, index: int, tree_size: int | None = None) -> InclusionProof:
        """Prove that the record at ``index`` is in the tree of ``tree_size`` (now, when None).

        Raises:
            UnknownRecord: ``tree_size`` is above the log's size, or ``index`` is not below it.
        """
        now = self.size
        size = now if tree_size is None else tree_size
        if not 0 <= index < size <= now:
            raise UnknownRecord(f"no audit record {index} in a tree of {size}: the log has {now}")
        with reading():
            leaf = self._store.read_node(merkle.node_position(0, index))
            path = merkle.inclusion_proof(index, size, self._store.read_node)
        return InclusionProof(index, size, leaf, tuple(path))

    def events(self, *names: str) -> list[tuple[int, Record]]:
        """Events of these names that are still there, in the order of the log. Reads all of it; blocks.

        Raises:
            AuditCorrupt, AuditUnavailable: as :meth:`record`.
        """
        size, found = self.size, list[tuple[int, Record]]()
        for name in names:
            for _, block in self.select(RecordFilter(event=name), self.first_kept, size, size):
                found += block
        return sorted(found, key=lambda item: item[0])

    @property
    def verifier(self) -> Verifier:
        """The log's public key."""
        return self._signer.verifier

    def publish_to(self, folder: Path) -> None:
        """Bring a folder of tiles (C2SP tlog-tiles) up to the log as it is now. Blocks.

        Raises:
            AuditUnavailable: the folder cannot be written, or the log cannot be read.
        """
        if self._publisher is None:
            self._publisher = Publisher(folder, self._store.read_node, self._store.read_range)
        with reading():
            note = self.checkpoint()
            self._publisher.publish(self.verifier.verify(note), note, self.first_kept)

    def proof_text(self, proof: InclusionProof) -> str:
        """The proof as C2SP tlog-proof, with a checkpoint of its tree that this log signs now."""
        with reading():
            root = merkle.root(proof.tree_size, self._store.read_node)
        return Proof(proof.index, proof.hashes, self._signer.sign(proof.tree_size, root)).text()

    def consistency_proof(self, old_size: int, new_size: int | None = None) -> tuple[bytes, ...]:
        """Prove that the tree of ``new_size`` (now, when None) only appends to the one of ``old_size``.

        Raises:
            UnknownRecord: not ``0 <= old_size <= new_size <= size``.
        """
        now = self.size
        size = now if new_size is None else new_size
        if not 0 <= old_size <= size <= now:
            raise UnknownRecord(f"no trees of {old_size} and {size} records: the log has {now}")
        with reading():
            return tuple(merkle.consistency_proof(old_size, size, self._store.read_node))

    def _known(self) -> Head:
        """The tree as this process knows it."""
        return self._store.head()

    def verify(self, visit: Callable[[int, Record], None] | None = None) -> VerifyReport:
        """Read the whole log from where it lies again and check it, also against what this process knows. Blocks.

        Args:
            visit: called with each record; what it raises ends the reading.

        Raises:
            AuditCorrupt: with the index of the first record that is wrong.
            AuditUnavailable: it cannot be read.
        """
        head = self._known()
        with reading():
            report = verify_scan(self._store.scan, visit)
            known_root = merkle.root(min(head.size, report.tree_size), self._store.read_node)
        if report.tree_size < head.size or known_root != head.root_hash:
            raise corrupt(min(report.tree_size, head.size), "the records are not those that this process has written")
        return report

    def check_declared(self) -> None:
        """What is missing at the beginning was declared.

        Raises:
            AuditCorrupt: it was not.
        """
        # Asked once and first: another process may declare and take away more while this one looks.
        first, at, declared = self.first_kept, self.size, 0
        with reading():
            while declared < first:
                index = self._store.find_last(PRUNED, at)
                if index is None:
                    raise corrupt(declared, f"missing, and no {PRUNED} record says that retention took it away")
                declared, at = max(declared, declared_end(self.record(index))), index


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """The errors of the system as :class:`AuditUnavailable`."""
    try:
        yield
    except OSError as error:
        raise AuditUnavailable(f"the audit log cannot be read: {error.strerror}") from error
