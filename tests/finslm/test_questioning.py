"""Answer: the real redactor, log and ranker, and an engine that reads a word as a vector of its own."""

from __future__ import annotations

import dataclasses
import math
import shutil
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from finslm.answering.ranking import SHIPPED, Ranker
from finslm.audit import AuditLog
from finslm.audit.calls import CallRecorder, Versions
from finslm.config import ModelsSettings, RedactionSettings
from finslm.errors import (
    ConfigError,
    DeadlineExceeded,
    DetectorFailed,
    EngineUnavailable,
    InvalidOutput,
    InvalidRequest,
    UnknownAdapter,
)
from finslm.models.add import add
from finslm.models.approval import Approval
from finslm.models.registry import Registry
from finslm.pipeline import Pipeline
from finslm.questioning import Ranking
from finslm.redacting import Redacting
from finslm.rpc.errors import verdict_of
from finslm.tasks import TASKS
from finslm.telemetry.metrics import Metrics
from finslm.testing import EchoEngine
from finslm.types import AnswerResult, Call, ModelIdentity, Principal
from redaction import MemoryVault, Policy, RawText, Redactor
from redaction.errors import DetectionFailed
from redaction.ner.weights import default_models_dir

pytestmark = pytest.mark.model

QUESTION = "What was the change in revenue of Margaret Holloway from 2018 to 2019?"
DOCUMENT = """# Report on Margaret Holloway, amounts in EUR thousands

| | 2019 | 2018 |
|---|---|---|
| Revenue | 1,912.5 | (800.0) |
| Growth | 27.1% | — |
| Adviser | Margaret Holloway | Sigrid Thorvaldsen |

Wages are paid by Margaret Holloway from DE89 3704 0044 0532 0130 00. Rent was 12 on 3 March 2019.
"""
RANKER = ModelIdentity("qa", "3" * 64)
ENCODER = ModelIdentity("encoder", "4" * 64)


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor.from_policy()


@pytest.fixture
async def log(tmp_path):
    opened = AuditLog.open(tmp_path / "audit", origin="test/log", checkpoint_interval_s=60)
    yield opened
    await opened.close()


class Watched(EchoEngine):
    """Keeps what it was given to read."""

    texts: list[str]

    async def read(self, texts, **origin):
        self.texts = [text.value for text in texts]
        return await super().read(texts, **origin)


def ranking(threshold: float = -math.inf) -> Ranking:
    return Ranking(dataclasses.replace(Ranker.read(SHIPPED), threshold=threshold), RANKER, ENCODER)


async def make(redactor, log, engine=None, chosen: Ranking | None = None, **settings) -> Pipeline:
    await (engine := engine or EchoEngine()).start()
    metrics = Metrics(CollectorRegistry())
    recorder = CallRecorder(log, Versions("a" * 64, "b" * 64, engine.model), verdict_of)
    redacting = Redacting(redactor, RedactionSettings(**settings), metrics, MemoryVault())
    return Pipeline(redacting, TASKS, engine, recorder, lambda: (), metrics, ranking=chosen or ranking())


def call() -> Call:
    return Call(str(uuid.uuid4()), Principal("desk"), "InferenceService/Answer")


async def ask(pipeline: Pipeline, question: str = QUESTION, document: str = DOCUMENT) -> AnswerResult:
    return (await pipeline.answer(call(), question=RawText(question), document=RawText(document))).value


