"""Fine-tuning end to end on tiny models: it learns, resumes, saves, and serving loads what it saved."""

from __future__ import annotations

import resource

import pytest
import torch

from finslm.engine.adapters import AdapterCard, fingerprint, weights_sha256
from finslm.engine.classifier import load_adapter
from finslm.errors import ConfigError
from finslm.evaluate.data import load
from finslm.train import recipe as recipes
from finslm.train import recipe_files, tagging_recipe
from finslm.train.calibration import fit_temperature
from finslm.train.finetune import Run
from finslm.train.run import finish
from finslm.train.writing import recipe as writing_recipe

LABELS = ("card_lost", "pin_blocked", "transfer_abroad")


def make_run(recipe, data, base_dir, out, **more) -> Run:
    return Run(recipe, load(recipe.data, data, recipe.seed), base_dir, out, **more)


def quietly(*_) -> None:
    pass


class Stop(Exception):
    pass


def stop_at(share: float):
    def progress(step: int, steps: int, loss: float) -> None:
        if step == int(steps * share):
            raise Stop

    return progress


def same_weights(one: Run, other: Run) -> bool:
    pairs = zip(one.model.named_parameters(), other.model.named_parameters(), strict=True)
    return all(torch.equal(a, b) for (_, a), (_, b) in pairs if a.requires_grad)


class TestRun:
    def test_learns_and_serving_loads_it(self, make_recipe, data, tiny_decoder, tmp_path):
        """A decoder in bfloat16 tells three phrases apart; the folder is complete and carries its figures."""
        recipe = make_recipe(lora={"targets": ["q_proj", "up_proj"]}, training={"dropout": 0.0, "pooled_length": None})
        run = make_run(recipe, data, tiny_decoder, tmp_path / "run")
        seen: list[int] = []
        run.train(lambda step, steps, loss: seen.append(step))
        assert seen == list(range(1, run.steps + 1))
        report = finish(run, run.save())
        assert report.adapter.scores.accuracy == 1.0
        assert report.baseline.accuracy == 1.0
        card = AdapterCard.read(report.folder)
        assert card.labels == LABELS
        assert card.base_weights_sha256 == weights_sha256(tiny_decoder)
        assert {p.name for p in report.folder.iterdir()} == {
            "README.md",
            "adapter_config.json",
            "adapter_model.safetensors",
            "finslm_adapter.json",
        }
        assert report.facts["adapter_sha256"] == fingerprint(report.folder)
        assert "1.0000" in (report.folder / "README.md").read_text()
        assert (tmp_path / "run" / "curves.png").stat().st_size > 1000

    @pytest.mark.parametrize("share", [0.3, 0.7])
    def test_resume_goes_on_exactly(self, make_recipe, data, tiny_encoder, tmp_path, share):
        """Stopped within the first epoch or the second and resumed: the same adapter as in one go, dropout and all."""
        recipe = make_recipe(training={"head_start": "linear"})
        whole = make_run(recipe, data, tiny_encoder, tmp_path / "whole")
        whole.train(quietly)
        first = make_run(recipe, data, tiny_encoder, tmp_path / "parts", checkpoint_s=0.0)
        with pytest.raises(Stop):
            first.train(stop_at(share))
        second = make_run(recipe, data, tiny_encoder, tmp_path / "parts")
        second.train(quietly, resume=True)
        assert same_weights(whole, second)
        assert fingerprint(whole.save()) == fingerprint(second.save())

    def test_no_room_is_said_and_nothing_is_lost(self, make_recipe, data, tiny_encoder, tmp_path):
        """RLIMIT_FSIZE stands for a full disk: the last checkpoint stays whole, and the run goes on from it exactly."""
        recipe = make_recipe()
        whole = make_run(recipe, data, tiny_encoder, tmp_path / "whole")
        whole.train(quietly)
        first = make_run(recipe, data, tiny_encoder, tmp_path / "parts")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill(step: int, steps: int, loss: float) -> None:
            if step == steps // 2 + 1:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, hard))

        try:
            with pytest.raises(ConfigError, match="make room and go on with --resume"):
                first.train(fill)
            assert [p.name for p in (tmp_path / "parts").iterdir()] == ["checkpoint"]
            with pytest.raises(ConfigError, match="adapter could not be written"):
                first.save()
            assert [p.name for p in (tmp_path / "parts").iterdir()] == ["checkpoint"]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        second = make_run(recipe, data, tiny_encoder, tmp_path / "parts")
        second.train(quietly, resume=True)
        assert fingerprint(whole.save()) == fingerprint(second.save())

    def test_nothing_to_resume_is_said(self, make_recipe, data, tiny_encoder, tmp_path):
        """Not a silent start from zero."""
        with pytest.raises(ConfigError, match="no checkpoint"):
            make_run(make_recipe(), data, tiny_encoder, tmp_path / "none").train(quietly, resume=True)

    def test_other_rows_are_not_resumed(self, make_recipe, data, tiny_encoder, tmp_path):
        """A row was mended between: the run would be of neither data set."""
        recipe = make_recipe(training={"epochs": 1})
        make_run(recipe, data, tiny_encoder, tmp_path / "run").train(quietly)
        file = data / "train.csv"
        file.write_text(file.read_text().replace("tr 3: I lost", "tr 3: we lost"))
        with pytest.raises(ConfigError, match="other rows"):
            make_run(recipe, data, tiny_encoder, tmp_path / "run").train(quietly, resume=True)

    def test_a_damaged_checkpoint_is_said(self, make_recipe, data, tiny_encoder, tmp_path):
        """Cut short, as after a crash of the disk."""
        recipe = make_recipe(training={"epochs": 1})
        run = make_run(recipe, data, tiny_encoder, tmp_path / "run")
        run.train(quietly)
        file = tmp_path / "run" / "checkpoint"
        file.write_bytes(file.read_bytes()[:1000])
        with pytest.raises(ConfigError, match="damaged"):
            run.train(quietly, resume=True)

    def test_patience_stops_and_keeps_the_best(self, make_recipe, data, tiny_encoder, tmp_path):
        """All is learned in the first epochs: no better for one epoch, so it ends long before the 50th."""
        run = make_run(make_recipe(training={"epochs": 50, "patience": 1}), data, tiny_encoder, tmp_path / "run")
        run.train(quietly)
        accuracies = [epoch["dev_accuracy"] for epoch in run.history]
        assert len(accuracies) < 50
        assert accuracies[-1] <= accuracies[-2] == max(accuracies)

    def test_another_base_is_refused(self, make_recipe, data, tiny_encoder, tmp_path):
        """An adapter fits the weights it was trained on and no others."""
        from transformers import AutoModel

        folder = make_run(make_recipe(), data, tiny_encoder, tmp_path / "run").save()
        other = tmp_path / "other"
        model = AutoModel.from_pretrained(tiny_encoder)
        model.save_pretrained(other)
        with (other / "model.safetensors").open("ab") as file:
            file.write(b" ")
        with pytest.raises(ConfigError, match="trained on weights"):
            load_adapter(model, folder, base_dir=other)

    def test_only_the_layers_asked_for_are_tuned(self, make_recipe, data, tiny_encoder, tmp_path):
        """The second of two."""
        run = make_run(make_recipe(lora={"layers": [1]}), data, tiny_encoder, tmp_path / "run")
        tuned = {name.split(".layer.")[1][0] for name, p in run.model.named_parameters() if "lora_" in name}
        assert tuned == {"1"}


