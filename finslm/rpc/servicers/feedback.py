"""FeedbackService."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from finslm.rpc.gate import Gate, answer_with
from finslm.rpc.interceptor import Context
from finslm.types import Consent, Correction, Verdict
from finslm.v1 import feedback_pb2, feedback_pb2_grpc
from redaction.text import RawText

if TYPE_CHECKING:
    from finslm.pipeline import Pipeline

_VERDICTS: Final = {feedback_pb2.VERDICT_RIGHT: Verdict.RIGHT, feedback_pb2.VERDICT_WRONG: Verdict.WRONG}
_GIVERS: Final = {
    feedback_pb2.CONSENT_GIVER_SUBJECT: "SUBJECT",
    feedback_pb2.CONSENT_GIVER_EMPLOYEE: "EMPLOYEE",
    feedback_pb2.CONSENT_GIVER_CONTROLLER: "CONTROLLER",
}


class FeedbackServicer(feedback_pb2_grpc.FeedbackServiceServicer):
    """SubmitFeedback."""

    def __init__(self, gate: Gate, pipeline: Pipeline) -> None:
        self._gate = gate
        self._pipeline = pipeline

    async def SubmitFeedback(
        self, request: feedback_pb2.SubmitFeedbackRequest, context: Context
    ) -> feedback_pb2.SubmitFeedbackResponse:
        """Keep a correction."""
        async with self._gate.admit(request, context) as call:
            answered = await self._pipeline.submit_feedback(
                call, task=request.task, text=RawText(request.text), correction=correction_of(request)
            )
            answer_with(context, answered.receipt)
            return feedback_pb2.SubmitFeedbackResponse(
                feedback_id=answered.value.feedback_id,
                entity_counts=answered.value.entity_counts,
                answer_known=answered.value.answer_known,
            )


def correction_of(request: feedback_pb2.SubmitFeedbackRequest) -> Correction:
    """Return what the user says; the text goes beside it."""
    consent, form = request.consent, request.WhichOneof("correction")
    return Correction(
        verdict=_VERDICTS[request.verdict],
        consent=Consent(consent.given, consent.basis, _GIVERS.get(consent.given_by, "")),
        label=RawText(request.label) if form == "label" else None,
        answer=RawText(request.answer) if form == "answer" else None,
        answer_request_id=request.answer_request_id,
        answer_index=request.answer_index if request.HasField("answer_index") else None,
    )
