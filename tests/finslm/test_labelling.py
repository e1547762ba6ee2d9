"""Labels of the request: what a model prefers anyway is taken away, once for each prompt, labels and tenant."""

from __future__ import annotations

import asyncio
import csv
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finslm import labelling
from finslm.config import EngineSettings
from finslm.engine.labels import normalised
from finslm.engine.local import LocalEngine
from finslm.errors import EngineUnavailable
from finslm.labelling import CONTENT_FREE, Labelling
from finslm.models.registry import Registry
from finslm.tasks import TASKS
from finslm.testing import EchoEngine
from finslm.types import Call, LabelScore, Principal, Prompt
from redaction.ner.weights import default_models_dir
from redaction.text import RedactedText

TASK = replace(TASKS.get("choose_label"), temperature=1.0)
LABELS = [RedactedText(label) for label in ("fee", "card", "loan")]
TEXT = RedactedText("What does the card cost?")


class Biased(EchoEngine):
    """Prefers some labels whatever it reads, and adds a little for what the text says."""

    def __init__(self, prefers: Mapping[str, float], says: Mapping[str, float]) -> None:
        super().__init__()
        self.prefers, self.says = prefers, says
        self.asked: list[tuple[str, str]] = []

    async def score(
        self, prompt: Prompt, labels: Sequence[RedactedText], **origin: Any
    ) -> tuple[Sequence[LabelScore], int]:
        await super().score(prompt, labels, **origin)  # refuses as any engine does
        text = prompt.messages[-1].text
        self.asked.append((text.value, origin["tenant"]))
        says = {} if text in CONTENT_FREE else self.says
        return normalised({t.value: self.prefers[t.value] + says.get(t.value, 0.0) for t in labels}), 17


def call(tenant: str = "a") -> Call:
    return Call(str(uuid.uuid4()), Principal("desk", tenant), "InferenceService/Classify")


@pytest.fixture
async def engine() -> Biased:
    made = Biased({"fee": -1.0, "card": -900.0, "loan": -5.0}, {"card": 2.0, "loan": 1.0})
    await made.start()
    return made


async def test_what_the_model_prefers_anyway_is_taken_away(engine: Biased) -> None:
    """Also where a label is so unlikely that its probability is no number any more."""
    scores, tokens = await Labelling(engine).score(call(), TASK, TEXT, LABELS)
    whole = math.exp(2) + math.exp(1) + 1
    assert [s.label for s in scores] == ["card", "loan", "fee"]
    assert [s.score for s in scores] == pytest.approx([math.exp(2) / whole, math.exp(1) / whole, 1 / whole])
    assert tokens == 17


async def test_the_temperature_of_the_task_flattens_and_changes_no_order(engine: Biased) -> None:
    scores, _ = await Labelling(engine).score(call(), replace(TASK, temperature=2.0), TEXT, LABELS)
    whole = math.exp(1) + math.exp(0.5) + 1
    assert [(s.label, s.score) for s in scores] == [
        ("card", pytest.approx(math.exp(1) / whole)),
        ("loan", pytest.approx(math.exp(0.5) / whole)),
        ("fee", pytest.approx(1 / whole)),
    ]


async def test_a_prior_is_measured_once_whatever_the_order_of_the_labels(engine: Biased) -> None:
    made = Labelling(engine)
    first, _ = await made.score(call(), TASK, TEXT, LABELS)
    assert [text for text, _ in engine.asked] == [TEXT.value, *(text.value for text in CONTENT_FREE)]
    again, _ = await made.score(call(), TASK, TEXT, LABELS[::-1])
    assert again == first
    assert len(engine.asked) == 1 + len(CONTENT_FREE) + 1


async def test_no_tenant_gains_from_what_another_asked(engine: Biased) -> None:
    made = Labelling(engine)
    for tenant in ("a", "b"):
        await made.score(call(tenant), TASK, TEXT, LABELS)
    assert [tenant for _, tenant in engine.asked] == ["a"] * 4 + ["b"] * 4


async def test_other_labels_have_another_prior(engine: Biased) -> None:
    made = Labelling(engine)
    await made.score(call(), TASK, TEXT, LABELS)
    scores, _ = await made.score(call(), TASK, TEXT, LABELS[:2])
    assert len(engine.asked) == 8
    assert [s.score for s in scores] == pytest.approx([math.exp(2) / (math.exp(2) + 1), 1 / (math.exp(2) + 1)])


async def test_priors_are_bounded_and_the_longest_unused_goes(engine: Biased, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelling, "MAX_PRIORS", 2)
    made = Labelling(engine)
    for tenant in ("a", "b", "a", "c"):
        await made.score(call(tenant), TASK, TEXT, LABELS)
    engine.asked.clear()
    for tenant in ("a", "c"):
        await made.score(call(tenant), TASK, TEXT, LABELS)
    assert len(engine.asked) == 2
    await made.score(call("b"), TASK, TEXT, LABELS)
    assert len(engine.asked) == 2 + 4
    assert len(made._priors) == 2


async def test_a_prior_that_could_not_be_measured_fails_the_call_and_is_not_kept(engine: Biased) -> None:
    made = Labelling(engine)
    engine._failure = EngineUnavailable("down")
    with pytest.raises(EngineUnavailable):
        await made.score(call(), TASK, TEXT, LABELS)
    engine._failure = None
    assert len((await made.score(call(), TASK, TEXT, LABELS))[0]) == 3


async def test_no_text_is_kept(engine: Biased) -> None:
    made = Labelling(engine)
    await made.score(call(), TASK, TEXT, LABELS)
    assert "fee" not in repr(vars(made)["_priors"])


@pytest.mark.model
async def test_calibrated_scores_choose_better_on_published_rows(shared_data: Path) -> None:
    """Of some intents of BANKING77, through the served model; the figures of more rows are in docs/engine.md."""
    intents = ("card_arrival", "lost_or_stolen_card", "exchange_rate", "top_up_failed")
    with (shared_data / "banking77" / "test.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["category"] in intents][::8]
    labels = [RedactedText(intent.replace("_", " ")) for intent in intents]
    base = Registry(default_models_dir()).resolve("smollm2-135m-instruct")
    engine = LocalEngine(base.path, base.identity, {}, EngineSettings())
    await engine.start()
    made, task = Labelling(engine), TASKS.get("choose_label")
    texts = [RedactedText(row["text"]) for row in rows]
    try:
        raw = await asyncio.gather(*(engine.score(task.render(text), labels) for text in texts))
        calibrated = await asyncio.gather(*(made.score(call(), task, text, labels) for text in texts))
    finally:
        await engine.close()
    truth = [row["category"].replace("_", " ") for row in rows]
    hits = [
        sum(scores[0].label == right for (scores, _), right in zip(found, truth, strict=True))
        for found in (raw, calibrated)
    ]
    assert hits[1] > hits[0], f"{hits} of {len(rows)}"
    assert hits[1] / len(rows) > 0.7, f"{hits} of {len(rows)}"
