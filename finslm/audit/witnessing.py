"""The log's side of witnessing: every tree is soon cosigned by the quorum of the policy, or it is told that it is not.

The witnesses are asked beside the log, never in the way of an append. ``checkpoint.cosigned`` in the log's folder is
the last checkpoint under which the quorum stands.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, final

import structlog

from finslm.audit import files, merkle
from finslm.audit.calls import Appender
from finslm.audit.checkpoint import Checkpoint, Note, NoteSignature
from finslm.audit.keys import VKEY_FILE, read_vkey
from finslm.audit.log import AuditLog
from finslm.audit.policy import WitnessPolicy
from finslm.audit.records import Kind, Record
from finslm.audit.witness_client import Trouble, WitnessClient, WitnessHolds, WitnessTrouble
from finslm.audit.witnessed import COSIGNED_FILE, cut, log_keys, read_cosigned, rewritten
from finslm.config import AuditSettings
from finslm.errors import AuditUnavailable, ConfigError
from finslm.types import Receipt

TIMEOUT_S: Final = 5.0
"""A witness gets this long for one answer, seconds."""

_TRIES: Final = 3
"""First by what is remembered, then by what the witness says; once more where somebody came between."""

_log = structlog.get_logger(__name__)


@final
class Guarded:
    """The audit log, closed to new calls while a required quorum is lost.

    Only INTENTs are refused: what was begun gets its OUTCOME, and what the operator does stays on record.
    """

    def __init__(self, log: Appender, witnessing: Witnessing) -> None:
        self._log, self._witnessing = log, witnessing

    async def append(self, record: Record) -> Receipt:
        """Append; see :meth:`finslm.audit.AuditLog.append`.

        Raises:
            AuditUnavailable: also when the quorum is lost, and the record would begin a call.
        """
        if record.kind is Kind.INTENT and (why := self._witnessing.refusal):
            raise AuditUnavailable(why)
        return await self._log.append(record)


class WitnessMetrics(Protocol):
    """Where it is counted."""

    def count_witness_failure(self, witness: str, reason: str) -> None:
        """One witness did not cosign."""
        ...

    def watch_witnessing(self, size: Callable[[], int], age_s: Callable[[], float]) -> None:
        """What to show: records cosigned, and for how long there have been others, seconds."""
        ...


@final
class Witnessing:
    """Has the checkpoints of one log cosigned, and knows whether the quorum holds.

    Args:
        log: the running log.
        folder: of the log; ``checkpoint.cosigned`` is there.
        policy: who must cosign.
        max_age_s: the log may have grown for this long without a quorum, seconds.
        required: whether the log is closed to new calls when the quorum is lost.
        metrics: counts what witnesses do not do.
        clock: Unix seconds.
    """

    def __init__(
        self,
        log: AuditLog,
        folder: Path,
        policy: WitnessPolicy,
        *,
        max_age_s: float,
        required: bool,
        metrics: WitnessMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take up where the last process left off.

        Raises:
            ConfigError: the policy does not name this log's key, or nobody in it can be asked.
            AuditCorrupt: the log does not extend the checkpoint that was cosigned last.
            AuditUnavailable: that checkpoint cannot be read, or is not valid.
        """
        self._log, self._path, self._policy = log, folder / COSIGNED_FILE, policy
        self._max_age_s, self._required, self._metrics, self._clock = max_age_s, required, metrics, clock
        self._keys = log_keys(policy, read_vkey(folder / VKEY_FILE))
        self._clients = [WitnessClient(w, TIMEOUT_S) for w in policy.witnesses.values() if w.url]
        if not policy.is_met([client.witness.name for client in self._clients]):
            raise ConfigError("witness policy: the witnesses that have an address cannot make the quorum: add theirs")
        self._held: dict[str, int] = {}
        self._size, self._covered_at = 0, 0.0
        self._written, self._writing = 0, threading.Lock()
        self.lost = False
        """Whether the log has grown for too long without a quorum."""
        self._resume()

    @classmethod
    def open(cls, settings: AuditSettings, log: AuditLog, metrics: WitnessMetrics) -> Witnessing | None:
        """Witnessing as the settings say; None where they name no policy. Raises as the constructor."""
        if settings.witness_policy_file is None:
            return None
        policy = WitnessPolicy.load(settings.witness_policy_file)
        age_s, required = settings.witness_max_age_s, settings.witness_required
        witnessing = cls(log, settings.dir, policy, max_age_s=age_s, required=required, metrics=metrics)
        metrics.watch_witnessing(lambda: witnessing.size, lambda: witnessing.age_s)
        return witnessing

    @property
    def size(self) -> int:
        """Records under the last checkpoint that the quorum has cosigned."""
        return self._size

    @property
    def age_s(self) -> float:
        """For how long the log has had records that no quorum has cosigned, seconds; 0: it has none."""
        return 0.0 if self._log.size <= self._size else max(0.0, self._clock() - self._covered_at)

    @property
    def refusal(self) -> str | None:
        """Why the log is closed to new calls; None: it is not. By the clock, whether or not rounds go on."""
        if not self._required or self.age_s <= self._max_age_s:
            return None
        return (
            f"the audit log has not been cosigned by its witnesses for {self.age_s:.0f} s, limit {self._max_age_s} s: "
            "bring the witnesses back (docs/witness.md)"
        )

    async def run(self, interval_s: float, on_change: Callable[[], Awaitable[None]]) -> None:
        """A round every ``interval_s`` seconds, until cancelled; ``on_change`` when :attr:`refusal` begins or ends."""
        told = self.refusal is not None
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.round()
                if told != (closed := self.refusal is not None):
                    await on_change()
                    told = closed
            except Exception as error:  # noqa: BLE001 - a fault in one round must not end witnessing unseen
                _log.error("witness_round_failed", error=type(error).__name__)

    async def round(self) -> None:
        """Ask every witness for the log as it is now, if it has grown; then say whether the quorum holds.

        Raises nothing but what cancels it: a log that has failed is told of by itself.
        """
        try:
            await self._round()
        except (AuditUnavailable, ValueError) as error:  # ValueError: signed with a key that the policy does not know
            _log.error("witness_round_failed", error=type(error).__name__)
            await self._judge()

    async def _round(self) -> None:
        if self._log.size > self._size:
            await self._ask_all()
        if self._log.size <= self._size:
            self._covered_at = self._clock()
        await self._judge()

    async def _ask_all(self) -> None:
        asked_at, note = self._clock(), Note.parse(self._log.checkpoint())
        size = Checkpoint.parse(note.text).size
        lines = await asyncio.gather(*(self._ask(client, note, size) for client in self._clients))
        cosigned = replace(note, signatures=(*note.signatures, *(line for line in lines if line is not None)))
        if self._policy.check(cosigned, self._keys).met_at is None:
            return
        text = f"{cosigned.text}\n{''.join(line.line() for line in cosigned.signatures)}"
        try:
            await asyncio.to_thread(self._write, size, text)
        except OSError as error:
            _log.error("cosigned_checkpoint_not_written", error=type(error).__name__, errno=error.errno)
            return
        self._size, self._covered_at = size, asked_at

    def _write(self, size: int, text: str) -> None:
        """In a thread, which a cancelled round leaves behind: one at a time, and never an older note over a newer."""
        with self._writing:
            if size > self._written:
                files.write_atomically(self._path, text.encode(), 0o644)
                self._written = size

    async def _ask(self, client: WitnessClient, note: Note, size: int) -> NoteSignature | None:
        """One witness's line, or None; what went wrong is counted and told."""
        name = client.witness.name
        try:
            return await self._cosigned_by(client, note, size)
        except WitnessTrouble as error:
            self._metrics.count_witness_failure(name, error.trouble)
            tell = _log.error if error.trouble in (Trouble.AHEAD, Trouble.FORKED) else _log.warning
            tell("witness_failed", witness=name, reason=error.trouble.value, error=error.detail)
            return None

    async def _cosigned_by(self, client: WitnessClient, note: Note, size: int) -> NoteSignature:
        name = client.witness.name
        for _ in range(_TRIES):
            old = self._held.get(name, 0)
            try:
                proof = await asyncio.to_thread(self._log.consistency_proof, old, size)
                line = await client.add_checkpoint(note, old, proof)
            except WitnessHolds as held:
                if held.size > size:
                    raise WitnessTrouble(Trouble.AHEAD, f"{held.size}>{size}") from None
                if held.size < old:
                    _log.error("witness_went_back", witness=name, size=held.size, held_size=old)
                self._held[name] = held.size
                continue
            self._held[name] = size
            return line
        raise WitnessTrouble(Trouble.REFUSED, "409")

    async def _judge(self) -> None:
        """Note that the quorum is lost, or back: once each, in the log of the process and in the audit log."""
        if self.age_s > self._max_age_s and not self.lost:
            self.lost = True
            _log.error("witness_quorum_lost", size=self._size)
            await self._record("WITNESS_QUORUM_LOST", {"size": str(self._size)})
        elif self.lost and self.age_s <= self._max_age_s:
            self.lost = False
            _log.info("witness_quorum_met", size=self._size)
            await self._record("WITNESS_QUORUM_MET", {"size": str(self._size)})

    async def _record(self, event: str, details: Mapping[str, str]) -> None:
        try:
            await self._log.append(Record(kind=Kind.EVENT, event=event, details=details))
        except AuditUnavailable:
            _log.error("witness_event_not_recorded", where=event)

    def _resume(self) -> None:
        """Hold the log against the checkpoint that was cosigned last: nothing of it may be gone or changed."""
        try:
            standing = read_cosigned(self._path, self._policy, self._keys)
        except FileNotFoundError:
            self._covered_at = self._clock() if self._log.size == 0 else 0.0
            return
        except OSError as error:
            raise AuditUnavailable(f"{self._path} cannot be read: {error.strerror}") from error
        cosigned = standing.checkpoint
        if self._log.size < cosigned.size:
            raise cut(self._log.size, cosigned)
        now = bytes.fromhex(self._log.root_hash)
        proof = self._log.consistency_proof(cosigned.size)
        if not merkle.verify_consistency(cosigned.size, self._log.size, cosigned.root_hash, now, proof):
            raise rewritten(cosigned)
        self._held = dict.fromkeys(standing.times, cosigned.size)
        if standing.met_at is not None:
            self._size, self._covered_at = cosigned.size, float(standing.met_at)
