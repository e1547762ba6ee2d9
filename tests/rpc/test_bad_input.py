"""Bad input of every kind is refused with the documented status and reason, and the refusal is recorded."""

from __future__ import annotations

import hashlib
from typing import Any

import grpc
import pytest

from finslm.access.principals import TokenAuthenticator
from finslm.audit import Kind
from finslm.client import (
    ClientError,
    DeadlineExceededError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnauthenticatedError,
)
from finslm.rpc.client_errors import error_of
from finslm.v1 import audit_pb2 as audit
from finslm.v1 import feedback_pb2 as feedback
from finslm.v1 import inference_pb2 as inference
from finslm.v1 import models_pb2 as models
from finslm.v1 import redaction_pb2 as redaction

CANARY = "canary-4111111111111111"
I, R, M, A, F = (f"/finslm.v1.{s}Service/" for s in ("Inference", "Redaction", "Model", "Audit", "Feedback"))  # noqa: E741


def constrained(**form: Any) -> inference.GenerateRequest:
    return inference.GenerateRequest(task="assist", text=CANARY, constraint=inference.Constraint(**form))


def generate(**sampling: Any) -> inference.GenerateRequest:
    return inference.GenerateRequest(task="assist", text=CANARY, sampling=inference.SamplingParams(**sampling))


def classify(*labels: str, **more: Any) -> inference.ClassifyRequest:
    return inference.ClassifyRequest(task="choose_label", text=CANARY, labels=labels, **more)


def ask(question: str = CANARY, document: str = CANARY, **more: Any) -> inference.AnswerRequest:
    return inference.AnswerRequest(question=question, document=document, **more)


def said(**more: Any) -> feedback.SubmitFeedbackRequest:
    known = {"task": "banking_intent", "text": CANARY, "verdict": feedback.VERDICT_WRONG, "label": "card_arrival"}
    return feedback.SubmitFeedbackRequest(**{**known, **more})


