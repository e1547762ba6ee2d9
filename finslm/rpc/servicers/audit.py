"""AuditService."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

from google.protobuf.message import Message

from finslm.access.readers import AuditReaders
from finslm.audit.calls import Entry
from finslm.audit.merkle import leaf_hash
from finslm.audit.query import RecordFilter
from finslm.audit.records import Kind, Record
from finslm.errors import FieldViolation, InvalidRequest, UnknownRecord
from finslm.rpc.gate import Gate, answer_with
from finslm.rpc.interceptor import Context
from finslm.v1 import audit_pb2, audit_pb2_grpc

if TYPE_CHECKING:
    from finslm.audit import AuditLog
    from finslm.pipeline import Pipeline

A = TypeVar("A")

MAX_RECORDS: Final = 100
"""Most records of one answer: a hundred of the longest stay below two megabytes."""

MAX_INDEXES: Final = 1000
"""Most indexes of one list of a Verify answer."""

DEFAULT_PAGE: Final = 100
MOST_BYTES: Final = 1 << 20
"""A page ends when it is this long: messages of gRPC clients are limited to 4 MiB unless they say otherwise."""
MOST_READ: Final = 20_000
"""Most records that are read for one page: a rare one does not keep a thread for minutes."""

READING_THREADS: Final = 4
"""Readings that go on at once; the others wait for one to end."""

_TOKEN = re.compile(r"([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]{16})", re.ASCII)
_WORDS: Final = ("tenant", "principal", "method", "task", "status", "reason", "event")
_KINDS: Final = {
    Kind.INTENT: audit_pb2.RECORD_KIND_INTENT,
    Kind.OUTCOME: audit_pb2.RECORD_KIND_OUTCOME,
    Kind.EVENT: audit_pb2.RECORD_KIND_EVENT,
}


_KIND_NAMES: Final = {value: str(kind) for kind, value in _KINDS.items()}


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Records, checkpoints and proofs. Each reading is itself recorded, and so is each that is refused.

    The log reads files or a database, so its work is done on threads, and on its own: a few checks of a large log would
    take every thread that other calls wait for.
    """

    def __init__(self, gate: Gate, pipeline: Pipeline, log: AuditLog, readers: AuditReaders) -> None:
        self._gate = gate
        self._pipeline = pipeline
        self._log = log
        self._readers = readers
        self._threads = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="audit-read")

    async def _on_thread(self, work: Callable[..., A], *given: Any) -> A:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)

    async def GetRecord(self, request: audit_pb2.GetRecordRequest, context: Context) -> audit_pb2.GetRecordResponse:
        """Return a record by index, or the records of a call."""
        async with self._reading(request, context) as reading:
            found = await self._on_thread(self._find, request, reading.tenants)
            answer = audit_pb2.GetRecordResponse(records=[_record_to_proto(i, r) for i, r in found[:MAX_RECORDS]])
        return reading.receipted(answer)

    async def ListRecords(
        self, request: audit_pb2.ListRecordsRequest, context: Context
    ) -> audit_pb2.ListRecordsResponse:
        """Return a page of the records that fit."""
        async with self._reading(request, context) as reading:
            chosen = filter_of(request.filter, reading.tenants)
            start, end = await self._on_thread(self._page, request.page_token, chosen)
            answer = await self._on_thread(self._list, chosen, start, end, request.page_size or DEFAULT_PAGE)
        return reading.receipted(answer)

    async def ExportRecords(
        self, request: audit_pb2.ExportRecordsRequest, context: Context
    ) -> AsyncIterator[audit_pb2.ExportRecordsResponse]:
        """Send all the records that fit, then the checkpoint of the tree that they were read from."""
        async with self._reading(request, context) as reading:
            chosen, read = filter_of(request.filter, reading.tenants), 0
            note = await self._on_thread(self._log.checkpoint)
            start, end = await self._on_thread(lambda: self._log.first_kept), int(note.split("\n")[1])
            blocks = self._log.select(chosen, start, end, end)
            while (block := await self._on_thread(next, blocks, None)) is not None:
                read, found = block[0] - start, block[1]
                if found:
                    yield audit_pb2.ExportRecordsResponse(records=[_record_to_proto(i, r) for i, r in found])
            yield audit_pb2.ExportRecordsResponse(checkpoint=note, records_read=read)
        reading.receipted(None)

    async def GetCheckpoint(
        self, request: audit_pb2.GetCheckpointRequest, context: Context
    ) -> audit_pb2.GetCheckpointResponse:
        """Return the newest checkpoint."""
        async with self._reading(request, context) as reading:
            answer = audit_pb2.GetCheckpointResponse(checkpoint=await self._on_thread(self._log.checkpoint))
        return reading.receipted(answer)

    async def GetInclusionProof(
        self, request: audit_pb2.GetInclusionProofRequest, context: Context
    ) -> audit_pb2.GetInclusionProofResponse:
        """Prove that a record is in a tree."""
        async with self._reading(request, context) as reading:
            size = request.tree_size if request.HasField("tree_size") else None
            proof = await self._on_thread(self._log.inclusion_proof, request.index, size)
            answer = audit_pb2.GetInclusionProofResponse(
                index=proof.index,
                tree_size=proof.tree_size,
                leaf_hash=proof.leaf_hash,
                hashes=proof.hashes,
                proof=await self._on_thread(self._log.proof_text, proof),
            )
        return reading.receipted(answer)

    async def GetConsistencyProof(
        self, request: audit_pb2.GetConsistencyProofRequest, context: Context
    ) -> audit_pb2.GetConsistencyProofResponse:
        """Prove that a tree only appends to an older one."""
        async with self._reading(request, context) as reading:
            new = request.new_size if request.HasField("new_size") else await self._on_thread(lambda: self._log.size)
            hashes = await self._on_thread(self._log.consistency_proof, request.old_size, new)
            answer = audit_pb2.GetConsistencyProofResponse(old_size=request.old_size, new_size=new, hashes=hashes)
        return reading.receipted(answer)

    async def Verify(self, request: audit_pb2.VerifyRequest, context: Context) -> audit_pb2.VerifyResponse:
        """Check the whole log."""
        async with self._reading(request, context) as reading:
            left = Event()
            try:
                report = await self._on_thread(self._log.verify, partial(_go_on, left))
            finally:
                left.set()  # a caller who is gone waits for no million of records
            answer = audit_pb2.VerifyResponse(
                tree_size=report.tree_size,
                root_hash=bytes.fromhex(report.root_hash),
                records=report.records,
                intents_without_outcome=report.intents_without_outcome[:MAX_INDEXES],
                outcomes_without_intent=report.outcomes_without_intent[:MAX_INDEXES],
                ok=report.ok,
                first_kept=report.first_kept,
            )
        return reading.receipted(answer)

    @asynccontextmanager
    async def _reading(self, request: Message, context: Context) -> AsyncIterator[_Reading]:
        """Admit the call, record it, and know which tenants it may read."""
        async with self._gate.admit(request, context) as call, self._pipeline.audit_read(call) as entry:
            yield _Reading(self._readers.tenants_of(call.principal), entry, context)

    def _find(self, request: audit_pb2.GetRecordRequest, tenants: tuple[str, ...] | None) -> list[tuple[int, Record]]:
        if request.HasField("index"):
            found = [(request.index, self._log.record(request.index))]
        else:
            found = self._log.find(request.record_request_id)
        if own := [(index, record) for index, record in found if tenants is None or record.tenant in tenants]:
            return own
        raise UnknownRecord("the log has no such record that you may read")

    def _page(self, token: str, chosen: RecordFilter) -> tuple[int, int]:
        """Where the page begins, and where the log ended at the first page."""
        if not token:
            return self._log.first_kept, self._log.size
        match = _TOKEN.fullmatch(token)
        if match is None or match[3] != chosen.digest() or not int(match[1]) <= int(match[2]) <= self._log.size:
            what = "not a token of this log and filter: begin again without one"
            raise InvalidRequest(f"page_token: {what}", FieldViolation("page_token", what))
        return int(match[1]), int(match[2])

    def _list(self, chosen: RecordFilter, start: int, end: int, size: int) -> audit_pb2.ListRecordsResponse:
        answer, at = audit_pb2.ListRecordsResponse(), start
        for upto, found in self._log.select(chosen, start, end, MOST_READ):
            for index, record in found[: size - len(answer.records)]:
                answer.records.append(_record_to_proto(index, record))
                at = index + 1
            if len(answer.records) == size or answer.ByteSize() > MOST_BYTES:
                break
            at = upto
        if at < end:
            answer.next_page_token = f"{at}-{end}-{chosen.digest()}"
        return answer


