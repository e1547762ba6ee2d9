"""Exposure and membership inference: by hand, and with a model that surely remembers and one that surely does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from finslm.engine.classifier import pad
from finslm.evaluate.data import Dataset
from finslm.evaluate.datasets import DATASETS
from finslm.train.finetune import Run
from finslm.train.privacy import exposure, membership
from finslm.train.privacy.audit import audit
from finslm.train.privacy.language import log_perplexities


class TestExposure:
    def test_bits_by_hand(self):
        """Seven others: first of eight is 3 bits, behind three of them 1, behind all none."""
        reference = np.array([1.0, 2, 3, 4, 5, 6, 7])
        assert exposure.exposure(np.array([0.5, 3.5, 9.0]), reference).tolist() == pytest.approx([3, 1, 0])

    def test_a_model_that_says_the_same_of_all_exposes_nothing(self):
        """Ties rank behind."""
        assert exposure.exposure(np.array([1.0]), np.ones(7)).tolist() == [0]

    def test_random_losses_have_what_theory_says(self):
        """1 / ln 2 bits on average."""
        chance = np.random.default_rng(0)
        bits = exposure.exposure(chance.random(20000), chance.random(4095))
        assert bits.mean() == pytest.approx(exposure.UNTRAINED_BITS, abs=0.05)

    def test_canaries_are_the_same_again_and_all_different(self):
        """By the seed."""
        one, other = (exposure.make(["a", "b"], (1, 4), 3, 50, 7) for _ in range(2))
        assert one == other
        assert len(one.rows) == 3 * 1 + 3 * 4
        texts = [row.text for rows in one.planted.values() for row in rows] + [row.text for row in one.reference]
        assert len({*texts}) == 3 * 2 + 50
        assert exposure.make(["a", "b"], (1, 4), 3, 50, 8) != one


class TestMembership:
    def test_figures_by_hand(self):
        """Of 2 members one is above both others, one between: 3 of 4 pairs are right."""
        found = membership.attack(np.array([4.0, 2.0]), np.array([3.0, 1.0]))
        assert (found.auc, found.advantage) == (0.75, 0.5)
        assert found.found_at_1_percent == 0.5
        assert found.auc_low <= found.auc <= found.auc_high

    def test_ties_are_guesses(self):
        """All the same: .5, and nobody found."""
        found = membership.attack(np.ones(5), np.ones(7))
        assert (found.auc, found.advantage, found.found_at_1_percent) == (0.5, 0, 0)

    def test_found_at_few_false_alarms(self):
        """One false alarm of 100 is allowed at 1 %, none at .1 %."""
        found = membership.attack(np.array([98.5, 99.5, 0.5, 0.5]), np.arange(100.0))
        assert (found.found_at_1_percent, found.found_at_01_percent) == (0.5, 0.25)


@pytest.fixture
def nonsense() -> Dataset:
    """Texts of no language with labels by chance: who knows them has remembered them."""
    rows = exposure.make(["a", "b", "c"], (1,), 1, 120, 3).reference
    return Dataset(
        train=rows[:48],
        dev=rows[48:60],
        test=rows[60:],
        labels=("a", "b", "c"),
        file_sha256={},
        overlap=0,
        seen=frozenset(),
        sources=(DATASETS.get("csv"),),
        origins={"train": (0,) * 48, "dev": (0,) * 12, "test": (0,) * 60},
    )


class TestAudit:
    def run(self, make_recipe, nonsense, tiny_encoder, out, epochs: int) -> Run:
        recipe = make_recipe(
            training={
                "epochs": epochs,
                "dropout": 0.0,
                "batch_size": 8,
                "warmup_share": 0.0,
                "weight_decay": 0.0,
                "label_smoothing": 0.0,
                "pooled_length": None,
            },
            lora={"rank": 16, "targets": ["query", "key", "value", "dense"]},
            data={"labels": ["a", "b", "c"]},
            audit={"repeats": [8], "canaries": 6, "reference": 127},
        )
        return Run(recipe, nonsense, tiny_encoder, out)

    def test_an_overfitted_model_is_found_out(self, make_recipe, nonsense, tiny_encoder, tmp_path):
        """Members told from others, planted texts far above the control."""
        run = self.run(make_recipe, nonsense, tiny_encoder, tmp_path, 15)
        run.train(lambda *_: None)
        run.save()
        found = audit(run, lambda *_: None, with_twin=True, resume=False)
        assert found.threshold.auc > 0.9
        assert found.threshold.auc_low > 0.8
        assert found.calibrated is not None
        assert found.calibrated.auc_low > 0.5
        control, planted = found.exposures
        assert (control.times, planted.times) == (0, 8)
        assert planted.mean > control.mean + 1
        assert planted.mean > 3
        assert found.as_dict()["twin_rows"] == 24

    def test_an_untrained_model_is_not(self, make_recipe, nonsense, tiny_encoder, tmp_path):
        """Near .5, and the interval says so."""
        run = self.run(make_recipe, nonsense, tiny_encoder, tmp_path, 1)
        found = audit(run, lambda *_: None, with_twin=False, resume=False)
        assert found.calibrated is None
        assert not found.exposures
        assert found.threshold.auc_low < 0.5 < found.threshold.auc_high

    def test_a_twin_that_was_interrupted_goes_on(self, make_recipe, nonsense, tiny_encoder, tmp_path):
        """And ends as one that was not."""
        whole = audit(
            self.run(make_recipe, nonsense, tiny_encoder, tmp_path / "whole", 2),
            lambda *_: None,
            with_twin=True,
            resume=False,
        )

        class Stop(Exception):
            pass

        def stop(step: int, steps: int, loss: float) -> None:
            if step == steps - 1:
                raise Stop

        run = self.run(make_recipe, nonsense, tiny_encoder, tmp_path / "parts", 2)
        run.checkpoint_s = 0.0
        with pytest.raises(Stop):
            audit(run, stop, with_twin=True, resume=False)
        again = self.run(make_recipe, nonsense, tiny_encoder, tmp_path / "parts", 2)
        steps: list[int] = []
        found = audit(again, lambda step, *_: steps.append(step), with_twin=True, resume=True)
        assert steps[0] > 1
        assert found == whole


def test_a_language_model_that_learned_texts_by_heart_exposes_them(tiny_decoder):
    """Log-perplexity takes the place of the loss: the same ranks, the same bits."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    canaries = exposure.make([""], (1,), 4, 31, 5)
    tokenizer = AutoTokenizer.from_pretrained(tiny_decoder)
    planted, reference = (
        [tokenizer.encode(row.text, add_special_tokens=False) for row in rows]
        for rows in (canaries.planted[1], canaries.reference)
    )
    model = AutoModelForCausalLM.from_pretrained(tiny_decoder, dtype=torch.float32)

    def bits() -> float:
        losses = [log_perplexities(model, rows, 0) for rows in (planted, reference)]
        return float(exposure.exposure(*losses).mean())

    assert bits() < 4
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    ids, mask = pad(planted, 0)
    for _ in range(30):
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss.backward()
        optimizer.step()
    assert bits() == 5