BAD = {
    "no text": (I + "Generate", inference.GenerateRequest(task="assist"), "EMPTY_TEXT", "text"),
    "blank text": (I + "Generate", inference.GenerateRequest(task="assist", text=" \n"), "EMPTY_TEXT", "text"),
    "long text": (I + "Generate", inference.GenerateRequest(text=CANARY * 9), "TEXT_TOO_LONG", "text"),
    "stream, no text": (I + "GenerateStream", inference.GenerateStreamRequest(), "EMPTY_TEXT", "text"),
    "no task": (I + "Classify", inference.ClassifyRequest(text=CANARY), "INVALID_REQUEST", "task"),
    "one label": (I + "Classify", classify(CANARY), "INVALID_REQUEST", "labels"),
    "a label twice": (I + "Classify", classify(CANARY, CANARY), "INVALID_REQUEST", "labels"),
    "65 labels": (I + "Classify", classify(*map(str, range(65))), "INVALID_REQUEST", "labels"),
    "long label": (I + "Classify", classify("a", CANARY * 9), "INVALID_REQUEST", "labels[1]"),
    "label of two lines": (I + "Classify", classify("a", "b\nc"), "INVALID_REQUEST", "labels[1]"),
    "label with space around": (I + "Classify", classify("a", "b "), "INVALID_REQUEST", "labels[1]"),
    "label with a hidden character": (I + "Classify", classify("a", "b\u200bc"), "INVALID_REQUEST", "labels[1]"),
    "abstain": (I + "Classify", classify("a", "b", abstain_below=1.1), "INVALID_REQUEST", "abstain_below"),
    "abstain nan": (I + "Classify", classify("a", "b", abstain_below=float("nan")), "INVALID_REQUEST", "abstain_below"),
    "odd task": (I + "Extract", inference.ExtractRequest(text="a", task=CANARY * 9), "INVALID_REQUEST", "task"),
    "no question": (I + "Answer", ask(question=""), "EMPTY_TEXT", "question"),
    "blank question": (I + "Answer", ask(question=" \u2028\t"), "EMPTY_TEXT", "question"),
    "long question": (I + "Answer", ask(question=CANARY * 48), "INVALID_REQUEST", "question"),
    "no document": (I + "Answer", ask(document=""), "EMPTY_TEXT", "document"),
    "document without text": (I + "Answer", ask(document="\n\n \t"), "EMPTY_TEXT", "document"),
    "long document": (I + "Answer", ask(document=CANARY * 9), "TEXT_TOO_LONG", "document"),
    "question's long subject": (I + "Answer", ask(subject="x" * 257), "INVALID_REQUEST", "subject"),
    "odd id": (I + "Generate", inference.GenerateRequest(request_id=CANARY, text="a"), "INVALID_REQUEST", "request_id"),
    "uuid1": (
        R + "Redact",
        redaction.RedactRequest(request_id="c232ab00-9414-11ec-b3c8-9e6bdeced846", text="a"),
        "INVALID_REQUEST",
        "request_id",
    ),
    "odd policy": (R + "Redact", redaction.RedactRequest(text="a", policy=CANARY * 9), "INVALID_REQUEST", "policy"),
    "hot": (I + "Generate", generate(temperature=2.1), "INVALID_REQUEST", "sampling.temperature"),
    "nan": (I + "Generate", generate(temperature=float("nan")), "INVALID_REQUEST", "sampling.temperature"),
    "cold": (I + "Generate", generate(temperature=-0.1), "INVALID_REQUEST", "sampling.temperature"),
    "top_p 0": (I + "Generate", generate(top_p=0), "INVALID_REQUEST", "sampling.top_p"),
    "top_p inf": (I + "Generate", generate(top_p=float("inf")), "INVALID_REQUEST", "sampling.top_p"),
    "top_k": (I + "Generate", generate(top_k=1001), "INVALID_REQUEST", "sampling.top_k"),
    "penalty": (I + "Generate", generate(repetition_penalty=0.4), "INVALID_REQUEST", "sampling.repetition_penalty"),
    "min_p": (I + "Generate", generate(min_p=1.1), "INVALID_REQUEST", "sampling.min_p"),
    "min_p nan": (I + "Generate", generate(min_p=float("nan")), "INVALID_REQUEST", "sampling.min_p"),
    "presence": (I + "Generate", generate(presence_penalty=2.1), "INVALID_REQUEST", "sampling.presence_penalty"),
    "frequency": (I + "Generate", generate(frequency_penalty=-2.1), "INVALID_REQUEST", "sampling.frequency_penalty"),
    "bias": (I + "Generate", generate(logit_bias={41111: 100.5}), "INVALID_REQUEST", "sampling.logit_bias"),
    "no form": (I + "Generate", constrained(), "INVALID_REQUEST", "constraint.form"),
    "regex": (I + "Generate", constrained(regex="a" * 4097), "INVALID_REQUEST", "constraint.regex"),
    "schema": (I + "Generate", constrained(json_schema="é" * 32_769), "INVALID_REQUEST", "constraint.json_schema"),
    "no choice": (
        I + "Generate",
        constrained(choice=inference.Constraint.Choice()),
        "INVALID_REQUEST",
        "constraint.choice.options",
    ),
    "bias nan": (I + "Generate", generate(logit_bias={1: float("nan")}), "INVALID_REQUEST", "sampling.logit_bias"),
    "biases": (
        I + "Generate",
        generate(logit_bias=dict.fromkeys(range(301), 1.0)),
        "INVALID_REQUEST",
        "sampling.logit_bias",
    ),
    "seed": (I + "Generate", generate(seed=2**63), "INVALID_REQUEST", "sampling.seed"),
    "no tokens": (I + "Generate", generate(max_tokens=0), "INVALID_REQUEST", "sampling.max_tokens"),
    "too many tokens": (I + "Generate", generate(max_tokens=65), "INVALID_REQUEST", "sampling.max_tokens"),
    "nine stops": (I + "Generate", generate(stop=["a"] * 9), "INVALID_REQUEST", "sampling.stop"),
    "empty stop": (I + "Generate", generate(stop=["a", ""]), "INVALID_REQUEST", "sampling.stop[1]"),
    "long stop": (I + "Generate", generate(stop=[CANARY * 9]), "INVALID_REQUEST", "sampling.stop[0]"),
    "analyze": (R + "Analyze", redaction.AnalyzeRequest(), "EMPTY_TEXT", "text"),
    "no session": (R + "Restore", redaction.RestoreRequest(text="a"), "INVALID_REQUEST", "session_id"),
    "odd session": (
        R + "Restore",
        redaction.RestoreRequest(text="a", session_id="../x"),
        "INVALID_REQUEST",
        "session_id",
    ),
    "page": (M + "ListModels", models.ListModelsRequest(page_size=101), "INVALID_REQUEST", "page_size"),
    "page below": (M + "ListModels", models.ListModelsRequest(page_size=-1), "INVALID_REQUEST", "page_size"),
    "odd token": (M + "ListModels", models.ListModelsRequest(page_token="%"), "INVALID_REQUEST", "page_token"),
    "odd model": (M + "GetModel", models.GetModelRequest(name="../x"), "INVALID_REQUEST", "name"),
    "no selector": (A + "GetRecord", audit.GetRecordRequest(), "INVALID_REQUEST", "selector"),
    "odd record id": (
        A + "GetRecord",
        audit.GetRecordRequest(record_request_id=CANARY),
        "INVALID_REQUEST",
        "record_request_id",
    ),
    "feedback on nothing": (F + "SubmitFeedback", said(text=""), "EMPTY_TEXT", "text"),
    "no verdict": (F + "SubmitFeedback", said(verdict=0), "INVALID_REQUEST", "verdict"),
    "odd verdict": (F + "SubmitFeedback", said(verdict=7), "INVALID_REQUEST", "verdict"),
    "feedback on no task": (F + "SubmitFeedback", said(task=""), "INVALID_REQUEST", "task"),
    "long right label": (F + "SubmitFeedback", said(label=CANARY * 9), "INVALID_REQUEST", "label"),
    "right label of two lines": (F + "SubmitFeedback", said(label="a\nb"), "INVALID_REQUEST", "label"),
    "empty right label": (F + "SubmitFeedback", said(label=""), "INVALID_REQUEST", "label"),
    "empty right answer": (F + "SubmitFeedback", said(answer=""), "INVALID_REQUEST", "answer"),
    "long right answer": (F + "SubmitFeedback", said(answer="x" * 32_769), "INVALID_REQUEST", "answer"),
    "odd basis": (
        F + "SubmitFeedback",
        said(consent=feedback.Consent(given=True, basis="4111111111111111")),
        "INVALID_REQUEST",
        "consent.basis",
    ),
    "odd giver": (
        F + "SubmitFeedback",
        said(consent=feedback.Consent(given=True, given_by=9)),
        "INVALID_REQUEST",
        "consent.given_by",
    ),
    "odd answer id": (F + "SubmitFeedback", said(answer_request_id=CANARY), "INVALID_REQUEST", "answer_request_id"),
    "long subject": (F + "SubmitFeedback", said(subject="x" * 257), "INVALID_REQUEST", "subject"),
    "no tree": (A + "GetInclusionProof", audit.GetInclusionProofRequest(tree_size=0), "INVALID_REQUEST", "tree_size"),
}


