"""Feedback over the wire into the real store, by the real redactor and log: what is kept, what is refused, no leaks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from finslm.access.principals import LocalAuthenticator
from finslm.audit import AuditLog
from finslm.audit.calls import CallRecorder, Versions
from finslm.client import (
    AsyncClient,
    ClientError,
    Consent,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
)
from finslm.config import FeedbackSettings, RedactionSettings, ServerSettings, Settings
from finslm.correcting import Correcting
from finslm.errors import UnknownAdapter
from finslm.feedback import Feedback, FeedbackStore
from finslm.pipeline import Pipeline
from finslm.redacting import Redacting
from finslm.rpc.errors import verdict_of
from finslm.rpc.server import Server
from finslm.tasks import TASKS
from finslm.telemetry.metrics import Metrics
from finslm.testing import EchoEngine
from redaction import MemoryVault, Policy, Redactor
from redaction.keys import FileKeys

pytestmark = pytest.mark.model

TEXT = (
    "I am Margaret Holloway, account GB29 NWBK 6016 1331 9268 19, card 4111 1111 1111 1111. "
    "Where is my card? Tell margaret.holloway@canary.example."
)
NEEDLES = (
    *("Margaret", "Holloway", "NWBK", "4111 1111", "4111111111111111"),
    *("canary.example", "Where is my card", "C-4711"),
)
GIVEN = Consent(basis="CONSENT", given_by="SUBJECT")
ADAPTER = TASKS.get("banking_intent").adapter or ""
LABELS = ("card_arrival", "lost_or_stolen_card")
KEYED = """
version: 1
name: keyed
extends: finance
entities:
  PERSON: surrogate
  IBAN_CODE: fpe
  EMAIL_ADDRESS: keyed_hash
  CREDIT_CARD: mask
"""


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor.from_policy()


class Around:
    """A client and what is behind it."""

    def __init__(self, client: AsyncClient, folder: Path, store: FeedbackStore | None, metrics: Metrics) -> None:
        self.client, self.folder, self._store, self._metrics = client, folder, store, metrics

    @property
    def store(self) -> FeedbackStore:
        assert self._store is not None
        return self._store

    def kept(self) -> list[Feedback]:
        return list(self.store.read())

    def metrics(self) -> str:
        return generate_latest(self._metrics.registry).decode()

    async def submit(self, text: str = TEXT, **more: Any) -> Any:
        known = {"task": "banking_intent", "verdict": "WRONG", "label": "card_arrival", "consent": GIVEN}
        return await self.client.submit_feedback(text, **{**known, **more})


Serving = Callable[..., Any]


@pytest.fixture
def serving(redactor: Redactor, tmp_path: Path) -> Serving:
    @asynccontextmanager
    async def start(*, on: bool = True, policy: str = "", **feedback: Any) -> AsyncIterator[Around]:
        metrics, engine = Metrics(CollectorRegistry()), EchoEngine(labels={ADAPTER: LABELS})
        keys = FileKeys.made(tmp_path / "keys.json")
        chosen = redactor.with_policy(Policy.parse(policy)) if policy else redactor
        redacting = Redacting(chosen, RedactionSettings(), metrics, MemoryVault(), keys=keys)
        settings = FeedbackSettings(dir=tmp_path / "feedback", **feedback)

        def labels(adapter: str) -> tuple[str, ...]:
            if adapter != ADAPTER:
                raise UnknownAdapter("not served")
            return LABELS

        async with AsyncExitStack() as stack:
            log = AuditLog.open(tmp_path / "audit", origin="test.local/audit", checkpoint_interval_s=60)
            stack.push_async_callback(log.close)
            stack.callback(redacting.close)
            store = correcting = None
            if on:
                store = FeedbackStore(settings, keys)
                correcting = Correcting(redacting, store, settings, labels, log, metrics)
                stack.callback(correcting.close)
            recorder = CallRecorder(log, Versions("c" * 64, "d" * 64, engine.model), verdict_of)
            pipeline = Pipeline(redacting, TASKS, engine, recorder, lambda: (), metrics, correcting)
            server = Server(Settings(server=ServerSettings(port=0)), pipeline, LocalAuthenticator(), log, metrics)
            await engine.start()
            await server.start()
            stack.push_async_callback(server.stop, 0)
            client = await stack.enter_async_context(AsyncClient(f"127.0.0.1:{server.port}"))
            yield Around(client, tmp_path, store, metrics)

    return start


async def test_what_is_kept_is_redacted_consented_and_on_record(serving: Serving) -> None:
    async with serving() as around:
        answer = await around.client.classify(TEXT, task="banking_intent")
        done = await around.submit(about=answer, subject="C-4711")
        (record,) = around.kept()
        outcome = (await around.client.get_record(done.receipt.index)).records[0]
    assert (record.id, record.said.label, record.said.verdict) == (done.feedback_id, "card_arrival", "WRONG")
    assert record.said.text == (
        "I am <PERSON_1>, account <IBAN_CODE_1>, card <CREDIT_CARD_1>. Where is my card? Tell <EMAIL_ADDRESS_1>."
    )
    assert done.entity_counts == {"PERSON": 1, "IBAN_CODE": 1, "CREDIT_CARD": 1, "EMAIL_ADDRESS": 1}
    assert done.answer_known
    assert (record.said.model, record.said.adapter) == (("echo", "0" * 64), (ADAPTER, "1" * 64))
    assert (record.said.consent_basis, record.said.consent_by) == ("CONSENT", "SUBJECT")
    assert (outcome.method, outcome.status) == ("FeedbackService/SubmitFeedback", "OK")
    assert b"card_arrival" not in outcome.canonical_json
    assert 'finslm_feedback_total{task="banking_intent",verdict="WRONG"} 1.0' in around.metrics()


async def test_clear_text_is_on_no_file_and_in_no_metric_or_error(
    serving: Serving, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kept, refused for every reason there is, and erased: no sink has a word of it."""
    errors = []
    async with serving(new_labels=True) as around:
        await around.submit(subject="C-4711")
        await around.submit(task="assist", label=None, answer=f"Dear {TEXT}")
        for more in (
            {"consent": None},
            {"label": "Holloway 4111 1111 1111 1111"},
            {"task": "assist"},
            {"task": "no_such_task"},
            {"verdict": "RIGHT", "label": None},
            {"policy": "no_such_policy"},
            {"task": "payment_instruction", "label": None, "answer": TEXT},
        ):
            with pytest.raises(ClientError) as refused:
                await around.submit(**more)
            errors.append(f"{refused.value} {refused.value.field_violations}")
        errors.append(around.metrics())
        assert len(around.kept()) == 2
    files = [file for file in around.folder.rglob("*") if file.is_file()]
    sinks = {file.name: file.read_bytes().decode("latin-1") for file in files}
    sinks |= {"errors": "\n".join(errors), "log": caplog.text + "".join(capsys.readouterr())}
    for name, content in sinks.items():
        for needle in NEEDLES:
            assert needle.lower() not in content.lower(), f"{needle!r} is in {name}"
    assert any("feedback.sqlite" in name for name in sinks)
    assert "rpc_done" in sinks["log"]


