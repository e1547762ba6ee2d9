"""Two records around each call: INTENT before any work, OUTCOME before the reply, whatever happens in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, final

from finslm.audit.records import Kind, Record
from finslm.errors import DeadlineExceeded, FinslmError
from finslm.types import Call, FinishReason, ModelIdentity, Receipt, Usage

CANCELLED = "CANCELLED"

DEADLINE_SLACK_S: Final = 0.05
"""A call that is cancelled no earlier than this before its deadline ended by it: the caller's clock began sooner."""


class Appender(Protocol):
    """The part of the audit log that this needs."""

    async def append(self, record: Record) -> Receipt:
        """Make a record durable; AuditUnavailable when that cannot be done."""
        ...


@final
@dataclass(frozen=True, slots=True)
class RedactionVersions:
    """Digests of the policy and the redactor of one call; empty when the call named no policy that it may use."""

    policy_digest: str
    redactor_digest: str


@final
@dataclass(frozen=True, slots=True)
class Versions:
    """What is in force where a call has nothing of its own: they go into every record."""

    policy_digest: str
    redactor_digest: str
    model: ModelIdentity


@final
@dataclass(slots=True)
class Entry:
    """What the steps of a call learn, on its way into the OUTCOME record. Counts and sizes only."""

    input_chars: int | None = None
    output_chars: int | None = None
    entity_counts: Mapping[str, int] = field(default_factory=dict)
    action_counts: Mapping[str, int] = field(default_factory=dict)
    answer_counts: Callable[[], Mapping[str, int]] = dict
    """Asked when the call ends, however it ends."""
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    model: ModelIdentity | None = None
    """What computed, where it is not the served model."""
    adapter: ModelIdentity | None = None
    abstained: bool | None = None
    """Whether nothing was found to answer; None where that is not asked."""
    subjects: str = ""
    """Commitment to the data subjects; empty where none is kept."""
    receipt: Receipt | None = None


@final
class CallRecorder:
    """Writes the records of calls.

    Args:
        log: where they go.
        versions: what is in force.
        status_of: from an exception to its gRPC status name and reason; the table is the caller's.
    """

    def __init__(
        self, log: Appender, versions: Versions, status_of: Callable[[BaseException], tuple[str, str]]
    ) -> None:
        self._log, self._versions, self._status_of = log, versions, status_of

    @asynccontextmanager
    async def record(
        self,
        call: Call,
        *,
        task: str = "",
        input_chars: int | None = None,
        redaction: RedactionVersions | None = None,
    ) -> AsyncIterator[Entry]:
        """INTENT on the way in, OUTCOME on the way out; the entry then holds the OUTCOME's receipt.

        Args:
            call: the call.
            task: name of a task that exists, or empty.
            input_chars: length of its text, code points.
            redaction: policy and redactor of this call; those of :class:`Versions` when None.

        Raises:
            AuditUnavailable: a record could not be made durable. From INTENT: no work was done. From
                OUTCOME: the work is done and its answer must not be given.
        """
        started = time.monotonic()
        base = self._base(call, task, redaction)
        entry = Entry(input_chars=input_chars)
        writing = asyncio.ensure_future(self._log.append(replace(base, kind=Kind.INTENT, input_chars=input_chars)))
        try:
            # A cancellation here leaves the INTENT in the log: it gets its OUTCOME like any other.
            await _to_its_end(writing)
            yield entry
        except BaseException as error:
            # A cancelled call is recorded too, and its cancellation goes on afterwards.
            if not writing.cancelled() and writing.exception() is None:
                status, reason = self._verdict(error, call)
                await self._uncancelled(_outcome(base, entry, writing.result(), started, status, reason))
            raise
        intent = writing.result()
        entry.receipt = await self._uncancelled(_outcome(base, entry, intent, started, "OK", ""))

    async def refuse(self, call: Call, error: FinslmError) -> Receipt:
        """Record a call that was refused before it got this far: one OUTCOME without an INTENT."""
        status, reason = self._status_of(error)
        return await self._uncancelled(
            replace(self._base(call, ""), kind=Kind.OUTCOME, status=status, reason=reason, duration_ms=0)
        )

    def _verdict(self, error: BaseException, call: Call) -> tuple[str, str]:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            # grpc cancels a call whose deadline has passed; its caller sees DEADLINE_EXCEEDED.
            remaining = call.remaining_s()
            late = remaining is not None and remaining <= DEADLINE_SLACK_S
            return self._status_of(DeadlineExceeded()) if late else (CANCELLED, CANCELLED)
        return self._status_of(error)

    def _base(self, call: Call, task: str, redaction: RedactionVersions | None = None) -> Record:
        redaction = redaction or RedactionVersions(self._versions.policy_digest, self._versions.redactor_digest)
        return Record(
            kind=Kind.INTENT,
            request_id=call.request_id,
            principal=call.principal.name,
            tenant=call.principal.tenant,
            method=call.method,
            task=task,
            model_name=self._versions.model.name,
            model_digest=self._versions.model.digest,
            policy_digest=redaction.policy_digest,
            redactor_digest=redaction.redactor_digest,
        )

    async def _uncancelled(self, record: Record) -> Receipt:
        """Append, to the end even when this call is cancelled meanwhile; the cancellation follows."""
        return await _to_its_end(asyncio.ensure_future(self._log.append(record)))


async def _to_its_end(writing: asyncio.Future[Receipt]) -> Receipt:
    """Wait for an append to end, however often this call is cancelled meanwhile; the cancellation follows."""
    cancelled: asyncio.CancelledError | None = None
    while not writing.done():
        try:
            await asyncio.wait([writing])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return writing.result()
    if not writing.cancelled():
        writing.exception()  # seen: the caller is gone, and asyncio would complain of it
    raise cancelled


def _outcome(base: Record, entry: Entry, intent: Receipt, started: float, status: str, reason: str) -> Record:
    usage, model = entry.usage, entry.model or ModelIdentity(base.model_name, base.model_digest)
    return replace(
        base,
        kind=Kind.OUTCOME,
        intent_index=intent.index,
        status=status,
        reason=reason,
        duration_ms=round((time.monotonic() - started) * 1000),
        input_chars=entry.input_chars,
        output_chars=entry.output_chars,
        entity_counts=entry.entity_counts,
        action_counts=entry.action_counts,
        answer_counts=entry.answer_counts(),
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        finish_reason=entry.finish_reason or "",
        abstained=entry.abstained,
        subjects=entry.subjects,
        model_name=model.name,
        model_digest=model.digest,
        adapter_name=entry.adapter.name if entry.adapter else "",
        adapter_digest=entry.adapter.digest if entry.adapter else "",
    )
