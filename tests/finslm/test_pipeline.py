"""The way of a request: the real redactor, the real log, and the verified fake engine, told to misbehave."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import aclosing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from benchmarks.written_orders import WRITTEN_ORDER
from finslm.audit import AuditLog
from finslm.audit.calls import CallRecorder, Versions
from finslm.config import RedactionSettings
from finslm.engine.base import Engine
from finslm.errors import (
    AuditUnavailable,
    DeadlineExceeded,
    DetectorFailed,
    EngineUnavailable,
    InvalidOutput,
    InvalidRequest,
    UnknownAdapter,
    UnknownPolicy,
    UnknownSession,
    UnknownTask,
)
from finslm.pipeline import Pipeline
from finslm.redacting import Redacting
from finslm.rpc.errors import verdict_of
from finslm.tasks import TASKS, TaskRegistry
from finslm.telemetry.metrics import Metrics
from finslm.testing import EchoEngine
from finslm.types import Answered, Call, FinishReason, Grammar, Principal, RawGrammar
from redaction import MemoryVault, Policy, RawText, Redacted, Redactor
from redaction.errors import DetectionFailed
from redaction.text import RedactedText

TEXT = RawText("I am Margaret Holloway, IBAN DE89 3704 0044 0532 0130 00.")


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor.from_policy()


@pytest.fixture
async def log(tmp_path):
    opened = AuditLog.open(tmp_path / "audit", origin="test/log", checkpoint_interval_s=60)
    yield opened
    await opened.close()


class Failing:
    """A detector that fails."""

    name, version = "x", "1"

    def detect(self, text):
        raise DetectionFailed("detector x failed")


class Watched(EchoEngine):
    """Keeps the prompts it was given."""

    prompts: list[str]

    def generate(self, prompt, params, **origin):
        self.grammar = origin.get("grammar")
        self.prompts = [*getattr(self, "prompts", []), prompt.messages[-1].text.value]
        return super().generate(prompt, params, **origin)


async def make(redactor, log, engine: Engine, tasks: TaskRegistry = TASKS, **settings) -> Pipeline:
    await engine.start()
    metrics = Metrics(CollectorRegistry())
    versions = Versions("a" * 64, "b" * 64, engine.model)
    recorder = CallRecorder(log, versions, verdict_of)
    return Pipeline(
        Redacting(redactor, RedactionSettings(**settings), metrics, MemoryVault()),
        tasks,
        engine,
        recorder,
        lambda: (),
        metrics,
    )


def written() -> TaskRegistry:
    """The task whose document the model writes."""
    tasks, task = TaskRegistry(), WRITTEN_ORDER
    tasks.register(task.name, task.kind, task.description, defaults=task.defaults, schema=task.schema)(task.render)
    return tasks


def call(deadline: float | None = None, principal: str = "desk", tenant: str = "default") -> Call:
    return Call(str(uuid.uuid4()), Principal(principal, tenant), "InferenceService/Generate", deadline)


def outcome(log, made: Call):
    records = [record for _, record in log.find(made.request_id)]
    assert [r.kind for r in records] == ["INTENT", "OUTCOME"]
    return records[1]


class TestSummaries:
    """What a summary says that its text does not is told, counted and recorded; its words are nowhere."""

    SAID = ("<PERSON_1> ", "disputes 75 EUR; ", "Wells Fargo ", "was told.")

    async def summed_up(self, redactor, log, said, made: Call):
        engine = EchoEngine(said, writers=["summarise"])
        pipeline = await make(redactor, log, engine)
        return await pipeline.generate(made, task="complaint_summary", text=TEXT)

    async def test_invented_facts_are_reported_with_their_places(self, redactor, log):
        made = call()
        result = (await self.summed_up(redactor, log, self.SAID, made)).value
        found = [(result.text[fact.start : fact.end], fact.kind) for fact in result.unsupported]
        assert found == [("75", "NUMBER"), ("EUR", "NAME"), ("Wells", "NAME"), ("Fargo", "NAME")]
        assert result.text.startswith("Margaret Holloway")
        assert result.adapter.name == "summarise"
        record = outcome(log, made)
        assert (record.adapter_name, record.adapter_digest) == ("summarise", "1" * 64)
        counts = {name: count for name, count in record.answer_counts.items() if name.startswith("grounding")}
        assert counts == {"grounding.NUMBER.reported": 1, "grounding.NAME.reported": 3}

    async def test_what_the_text_says_is_not_reported(self, redactor, log):
        result = (await self.summed_up(redactor, log, ("<PERSON_1> gives an ", "IBAN."), call())).value
        assert result.unsupported == []

    async def test_tasks_that_do_not_sum_up_are_not_checked(self, redactor, log):
        pipeline = await make(redactor, log, EchoEngine(self.SAID))
        result = (await pipeline.generate(call(), task="assist", text=TEXT)).value
        assert (result.unsupported, result.adapter) == ([], None)


class TestClassify:
    @pytest.mark.parametrize(("below", "said"), [(None, None), (0.1, False), (0.9, True)])
    async def test_the_record_says_whether_it_abstained(self, redactor, log, below, said):
        """Not said where the caller named no threshold."""
        pipeline = await make(redactor, log, EchoEngine(labels={"intent": ["a", "b"]}))
        made = call()
        answered = await pipeline.classify(made, task="banking_intent", text=TEXT, abstain_below=below)
        assert answered.value.abstained is bool(said)
        assert outcome(log, made).abstained is said


class TestGenerate:
    async def test_the_model_sees_placeholders_and_the_caller_its_own_values(self, redactor, log):
        """Redacted on the way in, restored on the way out, counted in the record."""
        engine = Watched()
        pipeline = await make(redactor, log, engine)
        made = call()
        answered = await pipeline.generate(made, task="assist", text=TEXT)
        (seen,) = engine.prompts
        assert "Holloway" not in seen
        assert "DE89" not in seen
        assert "<IBAN_CODE_1>" in seen
        assert TEXT.value in answered.value.text
        record = outcome(log, made)
        assert (record.status, record.task, record.finish_reason) == ("OK", "assist", "STOP")
        assert record.entity_counts["IBAN_CODE"] == 1
        assert answered.receipt.index == record.intent_index + 1

    async def test_a_grammar_with_personal_data_is_refused_and_one_without_reaches_the_engine(self, redactor, log):
        """In a choice, a pattern, a schema's values, names and numbers, escaped or not; placeholders are fine."""
        engine = Watched()
        pipeline = await make(redactor, log, engine)
        iban = "DE89370400440532013000"
        hidden = json.dumps({"const": iban}).replace("DE89", "\\u0044E89")
        for kind, part in [
            ("choice", f"to {iban}"),
            ("regex", f"{iban}|none"),
            ("json_schema", hidden),
            ("json_schema", json.dumps({"properties": {iban: {}}})),
            ("json_schema", json.dumps({"enum": [4111111111111111]})),
        ]:
            made = call()
            with pytest.raises(InvalidRequest, match="grammar holds") as refused:
                await pipeline.generate(made, task="assist", text=TEXT, grammar=RawGrammar(kind, (RawText(part),)))
            assert outcome(log, made).reason == "GRAMMAR_HOLDS_PERSONAL_DATA"
            assert iban not in str(refused.value)
        schema = {"type": "object", "properties": {"amount": {"type": "number"}, "currency": {"enum": ["EUR", "USD"]}}}
        for kind, part in [("choice", "<PERSON_1>"), ("json_schema", json.dumps(schema))]:
            await pipeline.generate(call(), task="assist", text=TEXT, grammar=RawGrammar(kind, (RawText(part),)))
            assert engine.grammar == Grammar(kind, (RedactedText(part),))

    async def test_values_are_escaped_where_they_go_into_json(self, redactor, log):
        """A quote in a value ends no string of the document."""
        pipeline = await make(redactor, log, EchoEngine())
        grammar = RawGrammar("json_schema", (RawText('{"type": "object"}'),))
        redacted = Redacted("<PERSON_1>", (), {"<PERSON_1>": 'A "B"\n\\'}, {}, {})
        form = await pipeline._redacting.grammar(call(), grammar)
        restorer = pipeline._redacting.restorer(call(), redacted, form)
        text = "".join(map(restorer.feed, ['{"to": "', "<PERSON", '_1>"}'])) + restorer.close()
        assert json.loads(text) == {"to": 'A "B"\n\\'}

    async def test_a_value_in_disguise_is_withheld_masked_or_flagged(self, redactor, log):
        """As the policy says; the record has what was found and what was done, and nothing of it."""
        leak = "D E 8 9 3 7 0 4 0 0 4 4 0 5 3 2 0 1 3 0 0 0"
        engine = EchoEngine(chunks=["Your account is ", leak[:13], leak[13:], " as you know, and all is well."])
        for action, shown in (("refuse", ""), ("mask", "[withheld]"), ("flag", leak)):
            policy = Policy.parse(f"name: p\nextends: finance\nanswer: {{leaks: {action}, found: {action}}}")
            pipeline = await make(Redactor.from_policy(policy), log, engine)
            made = call()
            answered = (await pipeline.generate(made, task="assist", text=TEXT)).value
            if action == "refuse":
                assert (answered.text, answered.finish_reason) == ("", FinishReason.BLOCKED)
            else:
                assert answered.text == f"Your account is {shown} as you know, and all is well."
            counts = outcome(log, made).answer_counts
            assert counts[f"leaks.IBAN_CODE.{action}"] == 1

    async def test_the_program_own_prompt_is_not_repeated(self, redactor, log):
        """What the task tells the model is no answer."""
        system = TASKS.get("assist").render(RedactedText("x")).messages[0].text.value
        pipeline = await make(redactor, log, EchoEngine(chunks=["I was told: ", system]))
        made = call()
        answered = (await pipeline.generate(made, task="assist", text=TEXT)).value
        assert (answered.text, answered.finish_reason) == ("", FinishReason.BLOCKED)
        assert outcome(log, made).answer_counts == {"echoes.SYSTEM_PROMPT.refuse": 1}

    async def test_a_type_that_may_not_come_back_does_not(self, log):
        """Not even to the caller who sent it."""
        policy = Policy.parse("name: p\nextends: finance\nanswer: {forbid: [IBAN_CODE]}")
        pipeline = await make(Redactor.from_policy(policy), log, EchoEngine(chunks=["<PERSON_1> has <IBAN_CODE_1>."]))
        answered = (await pipeline.generate(call(), task="assist", text=TEXT)).value
        assert answered.text == "Margaret Holloway has [withheld]."

    async def test_a_link_carries_no_value_away(self, redactor, log):
        """What a model was talked into: the placeholder stays in the link, and is put back beside it."""
        engine = EchoEngine(chunks=["See https://x.example/?q=<IBAN", "_CODE_1> for ", "<IBAN_CODE_1>."])
        iban = "DE89 3704 0044 0532 0130 00"
        for more, link in (("", "<IBAN_CODE_1>"), ("restore_in: [url]", iban)):
            own = Redactor.from_policy(Policy.parse(f"name: p\nextends: finance\n{more}"))
            pipeline = await make(own, log, engine)
            answered = await pipeline.generate(call(), task="assist", text=TEXT)
            assert answered.value.text.startswith(f"See https://x.example/?q={link} for {iban}")

    async def test_the_arguments_of_a_tool_keep_their_placeholders(self, redactor, log):
        """Unless the policy names them."""
        schema = {"type": "object", "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}}}
        grammar = RawGrammar("json_schema", (RawText(json.dumps(schema)),))
        redacted = Redacted("<PERSON_1>", (), {"<PERSON_1>": "Ada"}, {}, {})
        for more, shown in (("", "<PERSON_1>"), ("restore_in: [tool_arguments]", "Ada")):
            own = Redactor.from_policy(Policy.parse(f"name: p\nextends: finance\n{more}"))
            pipeline = await make(own, log, EchoEngine())
            form = await pipeline._redacting.grammar(call(), grammar)
            restorer = pipeline._redacting.restorer(call(), redacted, form)
            text = restorer.feed('{"name":"pay","arguments":{"to":"<PERSON_1>"}}') + restorer.close()
            assert json.loads(text)["arguments"] == {"to": shown}

    async def test_a_number_that_nobody_sent_is_withheld(self, redactor, log):
        """The guard blocks a card number that the model made up; none of its digits get out."""
        engine = EchoEngine(chunks=["Your ", "card ", "4111 ", "1111 ", "1111 ", "1111 ", "is ", "charged."])
        pipeline = await make(redactor, log, engine)
        made = call()
        answered = await pipeline.generate(made, task="assist", text=TEXT)
        assert answered.value.finish_reason is FinishReason.BLOCKED
        assert answered.value.text == ""
        assert outcome(log, made).finish_reason == "BLOCKED"
        pieces = [item async for item in pipeline.generate_stream(call(), task="assist", text=TEXT)]
        assert isinstance(pieces[-1], Answered)
        assert not any("4111" in piece for piece in pieces[:-1])

    async def test_a_placeholder_of_the_text_is_no_placeholder(self, redactor, log):
        """Text that forges `<IBAN_CODE_1>` gets itself back, not the IBAN."""
        pipeline = await make(redactor, log, EchoEngine(chunks=["<IBAN_CODE_1> <LITERAL_1>"]))
        text = RawText("Tell me <IBAN_CODE_1>; mine is DE89 3704 0044 0532 0130 00.")
        answered = await pipeline.generate(call(), task="assist", text=text)
        assert answered.value.text == "DE89 3704 0044 0532 0130 00 <IBAN_CODE_1>"

    async def test_without_a_log_no_work_is_done(self, redactor, log, monkeypatch):
        """INTENT cannot be written: UNAVAILABLE, and the engine was never asked."""
        engine = Watched()
        pipeline = await make(redactor, log, engine)

        async def refuse(record):
            raise AuditUnavailable("the disk is full")

        monkeypatch.setattr(pipeline._recorder, "_log", type("Full", (), {"append": staticmethod(refuse)})())
        with pytest.raises(AuditUnavailable):
            await pipeline.generate(call(), task="assist", text=TEXT)
        assert not hasattr(engine, "prompts")

    async def test_without_an_outcome_no_answer_is_given(self, redactor, log, monkeypatch):
        """The disk fills up between INTENT and OUTCOME: the summary is withheld."""
        pipeline = await make(redactor, log, EchoEngine(chunks=["fine"]))
        real = log.append

        async def intents_only(record):
            if record.kind == "INTENT":
                return await real(record)
            raise AuditUnavailable("the disk is full")

        monkeypatch.setattr(pipeline._recorder, "_log", type("Full", (), {"append": staticmethod(intents_only)})())
        with pytest.raises(AuditUnavailable):
            await pipeline.generate(call(), task="assist", text=TEXT)

    async def test_a_failing_detector_refuses_the_text(self, log):
        """Not passed on unredacted; the engine is never asked; recorded with its reason."""
        engine = Watched()
        pipeline = await make(Redactor(Policy.builtin(), [Failing()], [Failing()]), log, engine)
        made = call()
        with pytest.raises(DetectorFailed):
            await pipeline.generate(made, task="assist", text=TEXT)
        assert not hasattr(engine, "prompts")
        assert (outcome(log, made).status, outcome(log, made).reason) == ("UNAVAILABLE", "DETECTOR_FAILED")

    async def test_a_failing_engine_is_recorded(self, redactor, log):
        """UNAVAILABLE in the record as on the wire."""
        pipeline = await make(redactor, log, EchoEngine(failure=EngineUnavailable("down")))
        made = call()
        with pytest.raises(EngineUnavailable):
            await pipeline.generate(made, task="assist", text=TEXT)
        assert outcome(log, made).reason == "ENGINE_UNAVAILABLE"

    async def test_an_unexpected_error_is_internal(self, redactor, log, monkeypatch):
        """Whatever is raised, the OUTCOME says so."""
        engine = EchoEngine()
        pipeline = await make(redactor, log, engine)
        monkeypatch.setattr(engine, "count_tokens", lambda prompt: 1 / 0)
        made = call()
        with pytest.raises(ZeroDivisionError):
            await pipeline.generate(made, task="assist", text=TEXT)
        assert (outcome(log, made).status, outcome(log, made).reason) == ("INTERNAL", "INTERNAL")

    async def test_a_cancelled_call_is_recorded_and_stays_cancelled(self, redactor, log):
        """The OUTCOME is durable although the caller is gone."""
        pipeline = await make(redactor, log, EchoEngine(chunks=["a "] * 100, step_s=0.05))
        made = call()
        running = asyncio.ensure_future(pipeline.generate(made, task="assist", text=TEXT))
        await asyncio.sleep(0.5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert outcome(log, made).status == "CANCELLED"

    async def test_a_stream_left_early_is_recorded(self, redactor, log):
        """Closing the stream is a cancellation too, and the engine's slot is free."""
        engine = EchoEngine(chunks=["word "] * 100)
        pipeline = await make(redactor, log, engine)
        made = call()
        async with aclosing(pipeline.generate_stream(made, task="assist", text=TEXT)) as items:
            async for _ in items:
                break
        assert outcome(log, made).status == "CANCELLED"
        assert engine.waiting == 0

    async def test_a_deadline_during_redaction_is_the_callers(self, redactor, log):
        """DEADLINE_EXCEEDED, not UNAVAILABLE."""
        pipeline = await make(redactor, log, EchoEngine())
        made = call(deadline=asyncio.get_running_loop().time() - 1)
        with pytest.raises(DeadlineExceeded):
            await pipeline.generate(made, task="assist", text=TEXT)

    async def test_a_task_that_is_none_never_reaches_the_record(self, redactor, log):
        """The caller's own word is left out."""
        pipeline = await make(redactor, log, EchoEngine())
        made = call()
        with pytest.raises(UnknownTask):
            await pipeline.generate(made, task="margaret-holloway", text=TEXT)
        assert outcome(log, made).task == ""


class TestExtractWithAForm:
    """An adapter tags, code writes."""

    TAGS = {  # noqa: RUF012
        "payment_instruction.beneficiary": "<PERSON_1>",
        "payment_instruction.account": "<IBAN_CODE_1>",
        "payment_instruction.amount": "nowhere",
        "invoice.seller": "<PERSON_1>",
    }

    async def test_values_are_restored_and_the_rest_is_null(self, redactor, log):
        pipeline = await make(redactor, log, EchoEngine(tags={"extract-payment": self.TAGS}))
        made = call()
        found = (await pipeline.extract(made, task="payment_instruction", text=TEXT)).value
        document = json.loads(found.json)
        assert document["account"] == "DE89 3704 0044 0532 0130 00"
        assert document["beneficiary"] == "Margaret Holloway"
        assert {name for name, value in document.items() if value is not None} == {"account", "beneficiary"}
        assert found.scores == {"account": pytest.approx(0.97, abs=0.01), "beneficiary": pytest.approx(0.97, abs=0.01)}
        assert found.adapter is not None
        assert (outcome(log, made).status, found.adapter.name) == ("OK", "extract-payment")

    async def test_without_its_adapter_the_task_is_refused(self, redactor, log):
        pipeline = await make(redactor, log, EchoEngine())
        with pytest.raises(UnknownAdapter):
            await pipeline.extract(call(), task="payment_instruction", text=TEXT)

    async def test_what_policy_refuses_is_counted_in_the_record(self, log):
        policy = Policy.parse("name: p\nextends: finance\nanswer: {forbid: [IBAN_CODE], forbidden: refuse}")
        pipeline = await make(Redactor.from_policy(policy), log, EchoEngine(tags={"extract-payment": self.TAGS}))
        made = call()
        with pytest.raises(InvalidOutput, match="withheld"):
            await pipeline.extract(made, task="payment_instruction", text=TEXT)
        assert outcome(log, made).answer_counts["forbidden.IBAN_CODE.refuse"] == 1
        assert outcome(log, made).status == "ABORTED"

    async def test_what_policy_forbids_to_come_back_is_masked(self, log):
        policy = Policy.parse("name: p\nextends: finance\nanswer: {forbid: [IBAN_CODE]}")
        engine = EchoEngine(tags={"extract-payment": self.TAGS})
        pipeline = await make(Redactor.from_policy(policy), log, engine)
        found = await pipeline.extract(call(), task="payment_instruction", text=TEXT)
        assert json.loads(found.value.json)["account"] == "[withheld]"


class TestExtract:
    """The model itself writes, under a grammar."""

    REST = ' null,"beneficiary":"<PERSON_1>","account":"<IBAN_CODE_1>","currency":null,"reference":null}'
    """What follows the prefill, which names the amount."""

    async def test_values_are_restored_inside_the_json(self, redactor, log):
        """Also where a value needs escaping."""
        pipeline = await make(redactor, log, EchoEngine(chunks=[self.REST]), tasks=written())
        answered = await pipeline.extract(call(), task="payment_instruction", text=TEXT)
        assert '"account":"DE89 3704 0044 0532 0130 00"' in answered.value.json

    @pytest.mark.parametrize("answer", ["no json", ' null,"beneficiary":5}', ' null,"beneficiary":"'])
    async def test_what_does_not_match_is_refused(self, redactor, log, answer):
        """ABORTED with the rule, never a document that might be taken for valid."""
        pipeline = await make(redactor, log, EchoEngine(chunks=[answer]), tasks=written())
        made = call()
        with pytest.raises(InvalidOutput):
            await pipeline.extract(made, task="payment_instruction", text=TEXT)
        assert (outcome(log, made).status, outcome(log, made).reason) == ("ABORTED", "INVALID_OUTPUT")


class TestPolicies:
    """Per tenant and per call: what is named holds, in the detection, the second look and the record."""

    DESKS = {"retail": "entities: {IBAN_CODE: keep, PERSON: keep}", "deals": "deny: [{type: PROJECT, values: Falcon}]"}

    async def make(self, redactor, log, engine=None, more="", **tenants) -> Pipeline:
        await (engine := engine or EchoEngine()).start()
        metrics = Metrics(CollectorRegistry())
        desks = {name: Policy.parse(f"name: {name}\nextends: finance\n{t}\n{more}") for name, t in self.DESKS.items()}
        settings = RedactionSettings(policies=dict.fromkeys(desks, Path("x.yaml")), tenant_policies=tenants)
        recorder = CallRecorder(log, Versions("a" * 64, "b" * 64, engine.model), verdict_of)
        return Pipeline(
            Redacting(redactor, settings, metrics, MemoryVault(), desks), TASKS, engine, recorder, lambda: (), metrics
        )

    def call(self, tenant: str = "default", policy: str = "") -> Call:
        return Call(str(uuid.uuid4()), Principal("desk", tenant), "RedactionService/Redact", policy=policy)

    async def test_a_tenant_has_its_policy_and_others_the_default(self, redactor, log):
        """The first of its list, without being named."""
        pipeline = await self.make(redactor, log, cards="retail")
        kept = (await pipeline.redact(self.call("cards"), text=TEXT)).value
        replaced = (await pipeline.redact(self.call("other"), text=TEXT)).value
        assert "Margaret Holloway" in kept.text
        assert "Holloway" not in replaced.text

    async def test_a_call_may_name_another_policy_of_its_tenant(self, redactor, log):
        """And the default one where it is on the list."""
        pipeline = await self.make(redactor, log, cards=["retail", "default"])
        text = (await pipeline.redact(self.call("cards", "default"), text=TEXT)).value.text
        assert "DE89" not in text

    @pytest.mark.parametrize("policy", ["retail", "nothing", "finance"])
    @pytest.mark.parametrize("method", ["redact", "analyze", "generate", "extract", "classify"])
    async def test_the_policy_of_another_tenant_is_unknown(self, redactor, log, policy, method):
        """As unknown as one that does not exist; nothing is looked at, and the record names no policy."""
        engine = Watched()
        pipeline = await self.make(redactor, log, engine, cards="retail")
        made = self.call("other", policy)
        task = {"generate": "assist", "extract": "payment_instruction", "classify": "banking_intent"}.get(method)
        with pytest.raises(UnknownPolicy, match="it may use: default$"):
            await getattr(pipeline, method)(made, text=TEXT, **({"task": task} if task else {}))
        record = outcome(log, made)
        assert (record.status, record.reason, record.policy_digest) == ("NOT_FOUND", "UNKNOWN_POLICY", "")
        assert not hasattr(engine, "prompts")

    async def test_the_record_has_the_digests_of_the_policy_used(self, redactor, log):
        """INTENT and OUTCOME."""
        pipeline = await self.make(redactor, log, cards=["retail", "deals"])
        digests = set()
        for policy in ("retail", "deals"):
            made = self.call("cards", policy)
            await pipeline.redact(made, text=TEXT)
            intent, last = (record for _, record in log.find(made.request_id))
            assert (intent.policy_digest, intent.redactor_digest) == (last.policy_digest, last.redactor_digest)
            assert last.policy_digest == Policy.parse(f"name: {policy}\nextends: finance\n{self.DESKS[policy]}").digest
            digests |= {last.policy_digest, last.redactor_digest}
        assert len(digests) == 4

    async def test_the_guard_looks_with_the_policy_of_the_call(self, redactor, log):
        """What the policy keeps may stand in an answer; what it does not is withheld."""
        chunks = ["pay ", "DE89370400440532013000 "]
        pipeline = await self.make(redactor, log, EchoEngine(chunks=chunks), cards=["retail", "default"])
        kept = await pipeline.generate(self.call("cards"), task="assist", text=RawText("which account?"))
        withheld = await pipeline.generate(self.call("cards", "default"), task="assist", text=RawText("which account?"))
        assert kept.value.finish_reason is FinishReason.STOP
        assert withheld.value.finish_reason is FinishReason.BLOCKED

    async def test_a_longer_text_than_the_policy_takes_is_refused(self, redactor, log):
        """INVALID_ARGUMENT with the limit."""
        pipeline = await self.make(redactor, log, more="max_chars: 10", cards="retail")
        with pytest.raises(InvalidRequest, match="limit of the policy 10") as refused:
            await pipeline.redact(self.call("cards"), text=TEXT)
        assert refused.value.reason_override == "TEXT_TOO_LONG"

    async def test_the_time_budget_of_the_policy_holds(self, redactor, log):
        """What takes longer is refused, never passed on."""
        pipeline = await self.make(redactor, log, more="budget_ms: 1", cards="retail")
        made = self.call("cards")
        with pytest.raises(DetectorFailed):
            await pipeline.redact(made, text=RawText("Ada Lovelace of London " * 1000))
        assert outcome(log, made).reason == "DETECTOR_FAILED"


class TestRestore:
    async def test_only_the_caller_who_sent_it_gets_it_back(self, redactor, log):
        """Another principal's session is no session."""
        pipeline = await make(redactor, log, EchoEngine())
        redacted = (await pipeline.redact(call(principal="desk"), text=TEXT)).value
        args = {"session_id": redacted.session_id, "text": redacted.text}
        assert (await pipeline.restore(call(principal="desk"), **args)).value == TEXT.value
        with pytest.raises(UnknownSession):
            await pipeline.restore(call(principal="fraud"), **args)

    async def test_one_long_value_many_times_is_refused(self, redactor, log):
        """32 KB must not become 100 MB."""
        pipeline = await make(redactor, log, EchoEngine())
        kept = (await pipeline.redact(call(), text=RawText("<" + "A" * 30_000 + "_1>"))).value
        with pytest.raises(InvalidRequest) as refused:
            await pipeline.restore(call(), session_id=kept.session_id, text=kept.text * 1000)
        assert refused.value.reason_override == "TEXT_TOO_LONG"

    async def test_a_stranger_placeholder_is_refused(self, redactor, log):
        """Wrong placeholder: INVALID_ARGUMENT with its reason."""
        pipeline = await make(redactor, log, EchoEngine())
        session = (await pipeline.redact(call(), text=TEXT)).value.session_id
        with pytest.raises(InvalidRequest) as refused:
            await pipeline.restore(call(), session_id=session, text="Dear <PERSON_7>")
        assert refused.value.reason_override == "UNKNOWN_PLACEHOLDER"

    async def test_what_reads_like_a_placeholder_is_not_restored(self, redactor, log):
        """Whoever writes `<IBAN_CODE_1>` into a text without having seen the session gets nothing for it."""
        pipeline = await make(redactor, log, EchoEngine())
        kept = (await pipeline.redact(call(), text=TEXT)).value
        own = next(word for word in kept.text.split() if "IBAN_CODE" in word).strip(".,")
        for forged in ("<IBAN_CODE_1>", "<IBAN_CODE_1_00000000>", own.replace("IBAN_CODE_1", "IBAN_CODE_2")):
            with pytest.raises(InvalidRequest):
                await pipeline.restore(call(), session_id=kept.session_id, text=f"send {forged} here")

    async def test_a_policy_can_number_for_the_whole_tenant(self, log):
        """The same value, the same placeholder in all texts of the tenant, for whoever sends it; not in another's."""
        redactor = Redactor.from_policy(Policy.parse("name: linked\nextends: finance\nplaceholders: tenant"))
        pipeline = await make(redactor, log, EchoEngine())
        mine = (await pipeline.redact(call(principal="desk"), text=TEXT)).value
        theirs = (await pipeline.redact(call(principal="fraud"), text=TEXT)).value
        assert (mine.session_id, mine.text) == (theirs.session_id, theirs.text)
        args = {"session_id": mine.session_id, "text": mine.text}
        assert (await pipeline.restore(call(principal="fraud"), **args)).value == TEXT.value
        with pytest.raises(UnknownSession):
            await pipeline.restore(call(principal="fraud", tenant="other"), **args)
        answered = await pipeline.generate(call(), task="assist", text=TEXT)
        assert TEXT.value in answered.value.text

    async def test_a_session_goes_on_and_only_for_its_caller(self, redactor, log):
        """The same value, the same placeholder; another's session cannot be gone on with."""
        pipeline = await make(redactor, log, EchoEngine())
        first = (await pipeline.redact(call(), text=TEXT)).value
        again = (await pipeline.redact(call(), text=TEXT, session_id=first.session_id)).value
        assert (again.session_id, again.text) == (first.session_id, first.text)
        assert (await pipeline.redact(call(), text=TEXT)).value.text != first.text
        with pytest.raises(UnknownSession):
            await pipeline.redact(call(principal="fraud"), text=TEXT, session_id=first.session_id)
