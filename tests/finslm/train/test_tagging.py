"""A tagging run: the same seed gives the same adapter, and one that was interrupted ends the same."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from finslm.engine.adapters import AdapterCard
from finslm.errors import ConfigError
from finslm.testing import write_tiny_encoder
from finslm.train import tagging_recipe
from finslm.train.documents.dataset import DocumentSet, Row
from finslm.train.tagging import LABELS, TaggingRun
from finslm.train.tagging_run import finish

TEXTS = (
    ("pay 5 to ann", ((4, 5, "amount"), (9, 12, "beneficiary"))),
    ("ann gets 17 for rent", ((0, 3, "beneficiary"), (9, 11, "amount"), (16, 20, "reference"))),
    ("to bob: 250, ref x1", ((3, 6, "beneficiary"), (8, 11, "amount"), (17, 19, "reference"))),
)
ROWS = [Row("payment", "s", text, spans, text, spans, {}) for text, spans in TEXTS * 6]
NEW = (("kim owes zoe 998", ((9, 12, "beneficiary"), (13, 16, "amount"))), ("9 is 8, not 7", ((0, 1, "amount"),)))
UNSEEN = [Row("payment", "s", text, spans, text, spans, {}) for text, spans in NEW * 5]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def recipe() -> tagging_recipe.TaggingRecipe:
    shipped = tagging_recipe.read("extract-payment")
    training = shipped.training.model_copy(update={"epochs": 2, "batch_size": 6, "max_tokens": 32, "overlap": 8})
    return shipped.model_copy(update={"training": training})


def run(recipe: tagging_recipe.TaggingRecipe, base: Path, out: Path) -> TaggingRun:
    return TaggingRun(recipe, DocumentSet(ROWS, ROWS[:3], ROWS[:3], UNSEEN, {}), base, out, workers=2)


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()


def test_resumed_and_repeated_runs_end_the_same(recipe, base: Path, tmp_path: Path) -> None:
    whole = run(recipe, base, tmp_path / "whole")
    steps: list[int] = []
    whole.train(lambda step, steps_, loss: steps.append(step))
    assert steps == list(range(1, whole.steps + 1))
    assert whole.history[1]["train_loss"] < whole.history[0]["train_loss"]
    assert whole.history[1]["dev_loss"] < whole.history[0]["dev_loss"], "what is kept has learned too"

    class Stopped(Exception):
        pass

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 5:  # within the second epoch
            raise Stopped

    cut = run(recipe, base, tmp_path / "cut")
    with pytest.raises(Stopped):
        cut.train(stop)
    resumed = run(recipe, base, tmp_path / "cut")
    resumed.train(lambda *_: None, resume=True)
    folder = whole.save()
    assert digest(folder) == digest(resumed.save())
    report = finish(whole, folder)
    card = AdapterCard.read(folder)
    assert (card.labels, card.form, card.temperature) == (LABELS, "tag", report["temperature"])
    assert report["test"]["raw"]["fields"] >= 8
    attack = report["audit"]["membership"]["loss_threshold"]
    assert (attack["members"], attack["others"]) == (18, 10)
    assert attack["auc"] > 0.6, "what was read twice is told from what was not"
    assert "exact by field" in (folder / "README.md").read_text()


def test_another_recipe_does_not_go_on(recipe, base: Path, tmp_path: Path) -> None:
    run(recipe, base, tmp_path).train(lambda *_: None)
    other = recipe.model_copy(update={"seed": 8})
    with pytest.raises(ConfigError, match="another recipe"):
        run(other, base, tmp_path).train(lambda *_: None, resume=True)


def test_rows_carry_their_own_spans() -> None:
    row = dataclasses.replace(ROWS[0], text="redacted", spans=())
    assert row.unredacted.text == row.raw
    assert row.unredacted.spans == row.raw_spans


@pytest.mark.parametrize("text", ["head: tag\nname: x", "head: tag\nodd: 1", "head: [", ""])
def test_a_recipe_that_is_not_whole_is_refused(tmp_path: Path, text: str) -> None:
    (file := tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ConfigError):
        tagging_recipe.read(str(file))