class TestAnswers:
    async def test_figures_survive_redaction_and_stand_where_it_says(self, redactor, log):
        """The program's figures and the evidence are pieces of the document as it was sent."""
        found = await ask(await make(redactor, log))
        assert (found.found, found.text, found.program) == (True, "2712.5 thousand", "subtract(#1, #2)")
        assert [DOCUMENT[each.start : each.end] for each in found.citations] == ["1,912.5", "(800.0)"]
        assert found.evidence[0].cited.text == "| Revenue | 1,912.5 | (800.0) |"
        for each in (*found.citations, *(each.cited for each in found.evidence)):
            assert DOCUMENT[each.start : each.end] == each.text
        assert 0 < found.evidence[-1].score <= found.evidence[0].score < 1
        assert (found.model, found.ranker) == (ENCODER, RANKER)

    async def test_what_reads_sees_the_same_placeholder_in_question_and_document(self, redactor, log):
        engine = Watched()
        await ask(await make(redactor, log, engine))
        asked, *own = engine.texts
        assert "of person1 from 2018" in asked
        assert sum("person1" in text for text in own) == 3
        assert not any("Holloway" in text or "DE89" in text for text in engine.texts)

    @pytest.mark.parametrize(
        ("question", "answer"),
        [
            ("Who was the adviser in 2018?", "Sigrid Thorvaldsen"),
            ("By whom are wages paid?", "Holloway from DE89 3704"),
        ],
    )
    async def test_values_come_back_to_the_caller(self, redactor, log, question, answer):
        found = await ask(await make(redactor, log), question)
        assert answer in found.text
        assert DOCUMENT[found.citations[0].start : found.citations[0].end] == found.values[0]

    async def test_what_is_not_there_has_neither_text_nor_evidence(self, redactor, log):
        found = await ask(await make(redactor, log, chosen=ranking(math.inf)))
        assert (found.found, found.text, found.evidence, found.abstention) == (False, "", (), "NOT_IN_DOCUMENT")

    async def test_a_value_over_the_edge_of_a_cell_takes_no_column_with_it(self, log):
        """Nor a row: the figures behind it stay under their years."""
        policy = Policy.parse("name: p\nextends: finance\ndeny: [{type: PROJECT, values: ['7 | 8']}]")
        document = "| | 2019 | 2018 | 2017 |\n|-|-|-|-|\n| Rent | 6 | 7 | 8 |\n| Wages | 7 | 8 | 9 |"
        found = await ask(await make(Redactor.from_policy(policy), log), "What were the wages in 2017?", document)
        assert (found.text, found.entity_counts) == ("9", {"PROJECT": 2})

    async def test_the_record_names_the_ranker_and_holds_no_text(self, redactor, log):
        pipeline, made = await make(redactor, log), call()
        answered = await pipeline.answer(made, question=RawText(QUESTION), document=RawText(DOCUMENT))
        intent, outcome = (record for _, record in log.find(made.request_id))
        assert (outcome.adapter_name, outcome.adapter_digest) == (RANKER.name, RANKER.digest)
        assert (outcome.model_name, outcome.model_digest) == (ENCODER.name, ENCODER.digest)
        assert (intent.abstained, outcome.abstained) == (None, False)
        assert (outcome.status, outcome.task, answered.receipt.index) == ("OK", "", 1)
        assert intent.input_chars == len(QUESTION) + 2 + len(DOCUMENT)
        assert outcome.output_chars == len(answered.value.text)
        assert outcome.entity_counts == answered.value.entity_counts == {"PERSON": 5, "IBAN_CODE": 1}
        assert b"Holloway" not in outcome.canonical() + intent.canonical()
        assert outcome.prompt_tokens == answered.value.usage.prompt_tokens > 0

    async def test_the_record_says_that_nothing_was_found(self, redactor, log):
        pipeline, made = await make(redactor, log, chosen=ranking(math.inf)), call()
        answered = await pipeline.answer(made, question=RawText(QUESTION), document=RawText(DOCUMENT))
        outcome = log.find(made.request_id)[-1][1]
        assert (answered.value.found, outcome.status, outcome.abstained) == (False, "OK", True)


class TestWhatComesBack:
    async def test_what_policy_forbids_is_masked_and_its_place_is_still_told(self, log):
        policy = Policy.parse("name: p\nextends: finance\nanswer: {forbid: [PERSON]}")
        found = await ask(await make(Redactor.from_policy(policy), log), "Who was the adviser in 2018?")
        assert found.text == found.citations[0].text == "[withheld]"
        assert DOCUMENT[found.citations[0].start : found.citations[0].end] == "Sigrid Thorvaldsen"

    async def test_what_policy_refuses_is_not_answered(self, log):
        policy = Policy.parse("name: p\nextends: finance\nanswer: {forbid: [PERSON], forbidden: refuse}")
        pipeline, made = await make(Redactor.from_policy(policy), log), call()
        with pytest.raises(InvalidOutput, match="withheld"):
            await pipeline.answer(made, question=RawText("Who was the adviser in 2018?"), document=RawText(DOCUMENT))
        outcome = log.find(made.request_id)[-1][1]
        assert outcome.answer_counts == {"forbidden.PERSON.refuse": 1}
        assert (outcome.status, outcome.abstained) == ("ABORTED", False)


class Broken(EchoEngine):
    """A model whose numbers overflow."""

    async def read(self, texts, **origin):
        states, tokens = await super().read(texts, **origin)
        return [dataclasses.replace(each, hidden=each.hidden * np.nan) for each in states], tokens


