"""DP-SGD: each row's gradient is its own, clipped and noised as the accountant was told; a resumed run is the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from finslm.engine.adapters import fingerprint
from finslm.errors import ConfigError
from finslm.evaluate.data import load
from finslm.train.calibration import fit_temperature, private_temperature
from finslm.train.finetune import Run
from finslm.train.privacy.accounting import NoisePlan, plan, spent
from finslm.train.privacy.gradients import PrivateGradient
from finslm.train.privacy.noise import KeyedStream
from finslm.train.run import train
from finslm.train.stepping import PrivateSteps

STILL = NoisePlan(1, 1e-5, 0.0, 0.1, 1, 1e9)
"""No noise, no clipping, one row expected of ten."""
PRIVATE = {"epsilon": 8.0, "delta": 1e-3, "noise": "seeded"}


class TestNoise:
    def test_the_stream_is_chacha20(self):
        """First word of the key stream of a zero key and nonce: RFC 8439, appendix A.1, test vector 1."""
        words = KeyedStream(bytes(32)).uniform("rows", 0, 2)
        first = int.from_bytes(bytes.fromhex("76b8e0ada0f13d90"), "little") >> 11
        assert words[0] == (first + 0.5) * 2.0**-53

    def test_it_is_normal_and_other_for_each_step_and_key(self):
        """Mean, deviation and tails."""
        stream = KeyedStream.seeded(1)
        drawn = stream.normal(3, 200_000)
        assert abs(drawn.mean()) < 0.01
        assert abs(drawn.std() - 1) < 0.01
        assert abs((np.abs(drawn) > 1.96).mean() - 0.05) < 0.003
        assert np.array_equal(drawn, KeyedStream.seeded(1).normal(3, 200_000))
        assert abs(np.corrcoef(drawn, stream.normal(4, 200_000))[0, 1]) < 0.01
        assert abs(np.corrcoef(drawn, KeyedStream.secret().normal(3, 200_000))[0, 1]) < 0.01

    def test_rows_are_drawn_independently(self):
        """Sizes of the draws are binomial, not all the same; every row has its turn."""
        stream = KeyedStream.seeded(2)
        drawn = [stream.sample(step, 1000, 0.05) for step in range(400)]
        sizes = np.array([len(rows) for rows in drawn])
        assert abs(sizes.mean() - 50) < 1.5
        assert abs(sizes.var() - 47.5) < 12
        counts = np.bincount(np.concatenate(drawn), minlength=1000)
        assert counts.min() > 0
        assert abs(counts.var() - 19) < 4


class TestAccountant:
    def test_published_figures(self):
        """Abadi et al. 2016, 3.2: q .01, sigma 4, 10,000 steps, delta 1e-5 give 1.26 by moments; this is tighter."""
        assert 0.9 < spent(4.0, 0.01, 10_000, 1e-5) < 1.26

    def test_a_full_batch_is_the_gaussian_mechanism(self):
        """One step on all rows: epsilon as Balle & Wang 2018 (arXiv:1805.06530), theorem 8, have it exactly."""
        from scipy.stats import norm

        sigma, delta = 1.0, 1e-5

        def reached(e: float) -> float:
            cdf = norm.cdf
            return float(cdf(0.5 / sigma - e * sigma) - np.exp(e) * cdf(-0.5 / sigma - e * sigma))

        epsilons = np.linspace(3, 6, 3001)
        exact = epsilons[np.argmax([reached(e) <= delta for e in epsilons])]
        assert spent(sigma, 1.0, 1, delta) == pytest.approx(exact, abs=0.02)

    def test_the_plan_keeps_within_what_was_asked(self):
        """And not by much less; smaller epsilon, more noise."""
        loose, tight = (plan(e, 1e-5, 1.0, rows=5000, batch=100, steps=100) for e in (8.0, 1.0))
        assert 7.9 < loose.epsilon <= 8.0
        assert 0.98 < tight.epsilon <= 1.0
        assert tight.noise_multiplier > loose.noise_multiplier

    def test_nothing_costs_nothing(self):
        """No step, no epsilon."""
        assert spent(1.0, 0.1, 0, 1e-5) == 0

    def test_what_guarantees_nothing_is_refused(self):
        """A delta that allows to publish a row; a batch of more rows than there are."""
        with pytest.raises(ConfigError, match="not below 1 / 100"):
            plan(1, 0.01, 1.0, rows=100, batch=10, steps=10)
        with pytest.raises(ConfigError, match="more than the 100"):
            plan(1, 0.001, 1.0, rows=100, batch=200, steps=10)


def private_run(make_recipe, data, base, out, *, privacy=PRIVATE, training=(), lora=(), **more) -> Run:
    recipe = make_recipe(privacy=privacy, training={"dropout": 0.0, **dict(training)}, lora=dict(lora))
    return Run(recipe, load(recipe.data, data, recipe.seed), base, out, **more)


class TestGradients:
    @pytest.mark.parametrize("base", ["tiny_encoder", "tiny_decoder"])
    def test_they_are_each_rows_own(self, request, make_recipe, data, tmp_path, base):
        """Without noise: the mean of gradients that were computed and clipped one row at a time, padding and all."""
        targets = {"tiny_encoder": ["query", "dense"], "tiny_decoder": ["q_proj", "down_proj"]}[base]
        run = private_run(
            make_recipe, data, request.getfixturevalue(base), tmp_path, lora={"targets": targets, "rank": 2}
        )
        parameters = [p for p in run.model.parameters() if p.requires_grad]
        torch.manual_seed(5)
        for p in parameters:
            nn.init.normal_(p, std=0.2)
        rows = [run.rows["train"][i] for i in (0, 1, 2, 40, 41)]
        clip, wanted = 0.5, [torch.zeros_like(p) for p in parameters]
        norms = []
        run.model.train()
        for row in rows:
            run.model.zero_grad()
            run._losses([row])[0].sum().backward()
            norms.append(float(torch.sqrt(sum((p.grad**2).sum() for p in parameters))))
            for total, p in zip(wanted, parameters, strict=True):
                total += p.grad * min(1, clip / norms[-1])
        assert max(norms) > clip
        run.model.zero_grad()
        still = NoisePlan(1, 1e-5, 0.0, 0.1, 1, clip)
        private = PrivateGradient(run.model, still, KeyedStream.seeded(0), rows=100)
        private.add(run._losses(rows[:3])[0])
        private.add(run._losses(rows[3:])[0])
        private.finish(0)
        exact = base == "tiny_encoder"
        for total, p in zip(wanted, parameters, strict=True):
            torch.testing.assert_close(p.grad, total / 10, rtol=1e-3 if exact else 0.1, atol=1e-5 if exact else 2e-3)

    def test_the_noise_has_its_size(self, make_recipe, data, tiny_encoder, tmp_path):
        """A step without rows is noise alone: multiplier times clip over the rows expected."""
        run = private_run(make_recipe, data, tiny_encoder, tmp_path)
        private = PrivateGradient(run.model, NoisePlan(1, 1e-5, 3.0, 0.1, 1, 2.0), KeyedStream.seeded(0), rows=100)
        private.finish(0)
        drawn = torch.cat([p.grad.flatten() for p in run.model.parameters() if p.requires_grad])
        assert float(drawn.std()) == pytest.approx(3.0 * 2.0 / 10, rel=0.1)
        private.close()

    def test_a_parameter_without_own_gradients_is_refused(self):
        """Rather than trained without a guarantee: a layer that takes no part."""

        class Idle(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer, self.idle = nn.Linear(2, 1), nn.Linear(2, 1)

            def forward(self, x):
                return self.layer(x)[:, 0]

        model = Idle()
        private = PrivateGradient(model, STILL, KeyedStream.seeded(0), rows=10)
        with pytest.raises(ConfigError, match="takes no part"):
            private.add(model(torch.ones(3, 2)))

    def test_a_parameter_beside_layers_has_its_own(self):
        """Opacus computes it another way; the sum over rows is the same."""

        class Scaled(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer, self.scale = nn.Linear(2, 1), nn.Parameter(torch.ones(()))

            def forward(self, x):
                return (self.layer(x) * self.scale)[:, 0]

        model, rows = Scaled(), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        private = PrivateGradient(model, STILL, KeyedStream.seeded(0), rows=10)
        private.add(model(rows))
        private.finish(0)
        assert model.layer.weight.grad.tolist() == [[4, 6]]
        assert float(model.scale.grad) == pytest.approx(float(model.layer(rows).detach().sum()))


class TestRun:
    def test_it_learns_with_little_noise(self, make_recipe, data, tiny_encoder, tmp_path):
        """At an epsilon that no bank would sign: accuracy, and the plan's steps are those that were done."""
        privacy = {**PRIVATE, "epsilon": 30.0}
        run = private_run(make_recipe, data, tiny_encoder, tmp_path, privacy=privacy, training={"epochs": 4})
        seen: list[int] = []
        run.train(lambda step, *_: seen.append(step))
        assert run.plan is not None
        assert len(seen) == run.steps == run.plan.steps
        logits, truth = run.logits("test")
        assert float((logits.argmax(-1) == truth).float().mean()) > 0.8

    def test_a_resumed_run_is_the_same_and_has_spent_the_same(self, make_recipe, data, tiny_encoder, tmp_path):
        """The key of the noise and the accountant's state are in the checkpoint: with a secret key too."""
        secret = {**PRIVATE, "noise": "secret"}
        dropout = {"dropout": 0.1}
        first = private_run(
            make_recipe, data, tiny_encoder, tmp_path / "run", privacy=secret, training=dropout, checkpoint_s=0.0
        )

        class Stop(Exception):
            pass

        def stop(step: int, steps: int, loss: float) -> None:
            if step == steps // 2 + 2:
                raise Stop

        with pytest.raises(Stop):
            first.train(stop)
        key = first.stepper.stream.key
        whole = private_run(make_recipe, data, tiny_encoder, tmp_path / "whole", privacy=secret, training=dropout)
        assert whole.stepper.stream.key != key
        whole.stepper.stream.key = key
        whole.train(lambda *_: None)
        state = torch.load(tmp_path / "run" / "checkpoint", weights_only=True)
        done = state["epoch"] * first.stepper.steps_an_epoch + state["step"]
        assert first.plan is not None
        assert 0 < state["epsilon_spent"] < first.plan.epsilon
        assert state["epsilon_spent"] == pytest.approx(
            spent(first.plan.noise_multiplier, first.plan.sample_rate, done, first.plan.delta)
        )
        second = private_run(make_recipe, data, tiny_encoder, tmp_path / "run", privacy=secret, training=dropout)
        second.train(lambda *_: None, resume=True)
        assert fingerprint(whole.save()) == fingerprint(second.save())
        assert (tmp_path / "run" / "checkpoint").stat().st_mode & 0o077 == 0
        second.forget()
        assert not second.checkpoint.exists

    def test_epsilon_is_in_the_card_and_the_metrics(self, make_recipe, data, tiny_encoder, tmp_path):
        """As reached, with delta; and the key of the noise is nowhere any more."""
        recipe = make_recipe(
            privacy={**PRIVATE, "noise": "secret"}, training={"dropout": 0.0, "epochs": 1}, audit={"rows": 20}
        )
        out = tmp_path / "run"
        report = train(recipe, data, tiny_encoder, out, progress=lambda *_: None, threads=1)
        told = json.loads((out / "metrics.json").read_text())["privacy"]
        assert 7.9 < told["epsilon"] <= 8
        assert told["delta"] == 1e-3
        card = (report.folder / "README.md").read_text()
        assert f"epsilon {told['epsilon']:.2f} at delta 0.001" in card
        assert "area under ROC" in card
        assert "never (control)" in card
        assert not list(out.rglob("checkpoint*"))


