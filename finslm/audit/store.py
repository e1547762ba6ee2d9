"""Where the log lies: what a store must do, and the tree's head that each of them keeps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, final

from finslm.audit.records import Record
from finslm.audit.scan import Scan

MAX_GROUP: Final = 1024
"""Most records that are made durable together."""

Clock = Callable[[], datetime]
"""Gives the time now, aware."""


@final
@dataclass(frozen=True, slots=True)
class Head:
    """The tree: its size in records and its root hash."""

    size: int
    root_hash: bytes


@final
@dataclass(frozen=True, slots=True)
class Placed:
    """Where a record came to lie, and the tree that ends with it."""

    index: int
    leaf_hash: bytes
    root_hash: bytes
    path: tuple[bytes, ...]
    """Inclusion proof in the tree of ``index + 1`` records."""


@final
@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening a log found behind the last acknowledged record: the trace of a crash, or nothing."""

    kept_records: int = 0
    """Whole records without their Merkle nodes; kept, since they may be true, and may have been acknowledged."""
    cut_bytes: int = 0
    """Bytes of a torn record; cut."""


class AuditStore(Protocol):
    """Durable, ordered storage of records, Merkle nodes and the checkpoint. Its methods block."""

    @property
    def recovery(self) -> Recovery:
        """What opening found behind the last acknowledged record."""
        ...

    @property
    def first_kept(self) -> int:
        """Index of the first record that is still there; the hashes of those before it stay."""
        ...

    @property
    def boundaries(self) -> Sequence[int]:
        """Indexes at which the log can be cut, in order; the first is :attr:`first_kept`."""
        ...

    @property
    def may_drop(self) -> bool:
        """Whether this process is allowed to take records away."""
        ...

    def drop(self, until: int) -> bool:
        """Take away records before ``until``, one of :attr:`boundaries`; it was declared. Their hashes stay.

        Returns:
            Whether some of them are still there: call it again.

        Raises:
            AuditUnavailable, OSError: what is gone is gone, and what is left is still in order.
        """
        ...

    @property
    def short(self) -> bool:
        """Whether room for records is running out: no new work may begin."""
        ...

    def head(self) -> Head:
        """Return the tree of all durable records.

        Raises:
            AuditUnavailable: it cannot be asked for now.
        """
        ...

    def append(self, records: Sequence[Record]) -> Sequence[Placed]:
        """Stamp records with the time and add them, at most :data:`MAX_GROUP`. Durable on return.

        Raises:
            AuditUnavailable: they may or may not be durable; the next append may succeed.
            OSError: they may or may not be durable, and nothing more may be appended.
        """
        ...

    def append_unless(self, records: Sequence[Record], since: int, events: Collection[str]) -> Sequence[Placed]:
        """Append as :meth:`append`, and nothing where one of ``events`` was recorded at ``since`` or later."""
        ...

    def read(self, index: int) -> bytes:
        """Return the record at ``index``.

        Raises:
            AuditCorrupt: it does not match its hash.
            UnknownRecord: retention took it away.
            OSError: as the system says.
        """
        ...

    def read_range(self, start: int, end: int) -> Sequence[bytes]:
        """Return the records from ``start`` up to ``end``, which are there; raises as :meth:`read`."""
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

    def scan(self, visit: Callable[[int, bytes], None] | None = None) -> Scan:
        """Read and check everything that is durable now; ``visit`` gets each record's index and bytes.

        Raises:
            AuditCorrupt: with the index of the first record that is wrong.
            AuditUnavailable, OSError: it cannot be read.
        """
        ...

    def put_checkpoint(self, head: Head, note: str) -> None:
        """Replace the checkpoint, unless a newer one is there. Durable on return.

        Raises:
            AuditUnavailable, OSError: as for :meth:`append`; the old one stands.
        """
        ...

    def close(self) -> None:
        """Let go of files, connections and locks. Appends nothing; may be called twice."""
        ...
