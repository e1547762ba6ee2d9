"""A real server on a loopback port, over a real audit log and a pipeline that does what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from finslm.access.principals import Authenticator, LocalAuthenticator
from finslm.audit import AuditLog, Record
from finslm.audit.calls import CallRecorder, Entry, Versions
from finslm.client import AsyncClient
from finslm.config import AuditSettings, EngineSettings, ServerSettings, Settings
from finslm.errors import FinslmError
from finslm.rpc.errors import verdict_of
from finslm.rpc.server import Server
from finslm.telemetry.metrics import Metrics
from finslm.types import (
    Answered,
    AnswerResult,
    Call,
    Cited,
    ClassifyResult,
    Correction,
    Evidence,
    ExtractResult,
    FeedbackResult,
    FinishReason,
    GenerateResult,
    LabelScore,
    ModelIdentity,
    ModelView,
    RawGrammar,
    Receipt,
    RedactResult,
    SamplingOverrides,
    Usage,
)
from redaction.text import RawText

BASE = ModelIdentity("base", "a" * 64)
RECEIPT = Receipt(7, "1" * 64, 8, "2" * 64)
COUNTS = {"IBAN_CODE": 2}


class ScriptedPipeline:
    """Stands in for the pipeline: echoes, or fails, or waits, as the test says. Records like the real one.

    ``failure`` is raised instead of an answer; by a stream, after ``pieces_before_failure`` pieces.
    """

    def __init__(self, recorder: CallRecorder) -> None:
        self._recorder = recorder
        self.failure: BaseException | None = None
        self.pieces_before_failure = 0
        self.hold: asyncio.Event | None = None
        self.entered = asyncio.Event()
        self.calls: list[Call] = []
        self.params: list[SamplingOverrides | None] = []
        self.grammars: list[RawGrammar | None] = []
        self.tasks: list[str] = []
        self.closed_streams = 0
        self.model_names: Sequence[str] = ("base",)
        self.labels: list[list[str]] = []
        self.corrections: list[Correction] = []

    async def _work(self, call: Call) -> None:
        self.calls.append(call)
        self.entered.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.failure is not None:
            raise self.failure

    async def generate(
        self, call: Call, *, task: str, text: RawText, params: SamplingOverrides | None, grammar: RawGrammar | None
    ) -> Answered[GenerateResult]:
        self.params.append(params)
        self.grammars.append(grammar)
        self.tasks.append(task)
        await self._work(call)
        return Answered(GenerateResult(text.value, FinishReason.STOP, Usage(3, 4), BASE, COUNTS), RECEIPT)

    async def generate_stream(
        self, call: Call, *, task: str, text: RawText, params: SamplingOverrides | None, grammar: RawGrammar | None
    ) -> AsyncGenerator[str | Answered[GenerateResult], None]:
        self.grammars.append(grammar)
        try:
            pieces = text.value.split(" ")
            for piece in pieces[: self.pieces_before_failure]:
                yield piece
            await self._work(call)
            for piece in pieces[self.pieces_before_failure :]:
                yield piece
            yield Answered(GenerateResult("", FinishReason.LENGTH, Usage(3, 4), BASE, COUNTS), RECEIPT)
        finally:
            self.closed_streams += 1

    async def classify(
        self,
        call: Call,
        *,
        task: str,
        text: RawText,
        labels: Sequence[RawText] = (),
        abstain_below: float | None = None,
    ) -> Answered[ClassifyResult]:
        await self._work(call)
        self.labels.append([label.value for label in labels])
        scores = (LabelScore("fee", 0.75), LabelScore("card", 0.25))
        adapter = None if labels else ModelIdentity("fees", "b" * 64)
        abstained = abstain_below is not None and abstain_below > 0.75
        return Answered(ClassifyResult(scores, Usage(3), BASE, adapter, COUNTS, abstained), RECEIPT)

    async def extract(self, call: Call, *, task: str, text: RawText) -> Answered[ExtractResult]:
        await self._work(call)
        return Answered(ExtractResult('{"a":1}', Usage(3, 4), BASE, COUNTS), RECEIPT)

    async def answer(self, call: Call, *, question: RawText, document: RawText) -> Answered[AnswerResult]:
        """Found at once, where the document has the question's words."""
        await self._work(call)
        start = document.value.find(question.value)
        cited = Cited(start, start + len(question), question.value)
        found = (True, "4 percent", ("4",), "percent", "divide(#1, #1)", (cited,), (Evidence(cited, 0.5),), 0.75, "")
        absent = (False, "", (), "", "", (), (), 0.25, "NOT_IN_DOCUMENT")
        ranker = ModelIdentity("qa", "b" * 64)
        return Answered(AnswerResult(*(found if start >= 0 else absent), Usage(9), BASE, ranker, COUNTS), RECEIPT)

    async def analyze(self, call: Call, *, text: RawText) -> Answered[Sequence[Any]]:
        await self._work(call)
        return Answered((), RECEIPT)

    async def redact(self, call: Call, *, text: RawText, session_id: str = "") -> Answered[RedactResult]:
        await self._work(call)
        return Answered(RedactResult("session", "to <IBAN_CODE_1>", (), COUNTS), RECEIPT)

    async def restore(self, call: Call, *, session_id: str, text: str) -> Answered[str]:
        await self._work(call)
        return Answered(text, RECEIPT)

    async def submit_feedback(
        self, call: Call, *, task: str, text: RawText, correction: Correction
    ) -> Answered[FeedbackResult]:
        self.corrections.append(correction)
        await self._work(call)
        return Answered(FeedbackResult("feedback", COUNTS, answer_known=True), RECEIPT)

    def audit_read(self, call: Call) -> AbstractAsyncContextManager[Entry]:
        return self._recorder.record(call)

    async def record_refusal(self, call: Call, error: FinslmError) -> None:
        await self._recorder.refuse(call, error)

    def models(self) -> Sequence[ModelView]:
        return [ModelView(ModelIdentity(n, "a" * 64), "base", "A model.", "Apache-2.0") for n in self.model_names]