@pytest.mark.parametrize("consent", [None, Consent(basis="SOMEBODY_SAID_SO", given_by="SUBJECT")])
async def test_without_consent_nothing_is_kept(serving: Serving, consent: Consent | None) -> None:
    """Also where it is on a basis that the operator does not take; the refusal is on record."""
    async with serving() as around:
        with pytest.raises(FailedPreconditionError, match="LEGITIMATE_INTEREST") as refused:
            await around.submit(consent=consent)
        assert refused.value.reason == "CONSENT_MISSING"
        assert around.kept() == []
        records = (await around.client.get_record(record_request_id=refused.value.request_id)).records
    assert [record.reason for record in records] == ["", "CONSENT_MISSING"]


async def test_it_is_off_unless_the_operator_wants_it(serving: Serving) -> None:
    async with serving(on=False) as around:
        with pytest.raises(FailedPreconditionError, match=r"feedback\.dir") as refused:
            await around.submit()
    assert refused.value.reason == "FEEDBACK_OFF"
    assert not (around.folder / "feedback").exists()


async def test_what_a_key_could_undo_is_a_placeholder_here(serving: Serving) -> None:
    """Surrogates, encrypted numbers and keyed hashes are; what the policy masks is masked."""
    async with serving(policy=KEYED) as around:
        await around.submit()
        text = around.kept()[0].said.text
    for placeholder in ("<PERSON_1>", "<IBAN_CODE_1>", "<EMAIL_ADDRESS_1>"):
        assert placeholder in text
    assert "<CREDIT_CARD_1>" not in text
    assert "4111 1111" not in text


class TestLabels:
    async def test_one_that_the_task_does_not_have_is_refused(self, serving: Serving) -> None:
        async with serving() as around:
            with pytest.raises(InvalidArgumentError) as refused:
                await around.submit(label="pension")
            assert (refused.value.reason, refused.value.field_violations[0].field) == ("UNKNOWN_LABEL", "label")
            assert around.kept() == []

    async def test_a_new_one_is_taken_where_the_operator_says_so_and_marked(self, serving: Serving) -> None:
        async with serving(new_labels=True) as around:
            await around.submit(label="pension transfer")
            await around.submit()
            assert [record.said.new_label for record in around.kept()] == [True, False]

    async def test_a_new_one_may_hold_nobodys_data(self, serving: Serving) -> None:
        async with serving(new_labels=True) as around:
            with pytest.raises(InvalidArgumentError) as refused:
                await around.submit(label="GB29 NWBK 6016 1331 9268 19")
            assert refused.value.reason == "LABELS_HOLD_PERSONAL_DATA"

    async def test_a_task_whose_labels_the_caller_names_takes_any(self, serving: Serving) -> None:
        async with serving() as around:
            await around.submit(task="choose_label", label="lost umbrella")
            with pytest.raises(InvalidArgumentError):
                await around.submit(task="choose_label", label="margaret.holloway@canary.example")
            assert [(r.said.label, r.said.new_label) for r in around.kept()] == [("lost umbrella", False)]


