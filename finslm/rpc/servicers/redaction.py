"""RedactionService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finslm.rpc.convert import detection_to_proto
from finslm.rpc.gate import Gate, answer_with
from finslm.rpc.interceptor import Context
from finslm.v1 import redaction_pb2, redaction_pb2_grpc
from redaction.text import RawText

if TYPE_CHECKING:
    from finslm.pipeline import Pipeline


class RedactionServicer(redaction_pb2_grpc.RedactionServiceServicer):
    """Analyze, Redact, Restore."""

    def __init__(self, gate: Gate, pipeline: Pipeline) -> None:
        self._gate = gate
        self._pipeline = pipeline

    async def Analyze(self, request: redaction_pb2.AnalyzeRequest, context: Context) -> redaction_pb2.AnalyzeResponse:
        """Say where personal data is."""
        async with self._gate.admit(request, context) as call:
            answered = await self._pipeline.analyze(call, text=RawText(request.text))
            answer_with(context, answered.receipt)
            return redaction_pb2.AnalyzeResponse(detections=map(detection_to_proto, answered.value))

    async def Redact(self, request: redaction_pb2.RedactRequest, context: Context) -> redaction_pb2.RedactResponse:
        """Replace it, and keep the map under a session."""
        async with self._gate.admit(request, context) as call:
            answered = await self._pipeline.redact(call, text=RawText(request.text), session_id=request.session_id)
            answer_with(context, answered.receipt)
            return redaction_pb2.RedactResponse(
                session_id=answered.value.session_id,
                text=answered.value.text,
                detections=map(detection_to_proto, answered.value.detections),
                entity_counts=answered.value.entity_counts,
            )

    async def Restore(self, request: redaction_pb2.RestoreRequest, context: Context) -> redaction_pb2.RestoreResponse:
        """Put the values of a session back."""
        async with self._gate.admit(request, context) as call:
            answered = await self._pipeline.restore(call, session_id=request.session_id, text=request.text)
            answer_with(context, answered.receipt)
            return redaction_pb2.RestoreResponse(text=answered.value)