@final
class _Reading:
    """A call that reads the log, while it is recorded."""

    def __init__(self, tenants: tuple[str, ...] | None, entry: Entry, context: Context) -> None:
        self.tenants, self._entry, self._context = tenants, entry, context

    def receipted(self, answer: A) -> A:
        """Hand on the answer, once the record of the reading is durable, and its receipt with it."""
        if self._entry.receipt is None:
            raise AssertionError("a reading that ended well has a receipt")
        answer_with(self._context, self._entry.receipt)
        return answer


def _go_on(left: Event, index: int, record: Record) -> None:  # noqa: ARG001 - as the log calls it
    if left.is_set():
        raise CallerLeft


class CallerLeft(Exception):
    """Ends a check that nobody waits for."""


def filter_of(chosen: audit_pb2.RecordFilter, tenants: tuple[str, ...] | None) -> RecordFilter:
    """The filter of a request, for a reader of some tenants."""
    return RecordFilter(
        time_from=_moment(chosen.time_from),
        time_to=_moment(chosen.time_to),
        kind=_KIND_NAMES.get(chosen.kind, ""),
        **{name: getattr(chosen, name) for name in _WORDS},
        tenants=tenants,
    )


def _moment(text: str) -> str:
    """As records write it: with microseconds."""
    return text if "." in text or not text else text.replace("Z", ".000000Z")


def _record_to_proto(index: int, record: Record) -> audit_pb2.AuditRecord:
    canonical = record.canonical()
    return audit_pb2.AuditRecord(
        index=index,
        leaf_hash=leaf_hash(canonical),
        canonical_json=canonical,
        kind=_KINDS[record.kind],
        time=record.time,
        request_id=record.request_id,
        principal=record.principal,
        tenant=record.tenant,
        method=record.method,
        task=record.task,
        status=record.status,
        reason=record.reason,
        intent_index=record.intent_index,
        event=record.event,
    )
