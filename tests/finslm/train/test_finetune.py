"""Fine-tuning end to end on a tiny model: it learns, resumes, saves, and serving loads what it saved."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from finslm.engine.adapters import AdapterCard, weights_sha256
from finslm.engine.classifier import load_adapter
from finslm.errors import ConfigError
from finslm.evaluate.data import load
from finslm.train import recipe as recipes
from finslm.train.finetune import Run, fit_temperature
from finslm.train.run import finish
from redaction.ner.weights import default_models_dir

WORDS = {"card_lost": "I lost my card", "transfer_abroad": "send money abroad", "pin_blocked": "the pin is blocked"}


@pytest.fixture(scope="module")
def base_dir(tmp_path_factory) -> Path:
    """A seeded Llama of 2 layers with the real tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = AutoTokenizer.from_pretrained(str(default_models_dir() / "smollm2-135m-instruct"))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def data(tmp_path) -> Path:
    for name, count in (("train.csv", 40), ("test.csv", 8)):
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "category"])
            for i in range(count):
                writer.writerows([[f"{name[:2]} {i}: {text}", label] for label, text in WORDS.items()])
    return tmp_path


@pytest.fixture
def recipe():
    shipped = recipes.read("banking77-intent")
    return shipped.model_copy(
        update={
            "name": "tiny",
            "data": shipped.data.model_copy(update={"train": Path("train.csv"), "test": Path("test.csv")}),
            "training": shipped.training.model_copy(update={"epochs": 2, "learning_rate": 1e-2, "batch_size": 8}),
        }
    )


def make_run(recipe, data, base_dir, out) -> Run:
    return Run(recipe, load(recipe.data, data, recipe.seed), base_dir, out)


class TestRun:
    def test_learns_and_serving_loads_it(self, recipe, data, base_dir, tmp_path):
        """Three phrases are told apart; the folder is complete, small in bfloat16, and carries its figures."""
        run = make_run(recipe, data, base_dir, tmp_path / "run")
        seen: list[int] = []
        run.train(lambda step, steps, loss: seen.append(step))
        assert seen == list(range(1, run.steps + 1))
        report = finish(run, run.save())
        assert report.adapter.accuracy == 1.0
        assert report.baseline.accuracy == 1.0
        card = AdapterCard.read(report.folder)
        assert card.labels == tuple(sorted(WORDS))
        assert card.base_weights_sha256 == weights_sha256(base_dir)
        assert {p.name for p in report.folder.iterdir()} == {
            "README.md",
            "adapter_config.json",
            "adapter_model.safetensors",
            "finslm_adapter.json",
        }
        assert "1.0000" in (report.folder / "README.md").read_text()
        assert (tmp_path / "run" / "curves.png").stat().st_size > 1000

    def test_resume_goes_on_exactly(self, recipe, data, base_dir, tmp_path):
        """Stopped after one epoch and resumed: the same weights as in one go."""
        whole = make_run(recipe, data, base_dir, tmp_path / "whole")
        whole.train(lambda *_: None)
        first = make_run(recipe, data, base_dir, tmp_path / "parts")

        class Stop(Exception):
            pass

        def stop_in_second(step: int, steps: int, loss: float) -> None:
            if step == steps // 2 + 1:
                raise Stop

        with pytest.raises(Stop):
            first.train(stop_in_second)
        second = make_run(recipe, data, base_dir, tmp_path / "parts")
        second.train(lambda *_: None, resume=True)
        for (name, a), (_, b) in zip(whole.model.named_parameters(), second.model.named_parameters(), strict=True):
            assert torch.equal(a, b), name

    def test_nothing_to_resume_is_said(self, recipe, data, base_dir, tmp_path):
        """Not a silent start from zero."""
        with pytest.raises(ConfigError, match="no checkpoint"):
            make_run(recipe, data, base_dir, tmp_path / "none").train(lambda *_: None, resume=True)

    def test_another_base_is_refused(self, recipe, data, base_dir, tmp_path):
        """An adapter fits the weights it was trained on and no others."""
        from transformers import AutoModel

        run = make_run(recipe, data, base_dir, tmp_path / "run")
        run.epoch = recipe.training.epochs
        folder = run.save()
        other = tmp_path / "other"
        model = AutoModel.from_pretrained(base_dir)
        model.save_pretrained(other)
        with (other / "model.safetensors").open("ab") as file:
            file.write(b" ")
        with pytest.raises(ConfigError, match="trained on weights"):
            load_adapter(model, folder, base_dir=other)


class TestData:
    def test_test_texts_are_never_trained_on(self, recipe, data):
        """A text in both files is dropped from training and counted."""
        with (data / "train.csv").open("a", newline="") as file:
            csv.writer(file).writerow(["te 0: I lost my card", "card_lost"])
            csv.writer(file).writerow(["TE 1: i lost  my card", "card_lost"])
        dataset = load(recipe.data, data, 7)
        assert dataset.overlap == 1
        assert [dataset.test[i].text for i in dataset.seen] == ["te 1: I lost my card"]
        texts = {row.text for row in (*dataset.train, *dataset.dev)}
        assert not texts & {row.text for row in dataset.test}

    def test_a_missing_file_or_column_is_named(self, recipe, data):
        """Which file, which column."""
        with pytest.raises(ConfigError, match=r"nothing\.csv"):
            load(recipe.data.model_copy(update={"train": Path("nothing.csv")}), data, 7)
        with pytest.raises(ConfigError, match="no column 'words'"):
            load(recipe.data.model_copy(update={"text": "words"}), data, 7)


class TestRecipe:
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
