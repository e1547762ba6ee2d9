"""From settings to the audit log, and what is done for it now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

import structlog

from finslm.audit import AuditLog, clock, spool
from finslm.audit.pruning import prune
from finslm.audit.records import Kind, Record
from finslm.audit.retention import Retention
from finslm.audit.subjects import SubjectStore
from finslm.config import AuditSettings
from finslm.errors import AuditUnavailable, ConfigError
from finslm.subjects import SubjectIndex
from redaction.keys import KeyProvider

POLICY_CHANGED: Final = "POLICY_CHANGED"

_log = structlog.get_logger(__name__)


def open_log(settings: AuditSettings, *, create: bool = True) -> AuditLog:
    """Open the log in its folder or its database, or begin one there. Blocks.

    Args:
        create: begin one in a database that has none; a tool does not.

    Raises:
        AuditCorrupt: it is damaged.
        AuditUnavailable: another process writes it, the disk refuses, or the database cannot be reached.
        ConfigError: its key or the file with its connection string cannot be used.
    """
    if settings.store == "postgres" and settings.dsn_file is not None:
        return AuditLog.open_postgres(
            read_dsn(settings.dsn_file),
            settings.dir,
            origin=settings.origin,
            checkpoint_interval_s=settings.checkpoint_interval_s,
            segment_records=settings.segment_records,
            create=create,
        )
    return AuditLog.open(
        settings.dir,
        origin=settings.origin,
        checkpoint_interval_s=settings.checkpoint_interval_s,
        segment_records=settings.segment_records,
        reserve_bytes=settings.reserve_mb << 20,
    )


def read_dsn(file: Path) -> str:
    """The connection string of the log's database.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"audit.dsn_file {file}: {type(error).__name__}: it cannot be read") from None


def retention_of(settings: AuditSettings) -> Retention:
    """How long each class of records is kept."""
    chosen = settings.retention
    return Retention(chosen.calls_days, chosen.refusals_days, chosen.events_days)


def open_subjects(settings: AuditSettings, keys: KeyProvider) -> SubjectIndex | None:
    """Open the store of data subjects, where the settings name one.

    Raises:
        AuditUnavailable: it cannot be opened.
    """
    file = settings.subjects_file
    return None if file is None else SubjectIndex(SubjectStore(file, keys), keys)


async def record_policy(log: AuditLog, digest: str) -> None:
    """Put on record that another redaction policy is in force than at the last start, or that this is the first.

    Raises:
        AuditUnavailable: the log cannot be written.
    """
    last = await asyncio.to_thread(log.last_event, POLICY_CHANGED)
    before = last.details["after"] if last else "none"
    if before != digest:
        details = {"before": before, "after": digest}
        await log.append(Record(kind=Kind.EVENT, event=POLICY_CHANGED, details=details))


@final
class AuditCare:
    """Events of tools beside the log, the clock, retention, published tiles: a round of it is :meth:`look`.

    What fails is told of and tried again at the next round; it changes nothing for the calls.
    """

    def __init__(self, log: AuditLog, settings: AuditSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log, self._settings, self._monotonic = log, settings, monotonic
        self._retention = retention_of(settings)
        self._steps = clock.StepWatch()
        self._clock_due = self._prune_due = 0.0
        self._published = -1

    async def look(self) -> None:
        """Do what is due.

        Raises:
            AuditUnavailable: the log cannot be written.
        """
        failed: list[Exception] = []
        for step in (self._drain, self._look_at_clock, self._publish, self._prune):
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - one that cannot be done stops none after it
                _log.error("audit_care_step_failed", step=step.__name__.strip("_"), error_type=type(error).__name__)
                failed.append(error)
        if failed:
            raise failed[0]

    async def _drain(self) -> None:
        with spool.alone(self._settings.dir) as mine:  # replicas may share the folder
            if mine:
                await self._record_pending()

    async def _record_pending(self) -> None:
        for path, record in await asyncio.to_thread(spool.pending, self._settings.dir):
            if record is None:
                _log.error("pending_event_unreadable", file=path.name)
                continue
            last = await asyncio.to_thread(self._log.last_event, record.event)
            if last is None or last.details.get("id") != record.details.get("id"):  # equal: a crash kept the file
                await self._log.append(record)
            await asyncio.to_thread(spool.done, path)

    async def _look_at_clock(self) -> None:
        if step_s := self._steps.step_s():
            await self._event(clock.STEPPED, {"step_ms": str(round(step_s * 1000))})
        if self._monotonic() >= self._clock_due:
            self._clock_due = self._monotonic() + self._settings.clock_interval_s
            await self._event(clock.CHECKED, clock.read_clock().details())

    async def _prune(self) -> None:
        if self._retention and self._monotonic() >= self._prune_due:
            self._prune_due = self._monotonic() + self._settings.retention.interval_s
            if not await asyncio.to_thread(lambda: self._log.may_drop):
                return  # a role of its own does it: finslm audit prune
            before = None if self._settings.tiles_dir is None else self._published
            gone = await prune(self._log, self._retention, datetime.now(UTC), waiting=self._waiting, before=before)
            if gone:
                _log.info("audit_records_pruned", count=gone)

    def _waiting(self) -> bool:
        return bool(spool.pending(self._settings.dir))

    async def _publish(self) -> None:
        folder, size = self._settings.tiles_dir, self._log.known_size
        if folder is None or size == self._published:
            return
        try:
            await asyncio.to_thread(self._log.publish_to, folder)
            self._published = size
        except AuditUnavailable as error:  # the folder's disk, not the log's
            _log.error("tiles_not_published", reason=str(error))

    async def _event(self, name: str, details: dict[str, str]) -> None:
        await self._log.append(Record(kind=Kind.EVENT, event=name, details=details))
