"""The whole log, read and checked offline with the public key alone. Works while a server writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, final

from finslm.audit import merkle, rotation
from finslm.audit.checkpoint import Checkpoint, Verifier
from finslm.audit.keys import VKEY_FILE, read_vkey
from finslm.audit.nodes import is_tiles, nodes_of
from finslm.audit.records import Kind, Record, parse
from finslm.audit.scan import CHECKPOINT_FILE, IN_DATABASE_FILE, Scan, corrupt, scan
from finslm.audit.tiles import scan_tiles
from finslm.errors import AuditUnavailable, ConfigError, InvalidRequest

PRUNED: Final = "RETENTION_PRUNED"
"""EVENT that declares how much of the log's beginning retention takes away, before it goes (details ``end``)."""


@final
@dataclass(frozen=True, slots=True)
class VerifyReport:
    """A log that holds. One that does not never becomes a report: :class:`AuditCorrupt` is raised."""

    tree_size: int
    """Durable records, by the hashes."""
    root_hash: str
    """Root over them, computed from the records, hex."""
    records: int
    """Records checked: read and parsed, or, where retention took them away, by their hashes."""
    first_kept: int
    """Index of the first record that is still there."""
    intents_without_outcome: tuple[int, ...]
    """Indexes of calls in progress, or cut off by a crash."""
    outcomes_without_intent: tuple[int, ...]
    """Indexes of OUTCOMEs whose ``intent_index`` is not an open INTENT of their call: a fault of the service."""
    checkpoint: Checkpoint
    """The signed checkpoint that was found; it covers the first ``checkpoint.size`` records."""

    @property
    def ok(self) -> bool:
        """Whether every record of the tree was read and the checkpoint covers none that is not there."""
        return self.records == self.tree_size >= self.checkpoint.size


@final
@dataclass(slots=True)
class Pairing:
    """Which OUTCOME answers which INTENT. Records come in the order of the log."""

    waiting: dict[int, Record] = field(default_factory=dict)
    """INTENTs that no OUTCOME has answered so far, by index."""
    strays: list[int] = field(default_factory=list)
    """OUTCOMEs that name a record which is not an unanswered INTENT of their call."""
    first: int = -1
    """Index of the first record that was read: an INTENT before it was taken away, or left out."""

    def take(self, index: int, record: Record) -> None:
        """Note one record."""
        if self.first < 0:
            self.first = index
        if record.kind is Kind.INTENT:
            self.waiting[index] = record
        elif record.intent_index is not None and record.intent_index >= self.first:
            intent = self.waiting.get(record.intent_index)
            if intent is None or intent.request_id != record.request_id:
                self.strays.append(index)
            else:
                del self.waiting[record.intent_index]


def open_verifier(folder: Path, vkey: str | None = None) -> Verifier:
    """The public key to verify with: ``vkey`` (from a place the log's host cannot write), or the folder's own.

    Raises:
        InvalidRequest: ``vkey`` is not a vkey.
        ConfigError: the folder's ``log.vkey`` is missing or not a vkey.
    """
    if vkey is None:
        return read_vkey(folder / VKEY_FILE)
    try:
        return Verifier.parse(vkey.strip())
    except ValueError as error:
        raise InvalidRequest(str(error)) from None


def verify_dir(
    folder: Path, *, vkey: str | None = None, visit: Callable[[int, Record], None] | None = None
) -> VerifyReport:
    """Read the whole log in ``folder``, up to what is durable, and check all of it.

    An exported or published log (C2SP tlog-tiles) is read too: up to its checkpoint, and it may begin later than the
    log did; ``first_kept`` of the report says where.

    Args:
        folder: of the log, or of its tiles.
        vkey: the public key; ``log.vkey`` of the folder when None.
        visit: called with each record, in order. What it gathers counts only when this returns.

    Raises:
        AuditCorrupt: with the index of the first record that is wrong.
        AuditUnavailable: the files cannot be read.
        ConfigError, InvalidRequest: as for :func:`open_verifier`.
    """
    if (folder / IN_DATABASE_FILE).exists() and not (folder / CHECKPOINT_FILE).exists():
        raise ConfigError(
            f"{folder} has the key of a log in a database: name the file with its connection string (--dsn-file)"
        )
    try:
        verifier, changes = rotation.follow(folder, open_verifier(folder, vkey), rotation.checkpoint_text(folder))
        if is_tiles(folder):
            report = verify_scan(lambda take: scan_tiles(folder, verifier, take), visit, may_begin_later=True)
        else:
            report = verify_scan(lambda take: scan(folder, verifier, visit=take), visit)
        for change in changes:
            check_change(nodes_of(folder, report.tree_size), report, change)
        return report
    except OSError as error:
        raise AuditUnavailable(f"the audit log in {folder} cannot be read: {error.strerror}") from error