async def refusal(running: Any, path: str, data: bytes, **options: Any) -> ClientError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.send_bytes(path, data, **options)
    return error_of(caught.value, "")


@pytest.mark.parametrize("name", BAD)
async def test_a_broken_rule_is_named_by_field_and_its_value_is_not_repeated(serve: Any, name: str) -> None:
    path, message, reason, field = BAD[name]
    async with serve(max_text_chars=100) as running:
        error = await refusal(running, path, message.SerializeToString())
        assert isinstance(error, InvalidArgumentError)
        assert error.reason == reason
        assert [v.field for v in error.field_violations] == [field]
        assert "canary" not in repr((str(error), error.field_violations))
        assert running.pipeline.calls == []
        if name != "odd token":  # found after the gate, by the method
            record = running.records()[-1]
            assert (record.kind, record.status, record.reason) == (Kind.OUTCOME, "INVALID_ARGUMENT", reason)
            assert (record.principal, record.request_id) == ("local", error.request_id)


async def test_all_broken_rules_are_named_at_once(serve: Any) -> None:
    async with serve() as running:
        request = generate(temperature=9, top_k=5000)
        error = await refusal(running, I + "Generate", request.SerializeToString())
        assert {v.field for v in error.field_violations} == {"sampling.temperature", "sampling.top_k"}


