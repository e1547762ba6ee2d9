"""What is learned from beside the labels: a moving average, R-Drop, and other adapters' judgement."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from finslm.engine.adapters import fingerprint
from finslm.errors import ConfigError
from finslm.evaluate.data import load
from finslm.train.averaging import WeightAverage
from finslm.train.finetune import Run
from finslm.train.objective import _cut, _distillation, _divergence
from finslm.train.teachers import Teacher, together


def trained(recipe, data, base_dir, out, **more) -> Run:
    run = Run(recipe, load(recipe.data, data, recipe.seed), base_dir, out, **more)
    run.train(lambda *_: None)
    return run


class TestWeightAverage:
    def test_it_is_the_average_that_its_decay_says(self):
        """Early on of the steps there have been, then exponential; by hand."""
        layer = nn.Linear(1, 1, bias=False)
        layer.weight.data.fill_(0.0)
        average, by_hand = WeightAverage(layer, 0.5), 0.0
        for step, weight in enumerate((1.0, 2.0, 4.0, 8.0), 1):
            layer.weight.data.fill_(weight)
            average.update()
            decay = min(0.5, (1 + step) / (10 + step))
            by_hand = decay * by_hand + (1 - decay) * weight
        assert average.state()["weight"].item() == pytest.approx(by_hand)

    def test_training_goes_on_from_the_weights_and_not_from_their_average(self):
        """The average stands in the model only for as long as it is looked at."""
        layer = nn.Linear(2, 2)
        average = WeightAverage(layer, 0.9)
        layer.weight.data += 1
        average.update()
        last = layer.weight.detach().clone()
        with average.in_place():
            assert not torch.equal(layer.weight, last)
        assert torch.equal(layer.weight, last)
        average.put()
        assert torch.equal(layer.weight, average.state()["weight"])

    def test_without_a_decay_nothing_is_done(self):
        """The last weights are kept."""
        layer = nn.Linear(2, 2)
        average = WeightAverage(layer, None)
        layer.weight.data += 1
        last = layer.weight.detach().clone()
        average.update()
        average.put()
        assert torch.equal(layer.weight, last)

    def test_a_resumed_run_has_the_same_average(self, make_recipe, data, tiny_encoder, tmp_path):
        """With R-Drop beside it, both from the checkpoint of the very step."""
        recipe = make_recipe(training={"weight_average": 0.9, "consistency": 1.0})
        whole = trained(recipe, data, tiny_encoder, tmp_path / "whole")

        def stop(step: int, steps: int, _loss: float) -> None:
            if step == steps // 2 + 2:
                raise InterruptedError

        first = Run(recipe, whole.dataset, tiny_encoder, tmp_path / "parts", checkpoint_s=0.0)
        with pytest.raises(InterruptedError):
            first.train(stop)
        second = Run(recipe, whole.dataset, tiny_encoder, tmp_path / "parts")
        second.train(lambda *_: None, resume=True)
        assert fingerprint(whole.save()) == fingerprint(second.save())
        plain = trained(make_recipe(), data, tiny_encoder, tmp_path / "plain")
        assert fingerprint(plain.save()) != fingerprint(whole.save())


class TestObjective:
    def test_divergence_is_the_mean_of_both_directions(self):
        """Against torch's own."""
        one, other = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
        p, q = one.log_softmax(-1), other.log_softmax(-1)
        both = functional.kl_div(q, p, log_target=True, reduction="none").sum(-1)
        both += functional.kl_div(p, q, log_target=True, reduction="none").sum(-1)
        torch.testing.assert_close(_divergence(one, other), both / 2)

    def test_distillation_looks_only_at_labels_that_the_teacher_knows(self):
        """What the student says of others neither costs nor gains, and gets no gradient."""
        logits = torch.tensor([[1.0, 2.0, 9.0]], requires_grad=True)
        said = torch.log_softmax(torch.tensor([[1.0, 2.0, -torch.inf]]), -1)
        loss = _distillation(logits, said, 2.0)
        p = torch.softmax(torch.tensor([0.5, 1.0]), -1)
        torch.testing.assert_close(loss[0], -4 * (p * p.log()).sum())
        loss.sum().backward()
        assert logits.grad is not None
        torch.testing.assert_close(logits.grad, torch.zeros(1, 3))

    def test_cutoff_hides_a_share_of_the_tokens_and_never_all(self):
        """Padding stays padding, and each row keeps its first token."""
        mask = torch.ones(200, 50, dtype=torch.long)
        mask[:, 40:] = 0
        cut = _cut(mask, 0.2)
        assert cut.sum() / mask.sum() == pytest.approx(0.8, abs=0.02)
        assert (cut <= mask).all()
        assert (_cut(mask, 0.999)[:, 0] == 1).all()
        assert _cut(mask, 0.0) is mask


class TestTeachers:
    def test_a_teacher_that_knows_the_rows_helps_who_has_wrong_labels(self, make_recipe, data, tiny_encoder, tmp_path):
        """Judged alone, the student says what the teacher says and not what the rows say."""
        longer = {"epochs": 4, "head_start": "linear"}
        run = trained(make_recipe(training=longer), data, tiny_encoder, tmp_path / "teacher")
        teacher = Teacher(run.save(), tiny_encoder)
        taught = {"adapters": ["tiny"], "weight": 1.0, "temperature": 1.0}
        recipe = make_recipe(name="student", teachers=taught, training={"epochs": 20})
        lines = (data / "train.csv").read_text().splitlines()
        turned = {"card_lost": "pin_blocked", "pin_blocked": "transfer_abroad", "transfer_abroad": "card_lost"}
        wrong = [f"{text},{turned[label]}" for text, label in (line.rsplit(",", 1) for line in lines[1:])]
        (data / "train.csv").write_text("\n".join([lines[0], *wrong]) + "\n")
        student = trained(recipe, data, tiny_encoder, tmp_path / "student", teachers=(teacher,))
        logits, truth = student.logits("test")
        assert (logits.argmax(-1) == truth).float().mean() > 0.9
        assert teacher.digest in student.identity

    def test_labels_that_a_teacher_does_not_know_are_told(self, make_recipe, data, tiny_encoder, tmp_path):
        """-inf; the others are probabilities among themselves."""
        folder = trained(make_recipe(), data, tiny_encoder, tmp_path).save()
        said = Teacher(folder, tiny_encoder).judge(["I lost my card"], ["card_lost", "other", "pin_blocked"])
        assert said[0, 1] == -torch.inf
        assert said[0, [0, 2]].exp().sum() == pytest.approx(1.0)
        with pytest.raises(ConfigError, match="at least two of the labels"):
            Teacher(folder, tiny_encoder).judge(["a"], ["card_lost", "other"])

    def test_several_are_taken_together(self):
        """Their geometric mean; a label counts where all know it."""
        one = torch.log(torch.tensor([[0.8, 0.2, 0.0]]))
        other = torch.log(torch.tensor([[0.2, 0.8, 0.0]]))
        torch.testing.assert_close(together([one, other]).exp(), torch.tensor([[0.5, 0.5, 0.0]]))

    def test_nobody_teaches_with_a_guarantee(self, make_recipe):
        """They may have seen the rows; and a row that is read twice would count twice."""
        privacy = {"epsilon": 8.0, "delta": 1e-3}
        for changed in ({"teachers": {"adapters": ["x"]}}, {"training": {"consistency": 1.0}}):
            with pytest.raises(ValueError, match="leave"):
                make_recipe(privacy=privacy, **changed)