class TestForm:
    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"verdict": "RIGHT", "label": None}, "label"),
            ({"label": None, "answer": "card_arrival"}, "answer"),
            ({"task": "assist"}, "label"),
            ({"task": "payment_instruction", "label": None, "answer": '{"amount": 3}'}, "answer"),
            ({"task": "assist", "label": None, "answer": "a\n\n\u241e\n\nb"}, "answer"),
        ],
    )
    async def test_a_correction_fits_its_task(self, serving: Serving, more: dict[str, Any], field: str) -> None:
        async with serving() as around:
            with pytest.raises(InvalidArgumentError) as refused:
                await around.submit(**more)
            assert [violation.field for violation in refused.value.field_violations] == [field]
            assert around.kept() == []

    async def test_an_unknown_task_is_not_found(self, serving: Serving) -> None:
        async with serving() as around:
            with pytest.raises(NotFoundError):
                await around.submit(task="no_such_task")

    async def test_wrong_without_a_correction_is_kept(self, serving: Serving) -> None:
        async with serving() as around:
            await around.submit(label=None)
            assert [record.said.label for record in around.kept()] == [""]

    async def test_an_answer_shares_the_placeholders_of_its_text(self, serving: Serving) -> None:
        """And what is found in the text is found in the answer, where detection would not see it alone."""
        async with serving() as around:
            await around.submit(task="assist", label=None, answer="Holloway, GB29 NWBK 6016 1331 9268 19: margaret")
            answer = around.kept()[0].said.answer
        assert "<IBAN_CODE_1>" in answer
        assert "holloway" not in answer.lower()
        assert "margaret" not in answer.lower()

    async def test_extracted_fields_stay_a_document_of_the_schema(self, serving: Serving) -> None:
        schema = TASKS.get("payment_instruction").document
        assert schema is not None
        document = dict.fromkeys(schema["required"]) | {
            "beneficiary": "Margaret Holloway",
            "account": "GB29 NWBK 6016 1331 9268 19",
            "amount": "1500",
            "currency": "GBP",
        }
        text = "Pay GBP 1500 to Margaret Holloway, GB29 NWBK 6016 1331 9268 19."
        async with serving() as around:
            await around.submit(text, task="payment_instruction", label=None, answer=json.dumps(document))
            kept = json.loads(around.kept()[0].said.answer)
        assert (kept["beneficiary"], kept["account"]) == ("<PERSON_1>", "<IBAN_CODE_1>")
        assert (kept["amount"], kept["currency"]) == (document["amount"], "GBP")

    async def test_text_that_is_redacted_already_stays_as_it_is(self, serving: Serving) -> None:
        """An application that holds nothing but redacted text can send that; what only looks like it is replaced."""
        async with serving() as around:
            redacted = await around.client.redact("I am Margaret Holloway. Where is my card?")
            await around.submit(redacted.text)
            await around.submit("Look: <CARD_4111111111111111> and <MARGARET_HOLLOWAY_1> and <PERSON_2>.")
            first, second = (record.said.text for record in around.kept())
        assert first == "I am <PERSON_1>. Where is my card?"
        assert second == "Look: <LITERAL_1> and <LITERAL_2> and <PERSON_2>."


class TestAbout:
    async def test_an_answer_that_this_log_does_not_have_is_no_error(self, serving: Serving) -> None:
        """Another replica may have given it."""
        async with serving() as around:
            answer = await around.client.classify(TEXT, task="banking_intent")
            other = await around.client.generate("hello")
            found = [
                (await around.submit(about=about)).answer_known
                for about in (answer, other)  # the second is one of another task
            ]
            missing = await around.submit(about=type(answer)(**_fields(answer, receipt=None)))
            wrong = type(answer)(**_fields(answer, request_id="c0ffee00-0000-4000-8000-000000000001"))
            strange = await around.submit(about=wrong)
        assert (found, missing.answer_known, strange.answer_known) == ([True, False], True, False)


async def test_limits_are_told_as_what_they_are(serving: Serving) -> None:
    async with serving(max_records=2, max_a_day=1) as around:
        await around.submit()
        with pytest.raises(ResourceExhaustedError) as quota:
            await around.submit()
        assert quota.value.reason == "QUOTA_EXCEEDED"
        assert quota.value.retry_after_s == pytest.approx(24 * 3600, abs=60)
    async with serving(max_records=1) as around:
        with pytest.raises(ResourceExhaustedError) as full:
            await around.submit()
        assert full.value.reason == "FEEDBACK_FULL"


async def test_sent_again_it_is_kept_once(serving: Serving) -> None:
    async with serving() as around:
        first = await around.submit(request_id="c0ffee00-0000-4000-8000-000000000001")
        again = await around.submit(request_id="c0ffee00-0000-4000-8000-000000000001")
        assert first.feedback_id == again.feedback_id
        assert len(around.kept()) == 1


def _fields(answer: Any, **other: Any) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in answer.__dataclass_fields__} | other