class Reader(Protocol):
    """A log that lies elsewhere than in files, at one moment."""

    note: str
    """Its checkpoint."""

    def scan(self, verifier: Verifier, visit: Callable[[int, bytes], None] | None = None) -> Scan:
        """Read and check all of it, as :func:`finslm.audit.scan.scan` does."""
        ...

    def read_node(self, position: int) -> bytes:
        """Return one stored Merkle node."""
        ...


def verify_reader(
    reader: Reader, folder: Path | None, *, vkey: str | None = None, visit: Callable[[int, Record], None] | None = None
) -> VerifyReport:
    """Read the whole log that ``reader`` has, and check all of it.

    Args:
        folder: of the log's key: has ``log.vkey``, and ``rotations`` if its key was changed. None: there is ``vkey``,
            and it signs now.
        vkey, visit: as for :func:`verify_dir`.

    Raises:
        AuditCorrupt, AuditUnavailable, ConfigError, InvalidRequest: as :func:`verify_dir`.
    """
    changes: list[rotation.Rotation] = []
    try:
        verifier = open_verifier(folder or Path(), vkey)
        if folder is not None:
            verifier, changes = rotation.follow(folder, verifier, None)
    except OSError as error:
        raise AuditUnavailable(f"the key of the audit log in {folder} cannot be read: {error.strerror}") from error
    report = verify_scan(lambda take: reader.scan(verifier, take), visit)
    for change in changes:
        check_change(reader.read_node, report, change)
    return report


def declared_end(record: Record) -> int:
    """Up to which record a declaration of retention goes; one without a number declares nothing."""
    end = record.details.get("end", "")
    return int(end[:19]) if end.isdecimal() else 0


def check_change(read_node: merkle.ReadNode, report: VerifyReport, change: rotation.Rotation) -> None:
    """A change of keys against the log that was just read, whose nodes ``read_node`` gives."""
    size = change.checkpoint.size
    if size > report.tree_size:
        raise corrupt(report.tree_size, "missing: the key was changed behind it")
    change.check(read_node(merkle.node_position(0, size - 1)), merkle.root(size, read_node))


def verify_scan(
    read: Callable[[Callable[[int, bytes], None]], Scan],
    visit: Callable[[int, Record], None] | None = None,
    *,
    may_begin_later: bool = False,
) -> VerifyReport:
    """Check everything that ``read`` hands on; the same for every store. Raises as :func:`verify_dir`.

    Args:
        may_begin_later: records at the beginning may be missing without a record that retention took them away.
    """
    pairing, pruned = Pairing(), 0

    def take(index: int, entry: bytes) -> None:
        nonlocal pruned
        try:
            record = parse(entry)
        except ValueError as error:
            raise corrupt(index, str(error)) from None
        pairing.take(index, record)
        if record.event == PRUNED:
            pruned = max(pruned, declared_end(record))
        if visit is not None:
            visit(index, record)

    state = read(take)
    if state.first_kept > pruned and not may_begin_later:
        raise corrupt(pruned, f"missing, and no {PRUNED} record says that retention took it away")
    return VerifyReport(
        tree_size=state.durable,
        root_hash=state.frontier.root().hex(),
        records=state.size,
        first_kept=state.first_kept,
        intents_without_outcome=tuple(pairing.waiting),
        outcomes_without_intent=tuple(pairing.strays),
        checkpoint=state.checkpoint,
    )
