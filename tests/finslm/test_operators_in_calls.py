"""Operators that need a key or a subject, through the pipeline: the policy decides, the tenant's key does it."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from stdnum import luhn

from finslm.audit import AuditLog
from finslm.audit.calls import CallRecorder, Versions
from finslm.config import RedactionSettings
from finslm.errors import DetectorFailed, ValueNotReplaced
from finslm.pipeline import Pipeline
from finslm.redacting import Redacting
from finslm.rpc.errors import verdict_of
from finslm.tasks import TASKS
from finslm.telemetry.metrics import Metrics
from finslm.testing import EchoEngine
from finslm.types import Call, FinishReason, Principal
from redaction import MemoryVault, Policy, RawText, Redactor
from redaction.keys import EnvironmentKeys, KeyProvider

TEXT = RawText("I am John Smith, card 4111 1111 1111 1111; I paid on 2024-03-01 and again on 2024-03-11.")
CANARIES = ("blue-heron-7731",)
RULES = "{CREDIT_CARD: fpe, BANK_ACCOUNT: fpe, PERSON: surrogate, DATE_TIME: date_shift}"


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor.from_policy()


@pytest.fixture
def keys() -> KeyProvider:
    key = base64.b64encode(b"k" * 32).decode()
    return EnvironmentKeys(f'{{"current": "1", "derive": "1", "keys": {{"1": "{key}"}}}}', "TEST_KEYS")


@pytest.fixture
async def log(tmp_path):
    opened = AuditLog.open(tmp_path / "audit", origin="test/log", checkpoint_interval_s=60)
    yield opened
    await opened.close()


async def make(
    redactor: Redactor, log: AuditLog, keys: KeyProvider | None, engine: Any = None, canaries: tuple[str, ...] = ()
) -> Pipeline:
    await (engine := engine or EchoEngine()).start()
    metrics = Metrics(CollectorRegistry())
    tenants = dict.fromkeys(("cards", "other"), ("mine",))
    settings = RedactionSettings(policies={"mine": Path("x.yaml")}, tenant_policies=tenants)
    policies = {"mine": Policy.parse(f"name: mine\nextends: finance\nentities: {RULES}")}
    redacting = Redacting(redactor, settings, metrics, MemoryVault(), policies, keys, canaries)
    recorder = CallRecorder(log, Versions("a" * 64, "b" * 64, engine.model), verdict_of)
    return Pipeline(redacting, TASKS, engine, recorder, lambda: (), metrics)


def call(tenant: str = "cards", subject: str = "") -> Call:
    return Call(str(uuid.uuid4()), Principal("desk", tenant), "RedactionService/Redact", subject=subject)


async def test_same_for_a_tenant_and_another_for_the_next(redactor, log, keys):
    pipeline = await make(redactor, log, keys)
    first, again, other = [(await pipeline.redact(call(t), text=TEXT)).value.text for t in ("cards", "cards", "other")]
    assert first == again
    assert first != other
    for value in ("John Smith", "4111 1111 1111 1111", "2024-03-01"):
        assert value not in first
    card = first.split("card ")[1].split(";")[0]
    assert luhn.is_valid(card.replace(" ", ""))


async def test_the_subject_decides_how_far_dates_move(redactor, log, keys):
    pipeline = await make(redactor, log, keys)
    said = [(await pipeline.redact(call(subject=str(n % 10)), text=TEXT)).value.text for n in range(20)]
    assert said[:10] == said[10:]
    assert len({*said}) > 5


async def test_the_guard_lets_the_operators_own_words_through(redactor, log, keys):
    """The model repeats a card that is right in form: it is the one that it was shown."""
    pipeline = await make(redactor, log, keys)
    shown = (await pipeline.redact(call(), text=TEXT)).value.text
    card = shown.split("card ")[1].split(";")[0]
    pipeline = await make(redactor, log, keys, EchoEngine(chunks=[f"Card {card} ", "was charged twice."]))
    answered = await pipeline.generate(call(), task="assist", text=TEXT)
    assert (answered.value.finish_reason, answered.value.text) == (
        FinishReason.STOP,
        f"Card {card} was charged twice.",
    )
    pipeline = await make(redactor, log, keys, EchoEngine(chunks=["Card 4111 1111 ", "1111 1111 was charged."]))
    assert (await pipeline.generate(call(), task="assist", text=TEXT)).value.finish_reason is FinishReason.BLOCKED


async def test_without_keys_the_text_is_refused(redactor, log):
    pipeline = await make(redactor, log, None)
    with pytest.raises(DetectorFailed, match="see the server's log"):
        await pipeline.redact(call(), text=TEXT)


async def test_a_value_of_another_form_is_told(redactor, log, keys):
    """By its type, never by itself."""
    pipeline = await make(redactor, log, keys)
    made = call()
    with pytest.raises(ValueNotReplaced, match="BANK_ACCOUNT is too short") as refused:
        await pipeline.redact(made, text=RawText("my account number is 48152."))
    assert "48152" not in str(refused.value)
    assert [record.reason for _, record in log.find(made.request_id)][-1] == "VALUE_NOT_REPLACED"


@pytest.mark.parametrize("said", ["blue-heron-7731", "BLUE HERON 7731", "1377noreheulb", "Ymx1ZS1oZXJvbi03NzMx"])
async def test_no_answer_holds_a_canary(redactor, log, keys, said):
    """In any of the disguises that the guard knows; it is counted as such."""
    pipeline = await make(redactor, log, keys, EchoEngine(chunks=[f"The word is {said} ", "as you know."]), CANARIES)
    made = call()
    answered = await pipeline.generate(made, task="assist", text=RawText("say the word"))
    assert answered.value.finish_reason is FinishReason.BLOCKED
    assert [record for _, record in log.find(made.request_id)][-1].answer_counts == {"echoes.CANARY.refuse": 1}
