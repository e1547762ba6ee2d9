"""The whole way of a request over the wire: real pipeline, redactor and audit log; the engine echoes what it sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from finslm.access.principals import LocalAuthenticator
from finslm.audit import AuditLog
from finslm.audit.calls import CallRecorder, Versions
from finslm.client import AsyncClient, InvalidArgumentError, NotFoundError
from finslm.config import RedactionSettings, ServerSettings, Settings
from finslm.pipeline import Pipeline
from finslm.redacting import Redacting
from finslm.rpc.errors import verdict_of
from finslm.rpc.server import Server
from finslm.tasks import TASKS
from finslm.telemetry.metrics import Metrics
from finslm.testing import EchoEngine
from redaction import MemoryVault, Redactor
from redaction.errors import RedactionError

pytestmark = pytest.mark.model

IBAN = "DE89370400440532013000"
TEXT = f"pay {IBAN} and tell jane.doe@example.com"


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    try:
        return Redactor.from_policy()
    except RedactionError as error:
        pytest.skip(f"detection models are not installed: {error}")


@pytest.fixture
async def client(redactor: Redactor, tmp_path: Path) -> AsyncIterator[AsyncClient]:
    settings, metrics, engine = Settings(server=ServerSettings(port=0)), Metrics(CollectorRegistry()), EchoEngine()
    redacting = Redacting(redactor, RedactionSettings(), metrics, MemoryVault())
    log = AuditLog.open(tmp_path, origin="test.local/audit", checkpoint_interval_s=60)
    recorder = CallRecorder(log, Versions(redactor.policy.digest, redactor.digest, engine.model), verdict_of)
    pipeline = Pipeline(redacting, TASKS, engine, recorder, lambda: (), metrics)
    server = Server(settings, pipeline, LocalAuthenticator(), log, metrics)
    await engine.start()
    await server.start()
    async with AsyncClient(f"127.0.0.1:{server.port}") as opened:
        yield opened
    await server.stop(0)
    await engine.close()
    redacting.close()
    await log.close()


async def test_the_answer_is_whole_again_and_its_record_is_in_the_log(client: AsyncClient) -> None:
    answer = await client.generate(TEXT)
    assert answer.text == TEXT
    assert answer.entity_counts == {"IBAN_CODE": 1, "EMAIL_ADDRESS": 1}
    assert answer.receipt is not None
    record = (await client.get_record(answer.receipt.index)).records[0]
    assert (record.request_id, record.status, record.leaf_hash) == (answer.request_id, "OK", answer.receipt.leaf_hash)
    assert IBAN.encode() not in record.canonical_json


async def test_a_stream_is_the_same_answer_piece_by_piece(client: AsyncClient) -> None:
    text = f"The customer asked us this morning to {TEXT}"  # the guard holds the last letters back
    stream = client.generate_stream(text)
    pieces = [piece async for piece in stream]
    assert len(pieces) > 1
    assert "".join(pieces) == stream.result.text == text
    assert stream.result.receipt is not None


async def test_redact_and_restore_by_session(client: AsyncClient) -> None:
    redacted = await client.redact(TEXT)
    nonce = redacted.text[-9:-1]
    assert redacted.text == f"pay <IBAN_CODE_1_{nonce}> and tell <EMAIL_ADDRESS_1_{nonce}>"
    assert [(d.type, TEXT[d.start : d.end]) for d in redacted.detections] == [
        ("IBAN_CODE", IBAN),
        ("EMAIL_ADDRESS", "jane.doe@example.com"),
    ]
    assert (await client.restore(redacted.text, session_id=redacted.session_id)).text == TEXT
    again = await client.redact(f"once more {IBAN}", session_id=redacted.session_id)
    assert (again.session_id, again.text) == (redacted.session_id, f"once more <IBAN_CODE_1_{nonce}>")
    other = await client.redact(TEXT)
    assert other.text.startswith("pay <IBAN_CODE_1_")
    assert other.text[-9:-1] != nonce


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        (lambda c: c.generate("hello", task="no_such_task"), NotFoundError, "UNKNOWN_TASK"),
        (lambda c: c.generate("hello", task="payment_instruction"), InvalidArgumentError, "WRONG_TASK_KIND"),
        (lambda c: c.restore("a", session_id="unknown"), NotFoundError, "UNKNOWN_SESSION"),
        (lambda c: c.classify("a", task="choose_label"), InvalidArgumentError, "LABELS_MISSING"),
        (lambda c: c.classify("a", task="banking_intent", labels=["a", "b"]), InvalidArgumentError, "LABELS_NOT_TAKEN"),
        (
            lambda c: c.classify("a", task="choose_label", labels=["fee", IBAN]),
            InvalidArgumentError,
            "LABELS_HOLD_PERSONAL_DATA",
        ),
        (
            lambda c: c.classify("a", task="choose_label", labels=["fee", "<IBAN_CODE_1>"]),
            InvalidArgumentError,
            "LABELS_HOLD_PERSONAL_DATA",
        ),
    ],
)
async def test_refusals_of_the_pipeline_have_their_reasons(
    client: AsyncClient, call: Any, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error) as caught:
        await call(client)
    assert caught.value.reason == reason  # type: ignore[attr-defined]
    outcome = (await client.get_record(1)).records[0]
    assert (outcome.kind, outcome.reason) == ("OUTCOME", reason)


async def test_a_refused_label_is_not_repeated(client: AsyncClient) -> None:
    with pytest.raises(InvalidArgumentError, match="IBAN_CODE") as caught:
        await client.classify("a", task="choose_label", labels=["fee", IBAN])
    assert IBAN not in f"{caught.value} {caught.value.field_violations}"
    assert [violation.field for violation in caught.value.field_violations] == ["labels"]


async def test_the_callers_labels_are_scored_and_leave_no_trace_in_the_log(client: AsyncClient) -> None:
    """The echoing engine scores by common words; the record has counts and nothing of the labels."""
    labels = ["overdraft fee", "lost umbrella", "pension"]
    found = await client.classify(f"{TEXT} for the lost umbrella", task="choose_label", labels=labels)
    assert found.labels[0][0] == "lost umbrella"
    assert sorted(label for label, _ in found.labels) == sorted(labels)
    assert sum(score for _, score in found.labels) == pytest.approx(1)
    assert (found.adapter, found.abstained, found.entity_counts) == (None, False, {"IBAN_CODE": 1, "EMAIL_ADDRESS": 1})
    for index in (0, 1):
        canonical = (await client.get_record(index)).records[0].canonical_json
        assert not any(word.encode() in canonical for label in labels for word in label.split())
    assert b"choose_label" in canonical


@pytest.mark.parametrize(("threshold", "abstained"), [(None, False), (0.0, False), (1.0, True)])
async def test_an_unsure_answer_abstains_and_still_tells_the_scores(
    client: AsyncClient, threshold: float | None, abstained: bool
) -> None:
    found = await client.classify("fee", task="choose_label", labels=["fee", "card"], abstain_below=threshold)
    assert (found.abstained, [label for label, _ in found.labels]) == (abstained, ["fee", "card"])
