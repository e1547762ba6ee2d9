"""Recipes, presets and schedules."""

from __future__ import annotations

import pytest
import yaml

from finslm.errors import ConfigError
from finslm.train.pretraining import recipe as recipes
from finslm.train.pretraining.network import new_network
from finslm.train.pretraining.presets import PRESETS, preset
from finslm.train.pretraining.recipe import PretrainingRecipe
from finslm.train.pretraining.schedule import rate


class TestPresets:
    @pytest.mark.parametrize("name", PRESETS)
    def test_the_name_says_the_size(self, name):
        """Within a twentieth, with the preset's own vocabulary; queries share keys in every one."""
        chosen = PRESETS[name]
        nominal = float(name.removesuffix("m")) * 1e6
        assert abs(chosen.parameters() / nominal - 1) < 0.05
        assert chosen.groups < chosen.heads
        assert chosen.heads % chosen.groups == 0
        assert (chosen.hidden // chosen.heads) % 32 == 0

    def test_the_count_is_that_of_the_network(self):
        """The formula and the real thing."""
        network = new_network("3m", 500, 64, seed=1)
        assert sum(p.numel() for p in network.parameters()) == preset("3m").parameters(500)

    def test_an_unknown_preset_lists_the_known(self):
        """So a typo is found at once."""
        with pytest.raises(ConfigError, match="no preset '2m'; known: 1m, 3m"):
            preset("2m")


class TestRecipe:
    @pytest.mark.parametrize("name", recipes.shipped())
    def test_shipped_recipes_can_be_read(self, name):
        """Each is called what its file is called."""
        assert recipes.read(name).name == name

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"preset": None}, "one of preset"),
            ({"base_model": "b"}, "one of preset"),
            ({"preset": "2m"}, "no preset"),
            ({"preset": None, "base_model": "b"}, "keeps its own tokenizer"),
            ({"preset": None, "base_model": "b", "tokenizer": {}}, "learning_rate is wanted"),
            ({"windw": 1}, "windw"),
            ({"training": {"tokens": 0, "window": 16, "batch_windows": 1}}, "training.tokens"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, settings, tmp_path, change, why):
        """With the name of the field."""
        file = tmp_path / "r.yaml"
        file.write_text(yaml.safe_dump(settings | change))
        with pytest.raises(ConfigError, match=why):
            recipes.read(str(file))

    def test_an_unknown_recipe_lists_the_shipped(self):
        """So a typo is found at once."""
        with pytest.raises(ConfigError, match="finance-10m"):
            recipes.read("finance-11m")


class TestSchedule:
    @pytest.mark.parametrize("schedule", ["cosine", "wsd"])
    def test_up_and_down(self, schedule):
        """A warm-up to the peak, never above it, down to the final share."""
        how = PretrainingRecipe(tokens=1, window=16, batch_windows=1, schedule=schedule, warmup_share=0.1)
        rates = [rate(how, step, 200) for step in range(200)]
        assert rates[:20] == sorted(rates[:20])
        assert max(rates) == 1.0
        assert rates[20:] == sorted(rates[20:], reverse=True)
        assert rates[-1] == pytest.approx(0.1, abs=0.03)

    def test_wsd_stays_level_in_between(self):
        """So that the same run can be taken further from there."""
        how = PretrainingRecipe(tokens=1, window=16, batch_windows=1, schedule="wsd", warmup_share=0.1)
        assert {rate(how, step, 200) for step in range(20, 160)} == {1.0}

    def test_a_single_step_has_a_rate(self):
        """The shortest run there is."""
        how = PretrainingRecipe(tokens=1, window=16, batch_windows=1, warmup_share=0.0)
        assert rate(how, 0, 1) == 1.0
