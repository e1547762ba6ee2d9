"""Both clients against a real server: typed results, receipts, ids, retries, errors, and what they import."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from finslm.audit import Kind, merkle
from finslm.client import (
    AsyncClient,
    Client,
    ClientError,
    Consent,
    Constraint,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    Receipt,
    Sampling,
    UnavailableError,
)
from finslm.errors import EngineUnavailable
from finslm.types import SamplingOverrides, SamplingParams

RECEIPT = Receipt(7, "1" * 64, 8, "2" * 64)
NEW_ID = "c0ffee00-0000-4000-8000-000000000001"


class TestAnswers:
    async def test_generate(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            answer = await client.generate("hello", task="complaint_summary", request_id=NEW_ID)
            assert (answer.text, answer.finish_reason, answer.usage.completion_tokens) == ("hello", "STOP", 4)
            assert (answer.model.name, answer.entity_counts) == ("base", {"IBAN_CODE": 2})
            assert (answer.receipt, answer.request_id) == (RECEIPT, NEW_ID)
            assert running.pipeline.calls[0].request_id == NEW_ID
            assert running.pipeline.calls[0].method == "InferenceService/Generate"
            assert running.pipeline.tasks == ["complaint_summary"]
            assert "hello" not in repr(answer)

    async def test_each_call_has_a_new_uuid4(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            ids = {(await client.redact("a")).request_id for _ in range(3)}
            assert {uuid.UUID(i).version for i in ids} == {4}
            assert ids == {call.request_id for call in running.pipeline.calls}
            assert len(ids) == 3

    async def test_without_a_task_the_default_one_runs(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            await client.generate("hello")
            assert running.pipeline.tasks == ["assist"]

    async def test_a_policy_by_name_reaches_the_pipeline(self, serve: Any) -> None:
        """From every method that takes one; empty where none was named."""
        async with serve() as running, running.client() as client:
            await client.redact("a", policy="retail")
            await client.analyze("a", policy="retail")
            await client.generate("a", policy="retail")
            await client.classify("a", task="t", policy="retail")
            await client.extract("a", task="t", policy="retail")
            await client.answer("a", "a b", policy="retail")
            async for _ in client.generate_stream("a", policy="retail"):
                pass
            await client.redact("a")
            assert [call.policy for call in running.pipeline.calls] == ["retail"] * 7 + [""]

    async def test_the_subject_reaches_the_pipeline(self, serve: Any) -> None:
        """From every method that replaces; it is shown by no ``repr``."""
        async with serve() as running, running.client() as client:
            await client.redact("a", subject="C-1")
            await client.generate("a", subject="C-1")
            await client.classify("a", task="t", subject="C-1")
            await client.extract("a", task="t", subject="C-1")
            await client.answer("a", "a b", subject="C-1")
            async for _ in client.generate_stream("a", subject="C-1"):
                pass
            assert [call.subject for call in running.pipeline.calls] == ["C-1"] * 6
            assert "C-1" not in repr(running.pipeline.calls)

    async def test_an_answer_comes_with_its_evidence_or_without_text(self, serve: Any) -> None:
        """Places and programs travel whole, blocking client and asynchronous one alike; no text is in a ``repr``."""
        async with serve() as running, running.client() as client:
            found = await client.answer("fee", "the fee")
            with Client(running.address) as blocking:
                absent = await asyncio.to_thread(blocking.answer, "rent", "the fee")
            assert (found.found, found.text, found.values, found.scale) == (True, "4 percent", ("4",), "percent")
            assert (found.program, found.abstention, found.confidence) == ("divide(#1, #1)", "", 0.75)
            (cited,), (evidence,) = found.citations, found.evidence
            assert (cited, evidence.score) == (evidence.cited, 0.5)
            assert (cited.start, cited.end, cited.text) == (4, 7, "fee")
            assert (found.model.name, found.ranker.name, found.usage.prompt_tokens) == ("base", "qa", 9)
            assert (found.receipt, found.entity_counts) == (RECEIPT, {"IBAN_CODE": 2})
            assert (absent.found, absent.text, absent.evidence) == (False, "", ())
            assert absent.abstention == "NOT_IN_DOCUMENT"
            assert running.pipeline.calls[0].method == "InferenceService/Answer"
            assert "fee" not in repr(found)

    async def test_feedback_says_what_it_is_about(self, serve: Any) -> None:
        """The answer's id and index go with it; consent is what the caller gives, or nothing."""
        async with serve() as running, running.client() as client:
            answer = await client.classify("hello", task="t")
            consent = Consent(basis="CONSENT", given_by="SUBJECT")
            kept = await client.submit_feedback(
                "hello", task="t", verdict="WRONG", label="fee", consent=consent, about=answer, subject="C-1"
            )
            assert (kept.feedback_id, kept.answer_known, kept.receipt) == ("feedback", True, RECEIPT)
            with Client(running.address) as blocking:
                await asyncio.to_thread(
                    blocking.submit_feedback, "hello", task="t", verdict="RIGHT", answer="yes", consent=None
                )
            said, bare = running.pipeline.corrections
            assert (said.verdict, said.label.value, said.answer) == ("WRONG", "fee", None)
            assert (said.answer_request_id, said.answer_index) == (answer.request_id, 7)
            assert (said.consent.given, said.consent.basis, said.consent.given_by) == (True, "CONSENT", "SUBJECT")
            assert (bare.verdict, bare.label, bare.answer.value) == ("RIGHT", None, "yes")
            assert (bare.consent.given, bare.answer_request_id, bare.answer_index) == (False, "", None)
            assert running.pipeline.calls[1].subject == "C-1"

    def test_a_correction_is_a_label_or_an_answer_and_consent_is_from_somebody(self) -> None:
        with pytest.raises(ValueError, match="given_by is one of SUBJECT, EMPLOYEE, CONTROLLER"):
            Consent(basis="CONSENT", given_by="me")
        with Client("127.0.0.1:1") as client, pytest.raises(ValueError, match="not both"):
            client.submit_feedback("a", task="t", verdict="WRONG", consent=None, label="a", answer="b")

    async def test_only_what_was_set_overrides_the_task(self, serve: Any) -> None:
        """Zero is a value and not an absence."""
        async with serve() as running, running.client() as client:
            await client.generate("hello")
            await client.generate("hello", sampling=Sampling(temperature=0.0, seed=0, stop=["x"]))
            assert running.pipeline.params == [None, {"temperature": 0.0, "seed": 0, "stop": ("x",)}]

    async def test_a_constraint_reaches_the_pipeline_as_it_is(self, serve: Any) -> None:
        """Whole and streamed; without one there is none."""
        asked = {
            "json_schema": (Constraint(json_schema={"type": "string"}), ('{"type": "string"}',)),
            "regex": (Constraint(regex="a+"), ("a+",)),
            "choice": (Constraint(choice=["yes", "no"]), ("yes", "no")),
        }
        async with serve() as running, running.client() as client:
            for constraint, _ in asked.values():
                await client.generate("hello", constraint=constraint)
                async for _ in client.generate_stream("hello", constraint=constraint):
                    pass
            await client.generate("hello")
            *got, none = running.pipeline.grammars
        assert none is None
        assert [(g.kind, tuple(part.value for part in g.parts)) for g in got] == [
            (kind, parts) for kind, (_, parts) in asked.items() for _ in range(2)
        ]

    def test_a_constraint_is_one_of_the_three(self) -> None:
        """None of them, or two, cannot be meant."""
        with pytest.raises(ValueError, match="2 are set"):
            Constraint(regex="a", choice=["b"])
        with pytest.raises(ValueError, match="0 are set"):
            Constraint()

    async def test_every_sampling_parameter_reaches_the_pipeline_under_its_name(self, serve: Any) -> None:
        given: dict[str, Any] = {
            "max_tokens": 3, "temperature": 0.5, "top_k": 4, "top_p": 0.25, "repetition_penalty": 1.5, "seed": 6,
            "min_p": 0.125, "presence_penalty": -1.5, "frequency_penalty": 0.0,
        }  # fmt: skip
        sampling = Sampling(**given, stop=["x"], logit_bias={7: -100.0, 2: 0.5})
        async with serve() as running, running.client() as client:
            await client.generate("hello", sampling=sampling)
            got = running.pipeline.params[0]
        assert got == {**given, "stop": ("x",), "logit_bias": ((2, 0.5), (7, -100.0))}
        assert got.keys() == SamplingOverrides.__annotations__.keys()
        hash(SamplingParams(**got))

    async def test_stream(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            stream = client.generate_stream("one two", request_id=NEW_ID)
            with pytest.raises(RuntimeError, match="not ended"):
                _ = stream.result
            assert [piece async for piece in stream] == ["one", "two"]
            assert (stream.result.text, stream.result.finish_reason) == ("onetwo", "LENGTH")
            assert (stream.result.receipt, stream.result.request_id) == (RECEIPT, NEW_ID)

    async def test_the_other_methods(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            classified = await client.classify("a", task="banking_intent")
            assert classified.labels == (("fee", 0.75), ("card", 0.25))
            assert (classified.adapter.name, classified.receipt) == ("fees", RECEIPT)
            assert (await client.extract("a", task="payment_instruction")).json == '{"a":1}'
            assert (await client.analyze("a")).detections == ()
            redacted = await client.redact("a")
            assert redacted.text == "to <IBAN_CODE_1>"
            assert (await client.restore("b", session_id=redacted.session_id)).text == "b"

    async def test_labels_and_abstaining(self, serve: Any) -> None:
        """No adapter where the request names the labels; a threshold of zero is a threshold."""
        async with serve() as running, running.client() as client:
            named = await client.classify("a", task="choose_label", labels=["fee", "card"], abstain_below=0.8)
            plain = await client.classify("a", task="banking_intent", abstain_below=0.0)
            assert running.pipeline.labels == [["fee", "card"], []]
        assert (named.adapter, named.abstained, len(named.labels)) == (None, True, 2)
        assert plain.adapter is not None
        assert (plain.adapter.name, plain.abstained) == ("fees", False)

    async def test_models_by_page(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            running.pipeline.model_names = ("c", "a", "b")
            first = await client.list_models(page_size=2)
            rest = await client.list_models(page_size=2, page_token=first.next_page_token)
            assert [[m.identity.name for m in page.models] for page in (first, rest)] == [["a", "b"], ["c"]]
            assert rest.next_page_token == ""
            assert (await client.get_model("b")).model.kind == "BASE"
            with pytest.raises(NotFoundError) as caught:
                await client.get_model("z")
            assert caught.value.reason == "UNKNOWN_MODEL"


class TestAudit:
    async def test_reading_the_log_is_itself_recorded_and_has_a_receipt(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            with pytest.raises(ClientError):
                await client.redact("", request_id=NEW_ID)
            found = await client.get_record(record_request_id=NEW_ID)
            assert [(r.kind, r.status, r.reason) for r in found.records] == [
                ("OUTCOME", "INVALID_ARGUMENT", "EMPTY_TEXT")
            ]
            assert found.receipt is not None
            outcome = running.log.record(found.receipt.index)
            assert (outcome.kind, outcome.method) == (Kind.OUTCOME, "AuditService/GetRecord")
            assert outcome.request_id == found.request_id != NEW_ID

    async def test_a_record_can_be_proved_by_its_reader(self, serve: Any) -> None:
        """Record, inclusion proof and verified root fit together, by RFC 6962 alone."""
        async with serve() as running, running.client() as client:
            await client.get_checkpoint()
            record = (await client.get_record(0)).records[0]
            proof = await client.get_inclusion_proof(0, tree_size=running.log.size)
            root = merkle.root(proof.tree_size, running.log._store.read_node)
            leaf = merkle.leaf_hash(record.canonical_json)
            assert leaf.hex() == record.leaf_hash == proof.leaf_hash
            path = [bytes.fromhex(h) for h in proof.hashes]
            assert merkle.verify_inclusion(0, proof.tree_size, leaf, root, path)

    async def test_verify_and_checkpoint(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            note = (await client.get_checkpoint()).checkpoint
            assert note.startswith("test.local/audit\n1\n"), "the intent of the reading is in the tree"
            report = await client.verify()
            assert (report.ok, report.records, report.tree_size) == (True, 3, 3)
            assert report.intents_without_outcome == (2,), "the reading itself is in progress"

    async def test_what_is_not_there_is_not_found(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            for call in (client.get_record(99), client.get_record(record_request_id=NEW_ID)):
                with pytest.raises(NotFoundError) as caught:
                    await call
                assert caught.value.reason == "UNKNOWN_RECORD"
            with pytest.raises(NotFoundError):
                await client.get_inclusion_proof(0, tree_size=99)


class TestTextsThatCannotBeSent:
    """A lone surrogate, which JSON and some encodings let into a string and UTF-8 cannot carry."""

    @pytest.mark.parametrize(
        ("method", "arguments", "place"),
        [
            ("generate", {"text": "xq\ud800"}, "text"),
            ("generate", {"text": "a", "sampling": Sampling(stop=["x", "yz\udfff"])}, r"sampling\.stop\[1\]"),
            ("generate", {"text": "a", "constraint": Constraint(regex="xq\ud83d")}, r"constraint\.regex"),
            ("classify", {"text": "a", "task": "t", "labels": ["xq\ud800"]}, r"labels\[0\]"),
            ("extract", {"text": "a", "task": "xq\ud800"}, "task"),
            ("answer", {"question": "a", "document": "xq\ud800"}, "document"),
            ("redact", {"text": "a", "subject": "xq\ud800"}, "subject"),
            ("analyze", {"text": "a", "policy": "xq\ud800"}, "policy"),
            ("restore", {"text": "xq\ud800", "session_id": "s"}, "text"),
            ("get_model", {"name": "xq\ud800"}, "name"),
            ("verify", {"request_id": "xq\ud800"}, "request_id"),
            ("health", {"service": "xq\ud800"}, "service"),
            ("generate_stream", {"text": "xq\ud800"}, "text"),
        ],
    )
    async def test_it_is_refused_before_anything_is_sent(self, method: str, arguments: Any, place: str) -> None:
        """By both clients, with its place and no word of the text. Nobody listens at this address."""
        asking, blocking = AsyncClient("127.0.0.1:1"), Client("127.0.0.1:1")
        with pytest.raises(InvalidArgumentError, match=rf"{place} holds U\+D[8F]") as refused, blocking:
            getattr(blocking, method)(**arguments)
        assert "'replace'" in str(refused.value)
        assert "xq" not in str(refused.value)
        assert (refused.value.status, refused.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "")
        assert len(refused.value.field_violations) == 1
        async with asking:
            with pytest.raises(InvalidArgumentError, match=place):
                await getattr(asking, method)(**arguments)

    async def test_characters_of_two_halves_are_sent(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            assert (await client.generate("\U0001f600", task="complaint_summary")).text == "\U0001f600"


class TestFailures:
    async def test_unavailable_is_tried_again_with_the_same_id(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            running.pipeline.failure = EngineUnavailable("loading: retry")
            with pytest.raises(UnavailableError) as caught:
                await client.generate("a")
            assert caught.value.reason == "ENGINE_UNAVAILABLE"
            assert len(running.pipeline.calls) == 4
            assert len({call.request_id for call in running.pipeline.calls}) == 1

    async def test_other_failures_are_not_tried_again(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            running.pipeline.failure = ValueError()
            with pytest.raises(InternalError):
                await client.generate("a")
            assert len(running.pipeline.calls) == 1

    async def test_a_timeout_is_deadline_exceeded(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            running.pipeline.hold = asyncio.Event()
            with pytest.raises(DeadlineExceededError) as caught:
                await client.generate("a", timeout_s=0.2, request_id=NEW_ID)
            assert caught.value.request_id == NEW_ID

    def test_no_server_is_unavailable_without_a_reason(self) -> None:
        with Client("127.0.0.1:1") as client, pytest.raises(UnavailableError) as caught:
            client.redact("a", timeout_s=5)
        assert (caught.value.status, caught.value.reason) == (grpc.StatusCode.UNAVAILABLE, "")


class TestBlockingClient:
    @contextmanager
    def server(self, serve: Any) -> Iterator[Any]:
        """Serve on a thread with a loop of its own."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        manager = serve()
        running = asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result(10)
        try:
            yield running
        finally:
            asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    def test_every_method_answers(self, serve: Any) -> None:
        with self.server(serve) as running, Client(running.address, timeout_s=10) as client:
            assert client.generate("hello").receipt == RECEIPT
            stream = client.generate_stream("one two")
            assert (list(stream), stream.result.text) == (["one", "two"], "onetwo")
            assert client.classify("a", task="banking_intent").labels[0] == ("fee", 0.75)
            assert client.extract("a", task="payment_instruction").json == '{"a":1}'
            assert client.analyze("a").detections == ()
            assert client.restore("b", session_id=client.redact("a").session_id).text == "b"
            assert [m.identity.name for m in client.list_models().models] == ["base"]
            assert client.get_model("base").model.licence == "Apache-2.0"
            assert client.get_checkpoint().checkpoint.startswith("test.local/audit\n")
            assert client.get_record(0).records[0].kind == "INTENT"
            assert client.get_inclusion_proof(0).tree_size >= 1
            assert client.verify().ok
            assert client.health() == "SERVING"
            with pytest.raises(ClientError) as caught:
                client.redact("")
            assert caught.value.reason == "EMPTY_TEXT"


def test_importing_the_client_loads_no_model_library() -> None:
    heavy = "torch", "transformers", "presidio_analyzer", "spacy", "onnxruntime", "redaction", "pydantic"
    code = f"import sys, finslm.client; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