class TestTexts:
    def test_a_long_text_is_refused_or_cut_and_counted(self, make_recipe, data, tiny_encoder, tmp_path):
        """As the recipe says."""
        file = data / "train.csv"
        file.write_text(file.read_text().replace("tr 3: I lost my card", "lost " * 60))
        with pytest.raises(ConfigError, match="max_tokens is 32"):
            make_run(make_recipe(), data, tiny_encoder, tmp_path / "run")
        run = make_run(make_recipe(training={"long_texts": "cut"}), data, tiny_encoder, tmp_path / "run")
        assert run.long_texts == 1
        assert max(len(ids) for ids, _ in run.rows["train"]) == 32


class TestRecipe:
    @pytest.mark.parametrize("name", recipe_files.shipped())
    def test_those_that_ship_can_be_read(self, name):
        """Each names itself and data sets that there are."""
        readers = {"classify": recipes, "tag": tagging_recipe, "write": writing_recipe}
        reader = readers[recipe_files.head(name)]
        assert reader.read(name).name == name

    def test_an_unknown_recipe_lists_the_shipped(self):
        """So a typo is found at once."""
        with pytest.raises(ConfigError, match="banking77-intent"):
            recipes.read("banking78")

    def test_an_unknown_field_is_refused(self, tmp_path):
        """A recipe says everything, and nothing else."""
        file = tmp_path / "r.yaml"
        file.write_text("name: x\nlearnig_rate: 1")
        with pytest.raises(ConfigError, match="learnig_rate"):
            recipes.read(str(file))


def test_temperature_softens_an_overconfident_model():
    """Right three times in four at full confidence: a temperature well above one."""
    logits = torch.tensor([[20.0, 0.0]] * 4)
    assert fit_temperature(logits, torch.tensor([0, 0, 0, 1])) > 3
