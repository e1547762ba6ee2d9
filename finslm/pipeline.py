"""The way of a request. Read this file and you know the system.

::

    rpc/        (1) decode, limits, deadline, request id
    access/     (2) who is this   (3) may they do this   (4) is there quota and room left
    audit/      (5) INTENT record durable: no log, no work
    redaction/  (6) normalise, detect, merge   (7) replace; the map goes to the vault   (8) second look
    tasks/      (9) prompt template of the task
    engine/     (10) schedule, decode
    redaction/  (11) guard the answer   (12) restore, for the caller who sent the values
    audit/      (13) OUTCOME record durable, receipt made
    rpc/        (14) reply, receipt in the trailing metadata

This module and ``redaction`` are the only places that hold raw text. Everything it raises is of
:mod:`finslm.errors`; whatever is raised, the OUTCOME says so.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import TypeVar, final

from finslm.audit.calls import CallRecorder, Entry
from finslm.correcting import Correcting
from finslm.drafting import Draft
from finslm.engine.base import Engine
from finslm.errors import FeedbackOff, FinslmError, InvalidRequest
from finslm.extracting import Extracting
from finslm.labelling import Labelling
from finslm.questioning import Inquiry, Questioning, Ranking
from finslm.redacting import Redacting
from finslm.subjects import SubjectIndex
from finslm.tasks import Task, TaskKind, TaskRegistry
from finslm.telemetry.metrics import Metrics
from finslm.types import (
    Answered,
    AnswerResult,
    Call,
    ClassifyResult,
    Correction,
    ExtractResult,
    FeedbackResult,
    FinishReason,
    GenerateResult,
    ModelView,
    RawGrammar,
    RedactResult,
    SamplingOverrides,
    Usage,
)
from redaction import Detection, RawText, Redacted
from redaction.guard import LeakFound

T = TypeVar("T")


@final
class Pipeline:
    """One method for each thing a caller can ask; each is the picture above, with the steps it needs."""

    def __init__(
        self,
        redacting: Redacting,
        tasks: TaskRegistry,
        engine: Engine,
        recorder: CallRecorder,
        models: Callable[[], Sequence[ModelView]],
        metrics: Metrics,
        correcting: Correcting | None = None,
        ranking: Ranking | None = None,
        subjects: SubjectIndex | None = None,
    ) -> None:
        self._redacting, self._tasks, self._engine = redacting, tasks, engine
        self._recorder, self._models, self._metrics = recorder, models, metrics
        self._labelling = Labelling(engine)
        self._correcting, self._subjects = correcting, subjects
        self._extracting = Extracting(redacting, engine, metrics)
        self._questioning = Questioning(redacting, engine, metrics, ranking)

    async def generate(
        self,
        call: Call,
        *,
        task: str,
        text: RawText,
        params: SamplingOverrides | None = None,
        grammar: RawGrammar | None = None,
    ) -> Answered[GenerateResult]:
        """Answer whole."""
        pieces: list[str] = []
        async for item in self.generate_stream(call, task=task, text=text, params=params, grammar=grammar):
            if isinstance(item, Answered):
                blocked = item.value.finish_reason is FinishReason.BLOCKED
                return replace(item, value=replace(item.value, text="" if blocked else "".join(pieces)))
            pieces.append(item)
        raise AssertionError("a stream ends with its summary or raises")

    async def generate_stream(
        self,
        call: Call,
        *,
        task: str,
        text: RawText,
        params: SamplingOverrides | None = None,
        grammar: RawGrammar | None = None,
    ) -> AsyncGenerator[str | Answered[GenerateResult], None]:
        """Answer piece by piece; the last item is the summary, with the receipt and no text."""
        async with self._record(call, text, task) as entry:  # (5) and (13)
            found = self._task(task, TaskKind.GENERATE)
            entry.adapter = self._labelling.adapter(found)
            redacted = await self._redact(call, entry, text)  # (6) (7) (8)
            form = await self._redacting.grammar(call, grammar)
            prompt = found.render(redacted.redacted_text)  # (9)
            sampling = replace(found.defaults, **(params or {}))
            guard = self._redacting.guard(call, text, prompt, redacted)
            restorer = self._redacting.restorer(call, redacted, form)
            source = text if found.grounded else None
            draft = Draft(entry, self._engine, prompt, guard, self._metrics, source)
            tenant, deadline, issued = call.principal.tenant, call.deadline, redacted.placeholders
            answering = self._engine.generate(
                prompt,
                sampling,
                grammar=form,
                placeholders=issued,
                adapter=found.adapter or "",
                tenant=tenant,
                deadline=deadline,
            )
            async with aclosing(answering) as chunks:
                try:
                    async for chunk in chunks:  # (10)
                        draft.count(chunk)
                        if piece := restorer.feed(guard.feed(chunk.text)):  # (11) (12)
                            draft.sent(piece)
                            yield piece
                    if piece := restorer.feed(guard.close()) + restorer.close(cut=True):
                        draft.sent(piece)
                        yield piece
                except LeakFound:
                    draft.block()
            result = await draft.result(redacted)
        yield self._answered(entry, result)  # (14)

    async def classify(
        self,
        call: Call,
        *,
        task: str,
        text: RawText,
        labels: Sequence[RawText] = (),
        abstain_below: float | None = None,
    ) -> Answered[ClassifyResult]:
        """Score the labels of a task, or those of the request."""
        async with self._record(call, text, task) as entry:  # (5) and (13)
            found = self._task(task, TaskKind.CLASSIFY)
            named = await self._redacting.labels(call, found, labels)  # (6) (8)
            redacted = await self._redact(call, entry, text)  # (6) (7) (8)
            entry.adapter = self._labelling.adapter(found)
            scores, tokens = await self._labelling.score(call, found, redacted.redacted_text, named)  # (9) (10)
            entry.usage = Usage(prompt_tokens=tokens)
            abstained = abstain_below is not None and scores[0].score < abstain_below
            entry.abstained = None if abstain_below is None else abstained
            result = ClassifyResult(
                scores, entry.usage, self._engine.model, entry.adapter, redacted.entity_counts, abstained
            )
        return self._answered(entry, result)  # (14)

    async def extract(self, call: Call, *, task: str, text: RawText) -> Answered[ExtractResult]:
        """Fill in the JSON document of a task; one that does not match its schema is an error, never an answer."""
        async with self._record(call, text, task) as entry:  # (5) and (13)
            found = self._task(task, TaskKind.EXTRACT)
            redacted = await self._redact(call, entry, text)  # (6) (7) (8)
            result = await self._extracting.document(call, entry, found, text, redacted)  # (9) (10) (11) (12)
        return self._answered(entry, result)  # (14)

    async def answer(self, call: Call, *, question: RawText, document: RawText) -> Answered[AnswerResult]:
        """Answer a question from a document, with its evidence, or say that it is not there."""
        asked = Inquiry.of(question, document)
        async with self._record(call, asked.text) as entry:  # (5) and (13)
            redacted = await self._redact(call, entry, asked.text, "document")  # (6) (7) (8)
            result = await self._questioning.answer(call, entry, asked, redacted)  # (9) (10) (11) (12)
        return self._answered(entry, result)  # (14)

    async def analyze(self, call: Call, *, text: RawText) -> Answered[Sequence[Detection]]:
        """Say where personal data stands, and change nothing."""
        async with self._record(call, text) as entry:
            redacted = await self._redact(call, entry, text)
        return self._answered(entry, redacted.detections)

    async def redact(self, call: Call, *, text: RawText, session_id: str = "") -> Answered[RedactResult]:
        """Replace personal data; the values stay in the vault for Restore."""
        async with self._record(call, text) as entry:
            redacted, session = await self._redacting.redact_to_keep(call, text, session_id)
            await self._found(call, entry, text, redacted)
            result = RedactResult(session, redacted.text, redacted.detections, redacted.entity_counts)
            entry.output_chars = len(redacted.text)
        return self._answered(entry, result)

    async def restore(self, call: Call, *, session_id: str, text: str) -> Answered[str]:
        """Put the values of a session back, for the caller who sent them."""
        async with self._record(call, RawText(text)) as entry:
            restored = await self._redacting.restore(call.principal, session_id, text)
            entry.output_chars = len(restored)
        return self._answered(entry, restored)

    async def submit_feedback(
        self, call: Call, *, task: str, text: RawText, correction: Correction
    ) -> Answered[FeedbackResult]:
        """Keep a correction to train on, redacted for good; with consent or not at all."""
        async with self._record(call, text, task) as entry:  # (5) and (13)
            if self._correcting is None:
                raise FeedbackOff("this server keeps no feedback: the operator sets feedback.dir")
            result = await self._correcting.keep(call, entry, self._tasks.get(task), text, correction)  # (6) (7) (8)
        return self._answered(entry, result)  # (14)

    def audit_read(self, call: Call) -> AbstractAsyncContextManager[Entry]:
        """Record that somebody reads the audit log (PCI DSS 10.2.1.3)."""
        return self._recorder.record(call)

    async def record_refusal(self, call: Call, error: FinslmError) -> None:
        """Record a call that was refused before it came here."""
        await self._recorder.refuse(call, error)

    def models(self) -> Sequence[ModelView]:
        """What is served."""
        return self._models()

    def _record(self, call: Call, text: RawText, task: str = "") -> AbstractAsyncContextManager[Entry]:
        known = task if task in self._tasks.names() else ""  # a caller's own words are no record
        versions = self._redacting.versions(call)
        return self._recorder.record(call, task=known, input_chars=len(text), redaction=versions)

    def _task(self, name: str, kind: TaskKind) -> Task:
        task = self._tasks.get(name)
        if task.kind is not kind:
            fitting = ", ".join(self._tasks.names(kind))
            raise InvalidRequest(f"task {task.name} is {task.kind}; here: {fitting}", reason="WRONG_TASK_KIND")
        return task

    async def _redact(self, call: Call, entry: Entry, text: RawText, field: str = "text") -> Redacted:
        redacted = await self._redacting.redact(call, text, field)
        await self._found(call, entry, text, redacted)
        return redacted

    async def _found(self, call: Call, entry: Entry, text: RawText, redacted: Redacted) -> None:
        """What was found goes into the record: counts, and a commitment to whom it is about."""
        entry.entity_counts, entry.action_counts = redacted.entity_counts, redacted.action_counts
        if self._subjects is not None:
            about = call.principal.tenant, call.request_id, text.value, redacted.detections
            entry.subjects = await self._subjects.sight(*about)

    def _answered(self, entry: Entry, value: T) -> Answered[T]:
        if entry.receipt is None:
            raise AssertionError("an OUTCOME without a receipt")
        return Answered(value, entry.receipt)