UNKNOWN = b"\xaa\x06\x06canary"  # field 101, length-delimited


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (generate().SerializeToString() + UNKNOWN, "#101"),
        (b"\x1a\x01a" + b"\x22" + bytes([len(UNKNOWN)]) + UNKNOWN, "sampling.#101"),
    ],
    ids=["top", "nested"],
)
async def test_a_field_that_is_not_known_is_refused(serve: Any, data: bytes, field: str) -> None:
    async with serve() as running:
        error = await refusal(running, I + "Generate", data)
        assert (error.reason, [v.field for v in error.field_violations]) == ("UNKNOWN_FIELDS", [field])
        assert "canary" not in str(error)


@pytest.mark.parametrize("data", [b"\x0a\x03a\xff\xfe", b"\x0a\x7f", b"\xff\xff\xff"], ids=["utf8", "cut", "noise"])
@pytest.mark.parametrize("method", [I + "Generate", I + "GenerateStream", I + "Answer", R + "Redact", A + "Verify"])
async def test_bytes_that_are_no_message_are_invalid_argument_and_recorded(
    serve: Any, method: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve() as running:
        error = await refusal(running, method, data)
        assert isinstance(error, InvalidArgumentError)
        assert error.reason == "MALFORMED_MESSAGE"
        assert running.records()[-1].reason == "MALFORMED_MESSAGE"
    assert "Traceback" not in caplog.text


async def test_a_message_above_the_limit_is_refused_before_it_is_read(serve: Any) -> None:
    async with serve(max_message_bytes=2048) as running:
        error = await refusal(running, R + "Redact", redaction.RedactRequest(text="a" * 4096).SerializeToString())
        assert isinstance(error, ResourceExhaustedError)
        assert running.pipeline.calls == []


async def test_a_deadline_too_short_for_any_work_is_refused(serve: Any) -> None:
    async with serve(min_deadline_s=5.0) as running:
        async with running.client() as client:
            with pytest.raises(DeadlineExceededError) as caught:
                await client.redact("a", timeout_s=2)
        assert caught.value.reason == "DEADLINE_TOO_SHORT"
        assert running.pipeline.calls == []


async def test_a_call_without_a_deadline_gets_the_default_one(serve: Any) -> None:
    async with serve(default_deadline_s=30.0) as running:
        await running.send_bytes(R + "Redact", redaction.RedactRequest(text="a").SerializeToString())
        remaining = running.pipeline.calls[0].remaining_s()
        assert remaining is not None
        assert 20 < remaining <= 30


class TestWhoCalls:
    TOKENS = TokenAuthenticator({"teller": hashlib.sha256(b"secret").hexdigest()})

    @pytest.mark.parametrize("token", [None, "wrong"])
    async def test_without_a_right_token_nobody_learns_the_rules(self, serve: Any, token: str | None) -> None:
        """An invalid request of an unknown caller is UNAUTHENTICATED, and recorded for nobody."""
        async with serve(self.TOKENS) as running:
            async with running.client(token=token) as client:
                with pytest.raises(UnauthenticatedError) as caught:
                    await client.generate("", task="assist")
            record = running.records()[-1]
            assert caught.value.reason == "UNAUTHENTICATED"
            assert (record.principal, record.status) == ("unauthenticated", "UNAUTHENTICATED")

    async def test_a_right_token_names_the_caller(self, serve: Any) -> None:
        async with serve(self.TOKENS) as running:
            async with running.client(token="secret") as client:
                await client.redact("a")
            assert running.pipeline.calls[0].principal.name == "teller"

    async def test_two_tokens_in_one_call_are_refused(self, serve: Any) -> None:
        async with serve(self.TOKENS) as running:
            both = (("authorization", "Bearer wrong"), ("authorization", "Bearer secret"))
            data = redaction.RedactRequest(text="a").SerializeToString()
            error = await refusal(running, R + "Redact", data, metadata=both)
            assert isinstance(error, UnauthenticatedError)