class TestRefusals:
    async def test_numbers_that_are_none_are_no_answer(self, redactor, log):
        with pytest.raises(EngineUnavailable, match="not finite"):
            await ask(await make(redactor, log, Broken()))

    async def test_who_no_longer_listens_is_not_answered(self, redactor, log):
        late = dataclasses.replace(call(), deadline=time.monotonic() - 1)
        pipeline = await make(redactor, log)
        with pytest.raises(DeadlineExceeded):
            await pipeline.answer(late, question=RawText(QUESTION), document=RawText(DOCUMENT))

    @pytest.mark.parametrize("rows", [62, 63, 64, 70])
    async def test_a_count_of_more_than_is_calculated_is_not_another_answer(self, redactor, log, rows):
        """Sixty-three figures are counted; of more there is none, and no figure of one row in its place."""
        table = "| | Balance |\n" + "".join(f"| Account {chr(65 + n // 26)}{n} | 2,{n:03} |\n" for n in range(rows))
        found = await ask(await make(redactor, log), "How many accounts have a balance above 1,000?", table)
        assert (found.found, found.text) == ((True, str(rows)) if rows < 64 else (False, ""))

    async def test_a_wide_table_is_refused_and_on_record(self, redactor, log):
        pipeline, made = await make(redactor, log), call()
        with pytest.raises(InvalidRequest, match="at most 256 cells"):
            await pipeline.answer(made, question=RawText(QUESTION), document=RawText("|a" * 9000 + "\n|b|"))
        assert [record.status for _, record in log.find(made.request_id)][-1] == "INVALID_ARGUMENT"

    async def test_without_a_ranker(self, redactor, log):
        await (engine := EchoEngine()).start()
        metrics = Metrics(CollectorRegistry())
        recorder = CallRecorder(log, Versions("a" * 64, "b" * 64, engine.model), verdict_of)
        redacting = Redacting(redactor, RedactionSettings(), metrics, MemoryVault())
        with pytest.raises(UnknownAdapter, match=r"engine\.ranker"):
            await ask(Pipeline(redacting, TASKS, engine, recorder, lambda: (), metrics))

    @pytest.mark.parametrize("document", ["|---|---|\n|---|---|", "A b. " * 1001])
    async def test_a_document_of_no_sentence_or_too_many(self, redactor, log, document):
        with pytest.raises(InvalidRequest, match="1 to 1000 sentences and rows") as refused:
            await ask(await make(redactor, log), document=document)
        assert [violation.field for violation in refused.value.violations] == ["document"]

    async def test_longer_than_the_policy_takes(self, log):
        policy = Policy.parse("name: p\nextends: finance\nmax_chars: 50")
        with pytest.raises(InvalidRequest) as refused:
            await ask(await make(Redactor.from_policy(policy), log))
        assert (refused.value.reason_override, refused.value.violations[0].field) == ("TEXT_TOO_LONG", "document")

    async def test_nothing_is_read_where_detection_fails(self, log):
        class Failing:
            name, version = "x", "1"

            def detect(self, text):
                raise DetectionFailed("detector x failed")

        engine = Watched()
        with pytest.raises(DetectorFailed):
            await ask(await make(Redactor(Policy.builtin(), [Failing()], [Failing()]), log, engine))
        assert not hasattr(engine, "texts")

    async def test_an_engine_that_fails_is_recorded(self, redactor, log):
        pipeline, made = await make(redactor, log, EchoEngine(failure=EngineUnavailable("down"))), call()
        with pytest.raises(EngineUnavailable):
            await pipeline.answer(made, question=RawText(QUESTION), document=RawText(DOCUMENT))
        assert [record.status for _, record in log.find(made.request_id)] == ["", "UNAVAILABLE"]


class TestTheShippedRanker:
    def test_it_is_pinned_and_has_its_card(self):
        """Its digest is checked whenever it is opened; its figures, data and licence are in the card."""
        registry = Registry(default_models_dir())
        ranker, encoder = registry.resolve("qa", verify=True), registry.resolve("all-minilm-l6-v2")
        assert {path.name for path in ranker.path.iterdir()} == {"README.md", "ranker.json"}
        card = (ranker.path / "README.md").read_text("utf-8")
        assert all(part in card for part in ("95 % interval", "CC BY 4.0", "Limits", "recall@3"))
        opened = Ranking.open(ranker, encoder)
        assert (opened.identity, opened.encoder) == (ranker.identity, encoder.identity)

    def test_a_changed_one_is_refused(self, tmp_path: Path):
        shutil.copytree(SHIPPED.parent, tmp_path / "qa")
        text = (tmp_path / "qa" / SHIPPED.name).read_text("utf-8")
        (tmp_path / "qa" / SHIPPED.name).write_text(text.replace('"threshold": -', '"threshold": '), "utf-8")
        with pytest.raises(ConfigError, match="pinned"):
            Registry(default_models_dir(), shipped=tmp_path).resolve("qa")

    def test_one_of_ones_own_comes_in_as_a_candidate(self, tmp_path: Path):
        """Sealed like an adapter, and not served before somebody approves it."""
        shutil.copytree(SHIPPED.parent, tmp_path / "mine")
        text = SHIPPED.read_text("utf-8").replace('"threshold": -', '"threshold": ')
        (tmp_path / "mine" / SHIPPED.name).write_text(text, "utf-8")
        registry = Registry(tmp_path / "models")
        own, new = add(registry, tmp_path / "mine", "qa", kind="ranker", licence="internal", attribution="Ours.")
        approval = Approval.open(ModelsSettings(dir=tmp_path / "models"))
        assert (new, own.kind, approval.stage(own)) == (True, "ranker", "candidate")
        assert approval.admit("qa").released == "pinned"
        with pytest.raises(ConfigError, match="only approved versions are served"):
            approval.admit(own.ref)

    def test_another_encoder_is_refused(self, tmp_path: Path):
        registry = Registry(default_models_dir())
        (tmp_path / "model.safetensors").write_bytes(b"others")
        other = dataclasses.replace(registry.resolve("all-minilm-l6-v2"), path=tmp_path)
        with pytest.raises(ConfigError, match=r"trained on weights 53aa51172d14…, but engine\.encoder has"):
            Ranking.open(registry.resolve("qa"), other)
