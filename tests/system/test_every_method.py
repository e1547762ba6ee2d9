"""The service as a process answers every method on real input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

from finslm.cli.demo import QUESTIONS, REPORT
from finslm.client import ClientError, Consent, Constraint, InvalidArgumentError, NotFoundError, Sampling
from finslm.config import EngineSettings

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

COMPLAINT = (
    "I am Margaret Holloway, my card 4111 1111 1111 1111 and my account GB29 NWBK 6016 1331 9268 19 were charged "
    "twice. Write to margaret.holloway@example.com."
)
VALUES = ("4111 1111 1111 1111", "GB29 NWBK 6016 1331 9268 19", "margaret.holloway@example.com")


class TestGenerate:
    def test_answers_and_leaves_a_provable_record(self, service):
        """The reply's receipt names an OUTCOME whose inclusion the log proves."""
        with service.client() as client:
            answer = client.generate(COMPLAINT, task="complaint_summary", sampling=Sampling(max_tokens=40))
            assert answer.text.strip()
            assert answer.finish_reason in {"STOP", "LENGTH"}
            assert answer.usage.completion_tokens > 0
            assert answer.entity_counts["CREDIT_CARD"] == 1
            assert answer.receipt is not None
            intent, outcome = client.get_record(record_request_id=answer.request_id).records
            assert (intent.kind, outcome.kind, outcome.status) == ("INTENT", "OUTCOME", "OK")
            assert outcome.index == answer.receipt.index
            assert outcome.leaf_hash == answer.receipt.leaf_hash
            proof = client.get_inclusion_proof(outcome.index)
            assert proof.leaf_hash == outcome.leaf_hash
            verified = client.verify()
            assert verified.ok
            assert client.get_checkpoint().checkpoint.count("\n") >= 4

    def test_stream_and_whole_answer_are_the_same_text(self, service):
        """Greedy: the pieces of the stream add up to the whole answer."""
        with service.client() as client:
            whole = client.generate(COMPLAINT, task="assist", sampling=Sampling(max_tokens=24))
            pieces = list(client.generate_stream(COMPLAINT, task="assist", sampling=Sampling(max_tokens=24)))
        assert "".join(pieces) == whole.text
        assert len(pieces) > 1

    def test_no_task_named_means_assist(self, service):
        """The default task answers."""
        with service.client() as client:
            assert client.generate("What is an IBAN?", sampling=Sampling(max_tokens=8)).text.strip()

    @pytest.mark.parametrize("stream", [False, True])
    def test_an_answer_keeps_to_the_callers_grammar_or_is_an_error(self, service, stream):
        """A schema the model would not follow by itself; cut short it is no answer, whole or streamed."""
        urgency = {"type": "string", "enum": ["now", "later"]}
        schema = {
            "type": "object",
            "properties": {"urgency": urgency, "cards": {"type": "integer"}},
            "required": ["urgency", "cards"],
            "additionalProperties": False,
        }
        asked = {"task": "assist", "constraint": Constraint(json_schema=schema)}
        with service.client() as client:

            def text(tokens: int) -> str:
                sampling = Sampling(max_tokens=tokens)
                if stream:
                    return "".join(client.generate_stream(COMPLAINT, sampling=sampling, **asked))
                return client.generate(COMPLAINT, sampling=sampling, **asked).text

            found = json.loads(text(60))
            with pytest.raises(ClientError) as refused:
                text(3)
        assert found.keys() == {"urgency", "cards"}
        assert found["urgency"] in urgency["enum"]
        assert isinstance(found["cards"], int)
        assert refused.value.reason == "TRUNCATED_OUTPUT"