class Running:
    """A started server and what is around it."""

    def __init__(
        self, server: Server, pipeline: ScriptedPipeline, log: AuditLog, metrics: Metrics, log_folder: Path
    ) -> None:
        self.log_folder = log_folder
        self.server, self.pipeline, self.log, self.metrics = server, pipeline, log, metrics
        self.address = f"127.0.0.1:{server.port}"

    def client(self, **options: Any) -> AsyncClient:
        return AsyncClient(self.address, **options)

    def records(self) -> list[Record]:
        return [self.log.record(i) for i in range(self.log.size)]

    async def send_bytes(self, path: str, data: bytes, **options: Any) -> bytes:
        """Call a method with bytes of our choice."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            return await channel.unary_unary(path)(data, **options)


Serve = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Make a context manager that serves: ``async with serve(max_text_chars=10) as running``."""

    @asynccontextmanager
    async def start(
        authenticator: Authenticator | None = None,
        ready: bool = True,
        max_new_tokens: int = 64,
        readers: Mapping[str, tuple[str, ...]] | None = None,
        **server: Any,
    ) -> AsyncIterator[Running]:
        settings = Settings(
            server=ServerSettings(**{"port": 0, "grace_s": 5.0} | server),
            engine=EngineSettings(max_new_tokens=max_new_tokens),
            audit=AuditSettings(readers=readers or {}),
        )
        log = AuditLog.open(tmp_path / "audit", origin="test.local/audit", checkpoint_interval_s=60)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(log.close)
            recorder = CallRecorder(log, Versions("c" * 64, "d" * 64, BASE), verdict_of)
            pipeline: Any = ScriptedPipeline(recorder)
            metrics = Metrics(CollectorRegistry())
            serving = Server(settings, pipeline, authenticator or LocalAuthenticator(), log, metrics)
            await serving.start()
            stack.push_async_callback(serving.stop, 0)
            if ready:
                await serving.ready()
            yield Running(serving, pipeline, log, metrics, tmp_path / "audit")

    return start
