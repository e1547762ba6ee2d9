"""AuditService."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from finslm.audit.calls import Entry
from finslm.audit.merkle import leaf_hash
from finslm.audit.records import Kind, Record
from finslm.errors import UnknownRecord
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

_KINDS: Final = {
    Kind.INTENT: audit_pb2.RECORD_KIND_INTENT,
    Kind.OUTCOME: audit_pb2.RECORD_KIND_OUTCOME,
    Kind.EVENT: audit_pb2.RECORD_KIND_EVENT,
}


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """GetRecord, GetCheckpoint, GetInclusionProof, Verify. Each reading is itself recorded.

    The log reads files, so its work is done on a thread and other calls go on.
    """

    def __init__(self, gate: Gate, pipeline: Pipeline, log: AuditLog) -> None:
        self._gate = gate
        self._pipeline = pipeline
        self._log = log

    async def GetRecord(self, request: audit_pb2.GetRecordRequest, context: Context) -> audit_pb2.GetRecordResponse:
        """Return a record by index, or the records of a call."""
        async with self._gate.admit(request, context) as call, self._pipeline.audit_read(call) as entry:
            found = await asyncio.to_thread(self._find, request)
            answer = audit_pb2.GetRecordResponse(records=[_record_to_proto(i, r) for i, r in found[:MAX_RECORDS]])
        return _with_receipt(answer, entry, context)

    async def GetCheckpoint(
        self, request: audit_pb2.GetCheckpointRequest, context: Context
    ) -> audit_pb2.GetCheckpointResponse:
        """Return the newest checkpoint."""
        async with self._gate.admit(request, context) as call, self._pipeline.audit_read(call) as entry:
            answer = audit_pb2.GetCheckpointResponse(checkpoint=await asyncio.to_thread(self._log.checkpoint))
        return _with_receipt(answer, entry, context)

    async def GetInclusionProof(
        self, request: audit_pb2.GetInclusionProofRequest, context: Context
    ) -> audit_pb2.GetInclusionProofResponse:
        """Prove that a record is in a tree."""
        async with self._gate.admit(request, context) as call, self._pipeline.audit_read(call) as entry:
            size = request.tree_size if request.HasField("tree_size") else None
            proof = await asyncio.to_thread(self._log.inclusion_proof, request.index, size)
            answer = audit_pb2.GetInclusionProofResponse(
                index=proof.index, tree_size=proof.tree_size, leaf_hash=proof.leaf_hash, hashes=proof.hashes
            )
        return _with_receipt(answer, entry, context)

    async def Verify(self, request: audit_pb2.VerifyRequest, context: Context) -> audit_pb2.VerifyResponse:
        """Check the whole log."""
        async with self._gate.admit(request, context) as call, self._pipeline.audit_read(call) as entry:
            report = await asyncio.to_thread(self._log.verify)
            answer = audit_pb2.VerifyResponse(
                tree_size=report.tree_size,
                root_hash=bytes.fromhex(report.root_hash),
                records=report.records,
                intents_without_outcome=report.intents_without_outcome[:MAX_INDEXES],
                outcomes_without_intent=report.outcomes_without_intent[:MAX_INDEXES],
                ok=report.ok,
            )
        return _with_receipt(answer, entry, context)

    def _find(self, request: audit_pb2.GetRecordRequest) -> Sequence[tuple[int, Record]]:
        if request.HasField("index"):
            return [(request.index, self._log.record(request.index))]
        if found := self._log.find(request.record_request_id):
            return found
        raise UnknownRecord("the log has no record of a call with this record_request_id")


def _with_receipt(answer: A, entry: Entry, context: Context) -> A:
    """Hand on the answer, once the record of the reading is durable, and its receipt with it."""
    if entry.receipt is None:
        raise AssertionError("a reading that ended well has a receipt")
    answer_with(context, entry.receipt)
    return answer


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