class TestOtherMethods:
    def test_classify_finds_the_intent(self, service):
        """A clear message gets its label from the shipped adapter."""
        with service.client() as client:
            found = client.classify(
                "I still have not received my new card, when will it arrive?", task="banking_intent"
            )
        assert found.labels[0][0] == "card_arrival"
        assert len(found.labels) == 78
        assert sum(score for _, score in found.labels) == pytest.approx(1, abs=1e-3)
        assert found.adapter.name == "intent"

    def test_classify_says_that_a_text_is_out_of_scope(self, service):
        """What is nothing for a bank gets a label that says so."""
        with service.client() as client:
            found = client.classify("How do I make pancakes for breakfast?", task="banking_intent")
        assert found.labels[0][0] == "out_of_scope"

    @pytest.mark.parametrize(
        ("task", "text", "label"),
        [
            ("news_sentiment", "$ACME shares plunge 12% after profit warning", "bearish"),
            ("news_sentiment", "Acme upgraded to Buy, price target raised to $90", "bullish"),
        ],
    )
    def test_classify_by_the_other_adapters(self, service, task, text, label):
        """A clear text gets its label."""
        with service.client() as client:
            assert client.classify(text, task=task).labels[0][0] == label

    def test_classify_chooses_among_the_callers_labels(self, service):
        """The model itself scores them; an answer that is not sure enough says so."""
        labels = ["lost or stolen card", "exchange rate", "mortgage"]
        with service.client() as client:
            found = client.classify("I lost my card, somebody stole it.", task="choose_label", labels=labels)
            unsure = client.classify("Hm.", task="choose_label", labels=labels, abstain_below=1.0)
        assert found.labels[0][0] == "lost or stolen card"
        assert sum(score for _, score in found.labels) == pytest.approx(1)
        assert (found.adapter, found.abstained, unsure.abstained) == (None, False, True)

    def test_extract_returns_valid_json_with_the_callers_values(self, service):
        """The document parses, and the IBAN in it is the caller's."""
        text = (
            "Please transfer EUR 1,500.00 to Andreas Baumann, IBAN DE89 3704 0044 0532 0130 00, reference invoice 77."
        )
        with service.client() as client:
            document = json.loads(client.extract(text, task="payment_instruction").json)
        assert document["account"] == "DE89 3704 0044 0532 0130 00"
        assert {"beneficiary", "account", "amount", "currency", "reference"} <= set(document)

    def test_answer_calculates_cites_and_says_what_is_not_there(self, service):
        """Figures with their places in the caller's document; the record has the ranker and no word of either."""
        with service.client() as client:
            found = client.answer(QUESTIONS[0], REPORT)
            absent = client.answer(QUESTIONS[-1], REPORT)
            record = client.get_record(found.receipt.index).records[0]
            ranker = client.get_model("qa").model
        assert (found.found, found.text) == (True, "6.3128 percent")
        assert found.program == "multiply(divide(subtract(#1, #2), #2), 100)"
        assert [each.text for each in found.citations] == ["412.6", "388.1"]
        for each in (*found.citations, *(evidence.cited for evidence in found.evidence)):
            assert REPORT[each.start : each.end] == each.text
        assert (found.ranker, ranker.kind, ranker.identity) == (ranker.identity, "RANKER", found.ranker)
        assert (absent.found, absent.abstention, absent.evidence) == (False, "NOT_IN_DOCUMENT", ())
        told = json.loads(record.canonical_json)
        assert (told["method"], told["adapter_digest"]) == ("InferenceService/Answer", found.ranker.digest)
        assert told["entity_counts"] == found.entity_counts == {"LOCATION": 1, "ORGANIZATION": 1}
        assert b"Harcourt" not in record.canonical_json

    @pytest.mark.parametrize(
        ("question", "document", "reason", "field"),
        [
            ("", REPORT, "EMPTY_TEXT", "question"),
            ("What?", " \n", "EMPTY_TEXT", "document"),
            ("What?", "x" * 32_769, "TEXT_TOO_LONG", "document"),
            ("What?", "---", "INVALID_REQUEST", "document"),
        ],
    )
    def test_answer_refuses_what_it_cannot_read(self, service, question, document, reason, field):
        with service.client() as client, pytest.raises(InvalidArgumentError) as refused:
            client.answer(question, document)
        assert (refused.value.reason, [v.field for v in refused.value.field_violations]) == (reason, [field])

    def test_redact_then_restore_is_exact(self, service):
        """What redaction took, restore gives back."""
        with service.client() as client:
            redacted = client.redact(COMPLAINT)
            assert all(value not in redacted.text for value in VALUES)
            assert client.restore(redacted.text, session_id=redacted.session_id).text == COMPLAINT

    def test_analyze_says_where(self, service):
        """Offsets point at the values."""
        with service.client() as client:
            found = client.analyze(COMPLAINT).detections
        spans = {COMPLAINT[d.start : d.end] for d in found}
        assert any(VALUES[0] in span for span in spans)

    def test_a_correction_is_kept_redacted_and_names_the_adapter_that_was_wrong(self, service):
        """The labels are those of the adapter that is served; what is kept has no value of the caller's."""
        text = f"{COMPLAINT} Where is my card?"
        consent = Consent(basis="CONSENT", given_by="SUBJECT")
        with service.client() as client:
            answer = client.classify(text, task="banking_intent")
            said = {"task": "banking_intent", "verdict": "WRONG", "consent": consent, "about": answer}
            kept = client.submit_feedback(text, label="card_arrival", **said)
            with pytest.raises(InvalidArgumentError) as refused:
                client.submit_feedback(text, label="no_such_label", **said)
        assert (kept.answer_known, refused.value.reason) == (True, "UNKNOWN_LABEL")
        listed = subprocess.run(
            [sys.executable, "-m", "finslm", "feedback", "list", "--texts", "--json"],
            env=os.environ
            | {
                "FINSLM_FEEDBACK__DIR": str(service.feedback_dir),
                "FINSLM_KEYS__FILE": str(service.home / "keys" / "keys.json"),
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        (record,) = json.loads(listed)
        assert record["id"] == kept.feedback_id
        assert record["adapter"] == [answer.adapter.name, answer.adapter.digest]
        assert all(value not in listed for value in VALUES)

    def test_models_are_listed_page_by_page(self, service):
        """Base, adapter and detectors, each with its digest."""
        with service.client() as client:
            first = client.list_models(page_size=2)
            rest = client.list_models(page_size=50, page_token=first.next_page_token)
            names = {m.identity.name for m in (*first.models, *rest.models)}
            bases, adapters = {"smollm2-135m-instruct", "all-minilm-l6-v2"}, {*EngineSettings().adapters}
            assert bases | adapters | {"finance-names", "qa"} == names
            assert len(client.get_model("intent").model.identity.digest) == 64

    def test_health_is_told_for_each_service(self, service):
        """Kubernetes probes ask by name."""
        with service.client() as client:
            for name in ("", "finslm.v1.InferenceService", "finslm.v1.AuditService"):
                assert client.health(name) == "SERVING"

    def test_metrics_are_scraped(self, service):
        """Requests, tokens and entities are counted."""
        with service.client() as client:
            client.redact(COMPLAINT)
        with urllib.request.urlopen(f"http://127.0.0.1:{service.admin_port}/metrics", timeout=5) as response:
            text = response.read().decode()
        assert 'finslm_requests_total{code="OK",method="RedactionService/Redact"}' in text
        assert 'finslm_entities_total{type="CREDIT_CARD"}' in text
        assert "vllm:generation_tokens_total" in text
        assert "finslm_audit_healthy 1.0" in text


class TestRefusals:
    """Bad input on the running service; the full table is in tests/rpc."""

    def test_unknown_task(self, service):
        """NOT_FOUND, and the names there are."""
        with service.client() as client, pytest.raises(NotFoundError) as refused:
            client.generate("Hello", task="no-such-task")
        assert refused.value.reason == "UNKNOWN_TASK"
        assert "assist" in str(refused.value)

    def test_wrong_kind_of_task(self, service):
        """A classification task does not generate."""
        with service.client() as client, pytest.raises(InvalidArgumentError) as refused:
            client.generate("Hello", task="banking_intent")
        assert refused.value.reason == "WRONG_TASK_KIND"

    def test_placeholder_of_no_session(self, service):
        """Restore gives nothing for a placeholder it never issued."""
        with service.client() as client:
            session = client.redact("I am Margaret Holloway").session_id
            with pytest.raises(InvalidArgumentError) as refused:
                client.restore("Dear <PERSON_99>", session_id=session)
        assert refused.value.reason == "UNKNOWN_PLACEHOLDER"

    def test_too_long_a_prompt(self, service):
        """More tokens than the window: refused with the counts, before the model runs."""
        with service.client() as client, pytest.raises(InvalidArgumentError) as refused:
            client.generate("word " * 6000, task="assist")
        assert refused.value.reason == "PROMPT_TOO_LONG"

    def test_every_refusal_is_recorded(self, service):
        """The log knows the refused call by its request id and status."""
        with service.client() as client:
            with pytest.raises(ClientError) as refused:
                client.generate("", task="assist")
            records = client.get_record(record_request_id=refused.value.request_id).records
        assert [r.status for r in records] == ["INVALID_ARGUMENT"]


class TestConcurrency:
    def test_eight_streams_all_make_progress(self, service):
        """Eight at once: each gets its first piece before any other is at its end by much."""
        order: list[tuple[int, str]] = []
        connected = threading.Barrier(8)

        def read(number: int) -> None:
            with service.client() as client:
                client.health()
                connected.wait(120)
                for _ in client.generate_stream(
                    f"Explain bank fee number {number} in detail.", task="assist", sampling=Sampling(max_tokens=48)
                ):
                    order.append((number, "piece"))
            order.append((number, "end"))

        threads = [threading.Thread(target=read, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        ends = [i for i, (_, what) in enumerate(order) if what == "end"]
        firsts = [next(i for i, (n, _) in enumerate(order) if n == number) for number in range(8)]
        assert len(ends) == 8
        assert max(firsts) < ends[len(ends) // 2], "some stream started only after half had ended: one at a time"

    def test_a_cancelled_stream_frees_its_slot_and_is_recorded(self, service):
        """After the cancel nothing runs any more, and the log says CANCELLED."""
        with service.client() as client:
            mine = str(uuid.uuid4())
            stream = client.generate_stream(
                "Tell a long story.", task="assist", sampling=Sampling(max_tokens=400), request_id=mine
            )
            next(iter(stream))
            stream.cancel()
            _eventually(lambda: _running(service) == 0)
            _eventually(
                lambda: (
                    [r.status for r in client.get_record(record_request_id=mine).records if r.status] == ["CANCELLED"]
                )
            )


def test_buf_curl_speaks_to_it(service):
    """A client not written here, through reflection."""
    buf = Path(sys.executable).with_name("buf")
    result = subprocess.run(
        [
            str(buf),
            "curl",
            "--protocol",
            "grpc",
            "--http2-prior-knowledge",
            "-d",
            json.dumps({"text": "My card is 4111 1111 1111 1111"}),
            f"http://{service.address}/finslm.v1.RedactionService/Redact",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "4111 1111" not in result.stdout
    assert "CREDIT_CARD" in result.stdout


def _running(service) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{service.admin_port}/metrics", timeout=5) as response:
        lines = response.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith("vllm:num_requests_running")).rsplit(" ", 1)[1])


def _eventually(holds, timeout_s: float = 30) -> None:
    limit = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.1)