class TestRecipe:
    @pytest.mark.parametrize(
        ("parts", "why"),
        [
            ({"training": {"head_start": "linear"}}, "without noise"),
            ({"training": {"patience": 2}}, "held-back rows"),
            ({"training": {"label_balance": 0.3}}, "rows' labels"),
            ({"data": {"labels": None}}, "data.labels"),
        ],
    )
    def test_what_looks_past_the_noise_is_refused(self, make_recipe, parts, why):
        """Each with what to do."""
        with pytest.raises(ValidationError, match=why):
            make_recipe(privacy=PRIVATE, **parts)


class TestTemperature:
    def test_with_many_rows_it_is_the_one_without_privacy(self):
        """On the coarser grid."""
        chance = torch.Generator().manual_seed(0)
        logits = torch.randn(2000, 3, generator=chance) * 4
        labels = torch.distributions.Categorical(logits=logits / 4).sample()
        exact, private = fit_temperature(logits, labels), private_temperature(logits, labels, 8, KeyedStream.seeded(0))
        assert abs(np.log(private / exact)) < 0.25

    def test_with_a_tiny_epsilon_it_is_any(self):
        """Chosen by noise: other keys, other temperatures."""
        logits, labels = torch.tensor([[20.0, 0.0]] * 8), torch.tensor([0] * 8)
        found = {private_temperature(logits, labels, 1e-6, KeyedStream.seeded(k)) for k in range(10)}
        assert len(found) > 5


def test_the_stepper_of_a_private_recipe_is_the_private_one(make_recipe, data, tiny_encoder, tmp_path):
    """No way past it."""
    assert isinstance(private_run(make_recipe, data, tiny_encoder, tmp_path).stepper, PrivateSteps)
