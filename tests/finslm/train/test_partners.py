"""An adapter trained to answer beside one that is there: its card, its figures, and what a resumed run makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from finslm.config import EngineSettings
from finslm.engine.adapters import AdapterCard, fingerprint
from finslm.errors import ConfigError
from finslm.evaluate.adapters import measure
from finslm.evaluate.data import load
from finslm.train.partners import Companion
from finslm.train.run import train
from finslm.train.teachers import Teacher


def quiet(*_: object) -> None:
    """No progress is looked at here."""


@pytest.fixture
def companion(make_recipe, data, tiny_encoder, tmp_path) -> Companion:
    report = train(make_recipe(name="first"), data, tiny_encoder, tmp_path / "first", progress=quiet, with_twin=False)
    return Companion("first", Teacher(report.folder, tiny_encoder), 0.5)


def test_both_are_scored_and_the_card_names_the_very_version(make_recipe, data, tiny_encoder, tmp_path, companion):
    """Figures are of both together, those of its own answer stand beside; the same as it is then served."""
    recipe = make_recipe(seed=11, partner={"adapter": "first"})
    given = {"progress": quiet, "with_twin": False, "companion": companion}
    report = train(recipe, data, tiny_encoder, tmp_path / "run", **given)
    partner = AdapterCard.read(report.folder).partner
    assert partner is not None
    assert (partner.adapter, partner.sha256, partner.weight) == ("first", companion.adapter.digest, 0.5)
    facts = report.facts["partner"]
    assert facts["temperature"] == partner.temperature > 0
    card = (report.folder / "README.md").read_text()
    assert f"answers together with first (SHA-256 `{partner.sha256}`)" in card
    assert f"| its own answer alone | {facts['alone']['accuracy']:.4f}" in card
    dataset = load(recipe.data, data, recipe.seed)
    settings = EngineSettings.model_validate({"runner": "torch", "weights": "float32", "threads": 1})
    pair = companion.adapter.folder, companion.adapter.base_dir
    served = measure(report.folder, tiny_encoder, dataset, settings, partner=pair)
    assert served.as_they_are.scores.accuracy == report.adapter.scores.accuracy
    assert served.as_they_are.calibration_error == pytest.approx(report.adapter.calibration_error, abs=1e-3)
    with pytest.raises(ConfigError, match="another version"):
        measure(report.folder, tiny_encoder, dataset, settings, partner=(report.folder, tiny_encoder))
    with pytest.raises(ConfigError, match="another version"):
        measure(report.folder, tiny_encoder, dataset, settings)


def test_a_finished_run_can_be_given_a_partner(make_recipe, data, tiny_encoder, tmp_path, companion):
    """It changes nothing of the weights: resumed at its end, nothing is trained."""
    alone = train(make_recipe(seed=11), data, tiny_encoder, tmp_path / "run", progress=quiet, with_twin=False)
    weights = (alone.folder / "adapter_model.safetensors").read_bytes()
    before = fingerprint(alone.folder)
    steps: list[int] = []
    given = {"progress": lambda step, *_: steps.append(step), "with_twin": False}
    given["companion"] = replace(companion, weight=0.3)
    recipe = make_recipe(seed=11, partner={"adapter": "first", "weight": 0.3})
    joined = train(recipe, data, tiny_encoder, tmp_path / "run", resume=True, **given)
    assert steps == []
    assert (joined.folder / "adapter_model.safetensors").read_bytes() == weights
    assert fingerprint(joined.folder) != before
    assert joined.facts["partner"]["weight"] == 0.3
    assert np.isclose(joined.facts["partner"]["alone"]["accuracy"], alone.adapter.scores.accuracy)


def test_no_partner_with_a_guarantee(make_recipe):
    """It may have seen the rows."""
    with pytest.raises(ValueError, match="partner may have seen"):
        make_recipe(privacy={"epsilon": 8.0, "delta": 1e-3}, partner={"adapter": "x"})
