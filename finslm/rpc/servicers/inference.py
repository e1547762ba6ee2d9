"""InferenceService."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from finslm.rpc import convert
from finslm.rpc.gate import Gate, answer_with
from finslm.rpc.interceptor import Context
from finslm.tasks import DEFAULT_TASK
from finslm.types import RawGrammar, SamplingOverrides
from finslm.v1 import inference_pb2, inference_pb2_grpc
from redaction.text import RawText

if TYPE_CHECKING:
    from finslm.pipeline import Pipeline


class InferenceServicer(inference_pb2_grpc.InferenceServiceServicer):
    """Generate, GenerateStream, Classify, Extract, Answer."""

    def __init__(self, gate: Gate, pipeline: Pipeline) -> None:
        self._gate = gate
        self._pipeline = pipeline

    async def Generate(
        self, request: inference_pb2.GenerateRequest, context: Context
    ) -> inference_pb2.GenerateResponse:
        """Run a task and answer it whole."""
        async with self._gate.admit(request, context) as call:
            answered = await self._pipeline.generate(
                call,
                task=request.task or DEFAULT_TASK,
                text=RawText(request.text),
                params=sampling_of(request),
                grammar=grammar_of(request),
            )
            answer_with(context, answered.receipt)
            return convert.generate_to_proto(answered.value)

    async def GenerateStream(
        self, request: inference_pb2.GenerateStreamRequest, context: Context
    ) -> AsyncGenerator[inference_pb2.GenerateStreamResponse, None]:
        """Run a task and answer it piece by piece, the summary last."""
        async with self._gate.admit(request, context) as call:
            items = self._pipeline.generate_stream(
                call,
                task=request.task or DEFAULT_TASK,
                text=RawText(request.text),
                params=sampling_of(request),
                grammar=grammar_of(request),
            )
            async with aclosing(items):
                async for item in items:
                    if isinstance(item, str):
                        yield inference_pb2.GenerateStreamResponse(text_delta=item)
                    else:
                        answer_with(context, item.receipt)
                        yield inference_pb2.GenerateStreamResponse(summary=convert.summary_to_proto(item.value))

    async def Classify(
        self, request: inference_pb2.ClassifyRequest, context: Context
    ) -> inference_pb2.ClassifyResponse:
        """Score the labels of a task, or those of the request."""
        async with self._gate.admit(request, context) as call:
            answered = await self._pipeline.classify(
                call,
                task=request.task,
                text=RawText(request.text),
                labels=[RawText(label) for label in request.labels],
                abstain_below=request.abstain_below if request.HasField("abstain_below") else None,
            )
            answer_with(context, answered.receipt)
            return convert.classify_to_proto(answered.value)

    async def Extract(self, request: inference_pb2.ExtractRequest, context: Context) -> inference_pb2.ExtractResponse:
        """Fill the schema of a task."""
        async with self._gate.admit(request, context) as call:
            answered = await self._pipeline.extract(call, task=request.task, text=RawText(request.text))
            answer_with(context, answered.receipt)
            return convert.extract_to_proto(answered.value)

    async def Answer(self, request: inference_pb2.AnswerRequest, context: Context) -> inference_pb2.AnswerResponse:
        """Answer a question from a document."""
        async with self._gate.admit(request, context) as call:
            answered = await self._pipeline.answer(
                call, question=RawText(request.question), document=RawText(request.document)
            )
            answer_with(context, answered.receipt)
            return convert.answer_to_proto(answered.value)


def sampling_of(
    request: inference_pb2.GenerateRequest | inference_pb2.GenerateStreamRequest,
) -> SamplingOverrides | None:
    """Return what the caller asked for, or None where it left everything to the task."""
    given: dict[str, Any] = {field.name: value for field, value in request.sampling.ListFields()}
    if "stop" in given:
        given["stop"] = tuple(given["stop"])
    if "logit_bias" in given:
        given["logit_bias"] = tuple(sorted(given["logit_bias"].items()))
    return cast(SamplingOverrides, given) if given else None


def grammar_of(
    request: inference_pb2.GenerateRequest | inference_pb2.GenerateStreamRequest,
) -> RawGrammar | None:
    """Return what the answer must look like, or None for anything."""
    form = request.constraint.WhichOneof("form")
    if form is None:
        return None
    asked = getattr(request.constraint, form)
    parts = asked.options if form == "choice" else [asked]
    return RawGrammar(form, tuple(map(RawText, parts)))
