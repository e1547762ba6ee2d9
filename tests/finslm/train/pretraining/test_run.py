"""Whole runs of a second: the same again, stopped and gone on with, on a full disk, on a base, and served."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from finslm.config import EngineSettings
from finslm.engine.local import LocalEngine
from finslm.errors import ConfigError
from finslm.evaluate.data import DataRecipe, PartRecipe, load
from finslm.models.registry import Registry
from finslm.train import recipe as finetuning
from finslm.train.finetune import Run
from finslm.train.pretraining.interruption import Interrupted
from finslm.train.pretraining.recipe import PretrainRecipe
from finslm.train.pretraining.run import Report, train
from finslm.types import Message, Prompt, SamplingParams
from redaction.text import RedactedText

CHECKPOINT_BYTES = 500_000
"""Fewer than a checkpoint of the tiny network has."""


def run(recipe, data, out, **more) -> Report:
    return train(recipe, data, out, **{"progress": lambda *_: None, "threads": 1, **more})


def digest(report: Report) -> str:
    return str(report.facts["weights_sha256"])


class TestRun:
    def test_it_learns_and_leaves_a_whole_folder(self, whole):
        """Held-out documents are foreseen better than before; folder, figures, picture and card are there."""
        assert whole.after.bits_per_byte < whole.before.bits_per_byte - 0.2
        assert {p.name for p in whole.folder.iterdir()} == {
            *("README.md", "config.json", "generation_config.json", "model.safetensors", "finslm-manifest.json"),
            *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
        }
        assert {p.name for p in whole.folder.parent.iterdir()} == {
            *("packed", "recipe.yaml", "metrics.json", "curves.png", "tiny"),
        }
        card = (whole.folder / "README.md").read_text("utf-8")
        for figure in (f"{whole.after.bits_per_byte:.4f}", digest(whole), whole.facts["data_sha256"]["docs.jsonl"]):
            assert figure in card
        kept = json.loads((whole.folder.parent / "metrics.json").read_text("utf-8"))
        assert kept["after"] == whole.after.as_dict()
        assert kept["steps"] == len(kept["losses"]) == 8
        assert [point["step"] for point in kept["evaluations"]] == [0, 4, 8]

    def test_bits_per_byte_are_those_of_the_saved_folder(self, whole):
        """Counted by hand: nats of all tokens, over the bytes of the documents."""
        import numpy as np
        from transformers import AutoModelForCausalLM

        stream = np.load(whole.folder.parent / "packed" / "held_out.npy").astype(np.int64)
        model = AutoModelForCausalLM.from_pretrained(whole.folder, dtype=torch.bfloat16)
        nats = 0.0
        for start in range(0, len(stream) - 1, 16):
            piece = torch.from_numpy(stream[start : start + 17])
            with torch.no_grad():
                logs = model(piece[None, :-1]).logits[0].float().log_softmax(-1)
            nats -= float(logs[torch.arange(len(piece) - 1), piece[1:]].sum())
        bits = nats / np.log(2) / whole.facts["held_out_bytes"]
        assert whole.after.bits_per_byte == pytest.approx(bits, rel=1e-2)

    def test_the_same_recipe_gives_the_same_weights(self, recipe, data, whole, tmp_path):
        """And another seed others."""
        assert digest(run(recipe, data, tmp_path / "a")) == digest(whole)
        assert digest(run(recipe.model_copy(update={"seed": 8}), data, tmp_path / "b")) != digest(whole)

    def test_nothing_is_overwritten(self, recipe, data, whole):
        """A finished model stays; another run needs another folder."""
        with pytest.raises(ConfigError, match="a finished model is not overwritten"):
            run(recipe, data, whole.folder.parent)

    def test_documents_apart(self, recipe, data, whole, tmp_path):
        """``attention: within`` trains too, and is another run."""
        apart = recipe.training.model_copy(update={"attention": "within", "schedule": "wsd"})
        report = run(recipe.model_copy(update={"training": apart}), data, tmp_path)
        assert report.after.bits_per_byte < report.before.bits_per_byte - 0.2
        assert digest(report) != digest(whole)

    def test_a_loss_that_is_no_number_ends_the_run(self, recipe, data, tmp_path):
        """Rather than a folder full of NaN."""
        wild = recipe.training.model_copy(update={"learning_rate": 1e30, "warmup_share": 0.0})
        with pytest.raises(ConfigError, match=r"step \d: the loss is .*lower training.learning_rate"):
            run(recipe.model_copy(update={"training": wild}), data, tmp_path)


class TestStopped:
    def test_sigterm_leaves_a_checkpoint_to_go_on_from(self, recipe, data, whole, tmp_path):
        """And the weights are those of the run that was never stopped."""

        def stop(step: int, _steps: int, _loss: float) -> None:
            if step == 3:
                os.kill(os.getpid(), signal.SIGTERM)

        with pytest.raises(Interrupted, match="SIGTERM after step 3 of 8") as stopped:
            run(recipe, data, tmp_path, progress=stop)
        assert stopped.value.exit_status == 143
        with pytest.raises(ConfigError, match="holds the checkpoint of an unfinished run"):
            run(recipe, data, tmp_path)
        seen: list[int] = []
        report = run(recipe, data / "gone", tmp_path, resume=True, progress=lambda step, *_: seen.append(step))
        assert seen == [4, 5, 6, 7, 8]
        assert digest(report) == digest(whole)
        assert report.facts["losses"] == whole.facts["losses"]
        assert report.facts["evaluations"] == whole.facts["evaluations"]

    def test_kill_9_loses_no_more_than_since_the_checkpoint(self, settings, recipe, data, whole, tmp_path):
        """A process that is killed at any moment: the run goes on from its last checkpoint to the same weights."""
        file = tmp_path / "recipe.yaml"
        file.write_text(yaml.safe_dump(settings))
        code = (
            "import sys, time; from pathlib import Path\n"
            "from finslm.train.pretraining import recipe, run\n"
            "run.train(recipe.read(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), threads=1, checkpoint_s=0,\n"
            "          progress=lambda step, *_: time.sleep(600 if step == 6 else 0))\n"
        )
        arguments = [sys.executable, "-c", code, str(file), str(data), str(tmp_path / "run")]
        process = subprocess.Popen(arguments)
        try:
            wait_for_step(tmp_path / "run" / "checkpoint", 5, process)
        finally:
            process.kill()
            process.wait()
        assert digest(run(recipe, data, tmp_path / "run", resume=True)) == digest(whole)

    def test_a_full_disk_ends_the_run_and_keeps_the_checkpoint(self, recipe, data, whole, tmp_path):
        """With room again it goes on; what could not be written is not there in half."""
        kept = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill(step: int, _steps: int, _loss: float) -> None:
            if step == 4:
                resource.setrlimit(resource.RLIMIT_FSIZE, (CHECKPOINT_BYTES, kept[1]))

        try:
            with pytest.raises(ConfigError, match=r"checkpoint could not be written .*--resume"):
                run(recipe, data, tmp_path, progress=fill, checkpoint_s=0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        assert not (tmp_path / "checkpoint.new").exists()
        assert digest(run(recipe, data, tmp_path, resume=True)) == digest(whole)

    def test_a_full_disk_at_the_end_loses_nothing_either(self, recipe, data, whole, tmp_path):
        """The model is written beside its place; the last checkpoint is still there."""
        kept = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill(step: int, steps: int, _loss: float) -> None:
            if step == steps:
                resource.setrlimit(resource.RLIMIT_FSIZE, (CHECKPOINT_BYTES, kept[1]))

        run_until(recipe, data, tmp_path, step=7)
        try:
            with pytest.raises(ConfigError, match="--resume"):
                run(recipe, data, tmp_path, resume=True, progress=fill, checkpoint_s=1e9)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        assert not (tmp_path / "tiny").exists()
        assert digest(run(recipe, data, tmp_path, resume=True)) == digest(whole)

    def test_no_room_for_the_documents_is_said(self, recipe, data, tmp_path):
        """Before anything is trained."""
        kept = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, kept[1]))
        try:
            with pytest.raises(ConfigError, match="make room"):
                run(recipe, data, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)

    def test_nothing_to_go_on_with_is_said(self, recipe, data, tmp_path):
        """Not a silent start from zero; and not another recipe's checkpoint."""
        with pytest.raises(ConfigError, match="no packed documents to go on with"):
            run(recipe, data, tmp_path, resume=True)
        run_until(recipe, data, tmp_path, step=2)
        with pytest.raises(ConfigError, match="another recipe"):
            run(recipe.model_copy(update={"seed": 9}), data, tmp_path, resume=True)


