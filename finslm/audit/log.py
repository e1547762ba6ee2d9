"""The audit log as the pipeline sees it: append a record, hold a receipt, prove it later."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import structlog

from finslm.audit import files, rotation
from finslm.audit.checkpoint import Signer
from finslm.audit.file_store import SEGMENT_RECORDS, FileStore
from finslm.audit.keys import KEY_FILE, load_or_create_signer
from finslm.audit.proof import Proof
from finslm.audit.reading import ReadableLog, reading
from finslm.audit.records import Kind, Record
from finslm.audit.retention import HOLD_LIFTED, HOLD_SET, STATE_EVENTS
from finslm.audit.scan import IN_DATABASE_FILE
from finslm.audit.store import MAX_GROUP, AuditStore, Clock, Head, Placed, Recovery
from finslm.audit.verify import PRUNED
from finslm.errors import AuditCorrupt, AuditUnavailable, ConfigError
from finslm.types import Receipt

LOCK_FILE: Final = "lock"
KEY_LOCK_FILE: Final = "signing-key.lock"
CHECKPOINT_RECORDS: Final = 8192
"""A checkpoint is signed after so many records, however short the time since the last."""
DECISIVE: Final = (PRUNED, HOLD_SET, HOLD_LIFTED, *STATE_EVENTS)
"""Events that change what may go, or would be the last no more if an older one was told again behind them."""
_ANY_TIME: Final = "0000-00-00T00:00:00.000000Z"

_log = structlog.get_logger(__name__)

_Waiting = tuple[Record, "asyncio.Future[Receipt]"]


@final
class AuditLog(ReadableLog):
    """One append-only log, one writer.

    Appends that wait together share one sync (group commit); their order is the order of the calls to
    :meth:`append`. Files are written in one worker thread, so the event loop never waits for a disk.
    The first error of the disk ends it: this and every later append raise :class:`AuditUnavailable` until
    the process is started again and the log has been read and checked anew.
    """

    def __init__(self, store: AuditStore, signer: Signer, interval_s: float) -> None:
        super().__init__(store, signer)
        self._interval_s = interval_s
        self._head = store.head()
        self._signed_size = -1
        self._signed_at = 0.0
        self._pending: list[_Waiting] = []
        self._pieces: list[tuple[Callable[[], None], asyncio.Future[None]]] = []
        self._running: asyncio.Future[Sequence[Receipt] | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._checkpoint_due = False
        self._failure: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self.recovery: Recovery = store.recovery
        """What opening found behind the last acknowledged record."""

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        origin: str,
        checkpoint_interval_s: float,
        clock: Clock = lambda: datetime.now(UTC),
        segment_records: int = SEGMENT_RECORDS,
        reserve_bytes: int = 0,
    ) -> AuditLog:
        """Open the log in ``folder``, or begin one there, and check all of it. Blocks; opens no event loop.

        Args:
            origin: the log's name in its checkpoints; must stay the same.
            checkpoint_interval_s: a signed checkpoint follows this long after the last, seconds.
            clock: gives the time of each record; must return aware times.
            segment_records: a new file of records is begun after this many.
            reserve_bytes: room on the disk that is kept: with no more than it free, no INTENT is accepted.

        Raises:
            AuditCorrupt: the log does not match its hashes or its checkpoint.
            AuditUnavailable: another process writes it, or the disk refuses.
            ConfigError: the signing key cannot be used, or belongs to another origin.
        """
        try:
            files.make_private_dir(folder)
            lock = files.lock_exclusively(folder / LOCK_FILE)
            with contextlib.ExitStack() as undo:
                undo.callback(os.close, lock)
                rotation.finish(folder)
                signer = load_or_create_signer(folder, origin)
                store = FileStore(
                    folder, signer, lock, clock, segment_records=segment_records, reserve_bytes=reserve_bytes
                )
                undo.pop_all()
                undo.callback(store.close)
                log = cls(store, signer, checkpoint_interval_s)
                log.check_declared()
                log._write_checkpoint()
                undo.pop_all()
        except OSError as error:
            raise AuditUnavailable(f"the audit log in {folder} cannot be opened: {error.strerror}") from error
        return log

    @classmethod
    def open_postgres(
        cls,
        dsn: str,
        folder: Path,
        *,
        origin: str,
        checkpoint_interval_s: float,
        segment_records: int = SEGMENT_RECORDS,
        create: bool = True,
    ) -> AuditLog:
        """Open the log in a database, or begin one there; any number of processes may.

        Args:
            dsn: libpq connection string.
            folder: has the signing key; all processes need the same one. Made with a new key where there is none.
            origin, checkpoint_interval_s: as for :meth:`open`.
            segment_records: retention cuts the log at multiples of it.
            create: make key and tables where there are none; a tool does not.

        Raises:
            AuditCorrupt: the database's head, hashes and checkpoint do not fit together.
            AuditUnavailable: it cannot be reached.
            ConfigError: psycopg is not installed, the log is signed with another key, or there is none.
        """
        try:
            from finslm.audit.postgres_store import PostgresStore  # needs psycopg, which files do not
        except ImportError:
            raise ConfigError("audit: store postgres needs psycopg: install finslm[postgres]") from None
        if not create and not (folder / KEY_FILE).exists():
            raise ConfigError(f"{folder} has no key of an audit log: name the folder of the service's (audit.dir)")
        try:
            files.make_private_dir(folder)
            (folder / LOCK_FILE).touch(0o600)  # tools leave their events here as they do beside a log in files
            (folder / IN_DATABASE_FILE).touch(0o600)
            with files.turn(folder / KEY_LOCK_FILE):  # replicas that share a new folder make one key
                rotation.finish(folder)
                signer = load_or_create_signer(folder, origin)
        except OSError as error:
            raise AuditUnavailable(f"the audit log's key in {folder} cannot be read: {error.strerror}") from error
        with contextlib.ExitStack() as undo:
            store = PostgresStore(dsn, signer, segment_records=segment_records, create=create)
            undo.callback(store.close)
            log = cls(store, signer, checkpoint_interval_s)
            log.check_declared()
            undo.pop_all()
        return log

    @property
    def known_size(self) -> int:
        """Durable records as this process last saw them; asks nobody."""
        return self._head.size

    @property
    def healthy(self) -> bool:
        """Whether appends can succeed. Once False, False until the next start."""
        return self._failure is None

    async def append(self, record: Record) -> Receipt:
        """Stamp ``record`` with the time and append it; return when it is durable.

        Cancelling the caller neither takes the record out nor changes the order.

        Raises:
            AuditUnavailable: the log has failed or is closed. The record may or may not be on disk.
            ValueError: ``record.time`` is set already (only the log stamps), or the record is too long.
        """
        if self._failure is not None:
            raise AuditUnavailable(self._failure)
        if self._store.short and record.kind is not Kind.EVENT and record.intent_index is None:
            self._look_again()
            raise AuditUnavailable("the audit log's disk is nearly full: make room on it, and calls are served again")
        if record.time:
            raise ValueError("audit record: time is set; leave it empty, the log stamps it")
        if record.may_be_long:
            record.canonical(_ANY_TIME)  # too long: its own caller hears of it, and no group fails
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._pending.append((record, receipt))
        self._start_work()
        return await receipt

    async def close(self) -> None:
        """Finish the appends in progress, sign and write the last checkpoint, let go of the files.

        Raises:
            AuditUnavailable: the last checkpoint could not be written.
        """
        while self._running is not None:
            await asyncio.wait([self._running])
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self.healthy:
                self._fail("the audit log is closed; start the service again")
                await asyncio.get_running_loop().run_in_executor(self._thread, self._write_checkpoint)
        except OSError as error:
            raise AuditUnavailable(f"the last audit checkpoint was not written: {error.strerror}") from error
        finally:
            self._thread.shutdown()
            self._close_store()

    def _close_store(self) -> None:
        try:
            self._store.close()
        except OSError as error:  # all that was acknowledged was synced before
            raise AuditUnavailable(f"a file of the audit log did not close well: {error.strerror}") from error

    async def drop(self, end: int, details: Mapping[str, str], *, since: int, again: Sequence[Record] = ()) -> bool:
        """Declare that the records before ``end`` go, durably, then take them away; their hashes stay.

        Args:
            end: one of :attr:`boundaries`.
            details: what the declaration says beside.
            since: size of the log when it was decided what may go. A hold, a declaration or a state that was recorded
                from there on stands against it, and nothing goes.
            again: records that are told again before the declaration.

        Returns:
            Whether they went.

        Raises:
            AuditUnavailable: it could not be declared, and they stay; or some could not be removed.
            ValueError: the log cannot be cut there.
        """
        loop, declared = asyncio.get_running_loop(), list[Placed]()
        first, boundaries = await loop.run_in_executor(self._thread, lambda: (self.first_kept, self.boundaries))
        if end <= first:
            return False  # another replica was faster
        if end not in boundaries[1:]:
            raise ValueError(f"the log cannot be cut at {end}")
        facts = {"first": str(first), "end": str(end), **details}
        records = [*again, Record(Kind.EVENT, event=PRUNED, details=facts)]
        await self._piece(lambda: declared.extend(self._committed(self._store.append_unless(records, since, DECISIVE))))
        if not declared:
            return False
        with reading():
            while await loop.run_in_executor(self._thread, self._store.drop, end):
                pass  # a piece at a time: appends come between
        return True

    async def _piece(self, work: Callable[[], None]) -> None:
        """Have a piece of work done between two groups; where it fails, the log fails as by an append.

        Raises:
            AuditUnavailable: it failed.
        """
        if self._failure is not None:
            raise AuditUnavailable(self._failure)
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pieces.append((work, told))
        self._start_work()
        await told

    def _known(self) -> Head:
        return self._head

    def _look_again(self) -> None:
        """Appends look whether the disk has room again; refused calls are no appends, so they ask for a look."""
        if self._running is None and not self._pending:
            self._running = asyncio.get_running_loop().run_in_executor(self._thread, self._commit, [])
            self._running.add_done_callback(partial(self._finish_work, []))

    def _start_work(self) -> None:
        """Give the worker thread its next piece: a checkpoint that is due, else a group of records."""
        if self._running is not None or self._failure is not None:
            return
        loop, group = asyncio.get_running_loop(), list[_Waiting]()
        if self._checkpoint_due:
            self._checkpoint_due = False
            self._running = loop.run_in_executor(self._thread, self._write_checkpoint)
        elif self._pieces:
            work, told = self._pieces.pop(0)
            self._running = loop.run_in_executor(self._thread, work)
            self._running.add_done_callback(partial(_tell, told))
        elif self._pending:
            group, self._pending = self._pending[:MAX_GROUP], self._pending[MAX_GROUP:]
            self._running = loop.run_in_executor(self._thread, self._commit, [record for record, _ in group])
        else:
            return
        # A callback, not a task: nothing that cancels tasks can come between the disk and the receipts.
        self._running.add_done_callback(partial(self._finish_work, [receipt for _, receipt in group]))

    def _finish_work(
        self, waiting: list[asyncio.Future[Receipt]], done: asyncio.Future[Sequence[Receipt] | None]
    ) -> None:
        self._running = None
        error = done.exception()
        if isinstance(error, AuditUnavailable):  # a database that is away for a while: the next group may do better
            _refuse(waiting, str(error))
            self._arm_checkpoint()
            self._start_work()
            _log.warning("audit_group_refused", records=len(waiting))
            return
        if error is not None:
            self._fail(_why(error))
            waiting += [receipt for _, receipt in self._pending]
            self._pending.clear()
            _refuse(waiting, self._failure)
            _refuse([told for _, told in self._pieces], self._failure)
            self._pieces.clear()
            # Last: on a disk that fails this line may not be written either, and nobody may wait for it.
            _log.error("audit_write_failed", error=type(error).__name__, errno=getattr(error, "errno", None))
            return
        for receipt, result in zip(waiting, done.result() or (), strict=True):
            if not receipt.done():  # done: its caller was cancelled; the record stands
                receipt.set_result(result)
        self._arm_checkpoint()
        self._start_work()

    def _commit(self, records: list[Record]) -> list[Receipt]:
        """In the worker thread: make a group durable, then sign what its callers get."""
        placed = self._committed(self._store.append(records))
        return [self._receipt(record, place) for record, place in zip(records, placed, strict=True)] if placed else []

    def _committed(self, placed: Sequence[Placed]) -> Sequence[Placed]:
        if placed:
            self._head = Head(placed[-1].index + 1, placed[-1].root_hash)
            if self._head.size - self._signed_size >= CHECKPOINT_RECORDS:
                self._write_checkpoint()
        return placed

    def _receipt(self, record: Record, place: Placed) -> Receipt:
        """Only the receipt of an OUTCOME goes out to a caller, so only that has a signed proof."""
        size, proof = place.index + 1, ""
        if record.kind is Kind.OUTCOME:
            proof = Proof(place.index, place.path, self._signer.sign(size, place.root_hash)).text()
        return Receipt(place.index, place.leaf_hash.hex(), size, place.root_hash.hex(), proof)

    def _write_checkpoint(self) -> None:
        """In the worker thread (or before any): sign the durable tree."""
        head, self._signed_at = self._head, time.monotonic()
        if self._signed_size != head.size:
            self._store.put_checkpoint(head, self._signer.sign(head.size, head.root_hash))
            self._signed_size = head.size

    def _arm_checkpoint(self) -> None:
        if self._timer is None and self._signed_size != self._head.size:
            wait_s = max(0.0, self._signed_at + self._interval_s - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._want_checkpoint)

    def _want_checkpoint(self) -> None:
        self._timer = None
        self._checkpoint_due = True
        self._start_work()

    def _fail(self, why: str) -> None:
        self._failure = self._failure or why


def _why(error: BaseException) -> str:
    """What ended the writer, and what to do: a log that was set back is not to be started again, a disk is mended."""
    if isinstance(error, AuditCorrupt):
        return str(error)
    what = error.strerror if isinstance(error, OSError) else type(error).__name__
    return f"the audit log cannot be written ({what}): mend the disk, then start the service again"


def _tell(told: asyncio.Future[None], done: asyncio.Future[Any]) -> None:
    """How a piece of work ended."""
    if told.done():
        return
    if (error := done.exception()) is None:
        told.set_result(None)
    else:
        what = str(error) if isinstance(error, AuditUnavailable) else "the audit log cannot be written"
        told.set_exception(AuditUnavailable(what))


def _refuse(waiting: Sequence[asyncio.Future[Any]], why: str | None) -> None:
    for receipt in waiting:
        if not receipt.done():
            receipt.set_exception(AuditUnavailable(why))