class TestWhatComesOut:
    def test_a_base_is_trained_on(self, settings, data, whole, tmp_path):
        """Domain-adaptive: its own tokenizer, its own weights to begin with, better on the held-out documents."""
        further = settings | {"preset": None, "tokenizer": {}, "base_model": "tiny", "name": "further"}
        further["training"] = settings["training"] | {"learning_rate": 1e-3}
        recipe = PretrainRecipe.model_validate(further)
        report = run(recipe, data, tmp_path, base_dir=whole.folder)
        assert report.before.bits_per_byte == pytest.approx(whole.after.bits_per_byte, rel=1e-2)
        assert report.after.bits_per_byte < report.before.bits_per_byte
        same = [(folder / "tokenizer.json").read_bytes() for folder in (report.folder, whole.folder)]
        assert same[0] == same[1]
        assert "tiny, trained further" in (report.folder / "README.md").read_text("utf-8")

    def test_a_window_beyond_the_base_is_refused(self, settings, data, whole, tmp_path):
        """Its positions are those that it was trained on."""
        wide = settings["training"] | {"learning_rate": 1e-3, "window": 32}
        changed = settings | {"preset": None, "tokenizer": {}, "base_model": "tiny", "training": wide}
        with pytest.raises(ConfigError, match="training.window 32: tiny reads 16 tokens"):
            run(PretrainRecipe.model_validate(changed), data, tmp_path, base_dir=whole.folder)

    def test_a_device_that_is_not_there_is_said(self, recipe, data, tmp_path):
        """Before anything is read."""
        with pytest.raises(ConfigError, match="cpu or cuda"):
            run(recipe, data, tmp_path, device="tpu")

    def test_a_copy_among_the_installed_models_is_one_of_them(self, whole):
        """It has a seal, over every file of it."""
        installed = Registry(whole.folder.parent).resolve("tiny", verify=True)
        assert installed.kind == "causal-lm"
        assert installed.licence == "Apache-2.0"

    @pytest.mark.parametrize("runner", ["openvino", "torch"])
    async def test_the_engine_serves_it(self, whole, runner):
        """By both runners, as an ordinary model folder."""
        installed = Registry(whole.folder.parent).resolve("tiny")
        settings = EngineSettings(weights="float32", threads=1, max_context_tokens=16, runner=runner)
        engine = LocalEngine(whole.folder, installed.identity, {}, settings)
        await engine.start()
        try:
            prompt = Prompt(messages=(Message("user", RedactedText("rates")),))
            chunks = [chunk async for chunk in engine.generate(prompt, SamplingParams(max_tokens=4))]
        finally:
            await engine.close()
        assert sum(chunk.token_count for chunk in chunks) in range(1, 5)

    def test_an_adapter_is_tuned_on_it(self, whole, tmp_path):
        """``finslm finetune`` takes it as a base like any other."""
        for name in ("train.csv", "test.csv"):
            rows = [f"{name} {n} the {word},{word}" for n in range(8) for word in ("bank", "loan")]
            (tmp_path / name).write_text("\n".join(["text,label", *rows]) + "\n")
        shipped = finetuning.read("sentiment")
        options = {"train": "train.csv", "test": "test.csv", "label": "label"}
        parts = (PartRecipe(dataset="csv", path=Path(), options=options),)
        recipe = shipped.model_copy(
            update={
                "name": "toy",
                "base_model": "tiny",
                "data": DataRecipe(parts=parts, dev_share=0.2),
                "lora": shipped.lora.model_copy(update={"targets": ("q_proj", "v_proj")}),
                "training": shipped.training.model_copy(update={"epochs": 1, "head_start": "random"}),
            }
        )
        tuning = Run(recipe, load(recipe.data, tmp_path, 7), whole.folder, tmp_path / "out")
        tuning.train(lambda *_: None)
        assert (tuning.save() / "adapter_model.safetensors").is_file()


def run_until(recipe, data, out, *, step: int) -> None:
    """Stop a run after a step."""

    def stop(at: int, _steps: int, _loss: float) -> None:
        if at == step:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        run(recipe, data, out, progress=stop)


def wait_for_step(checkpoint: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the checkpoint is that of a step, four minutes at most: a busy machine takes long to import."""
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        if checkpoint.exists() and torch.load(checkpoint, weights_only=True)["step"] >= step:
            return
        time.sleep(0.05)
    pytest.fail(f"no checkpoint of step {step}: the process ended with {process.poll()}")
