"""``finslm finetune`` as a process, killed and resumed; and rows that are wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from finslm.engine.adapters import fingerprint
from finslm.errors import ConfigError
from finslm.evaluate.data import load
from finslm.models.registry import Registry
from finslm.train.finetune import Run
from redaction.ner.weights import default_models_dir

ROOT = Path(__file__).parents[3]


@pytest.fixture
def recipe(make_recipe):
    """On the real MiniLM, its last layer only: a few seconds."""
    return make_recipe(
        training={"epochs": 2, "max_tokens": 16, "batch_size": 16},
        lora={"rank": 2, "layers": [5], "targets": ["query", "key", "value"]},
    )


@pytest.fixture
def base() -> Path:
    return Registry(default_models_dir()).resolve("all-minilm-l6-v2").path


def command(recipe, data: Path, out: Path, *more: str) -> list[str]:
    file = data / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    arguments = ["finetune", str(file), "--data", str(data), "--out", str(out), "--threads", "1", "--no-twin"]
    return [sys.executable, "-m", "finslm", *arguments, "--json", *more]


def started(command: list[str], **more) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes, **more)


@pytest.mark.timeout(600)
def test_killed_within_an_epoch_and_resumed_it_is_the_same_adapter(recipe, data, base, tmp_path):
    """SIGKILL once the first checkpoint is there; the digest is that of a run in another process that went through."""
    whole = Run(recipe, load(recipe.data, data, recipe.seed), base, tmp_path / "whole")
    whole.train(lambda *_: None)
    out = tmp_path / "runs"
    with started(command(recipe, data, out, "--checkpoint-every", "0")) as child:
        until = time.monotonic() + 200
        while not (out / "tiny" / "checkpoint").exists():
            assert child.poll() is None, child.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        assert child.wait(30) == -signal.SIGKILL
    assert not (out / "tiny" / "tiny").exists()
    with started(command(recipe, data, out, "--resume")) as child:
        told, errors = child.communicate(timeout=250)
    assert child.returncode == 0, errors
    assert yaml.safe_load(told)["adapter_sha256"] == fingerprint(whole.save()) == fingerprint(out / "tiny" / "tiny")


class TestRows:
    def test_test_texts_are_never_trained_on(self, make_recipe, data):
        """A text in both files is dropped from training and counted."""
        with (data / "train.csv").open("a") as file:
            file.write("te 0: I lost my card,card_lost\nTE 1: i lost  my card,card_lost\n")
        dataset = load(make_recipe().data, data, 7)
        assert dataset.overlap == 1
        assert [dataset.test[i].text for i in dataset.seen] == ["te 1: I lost my card"]
        texts = {row.text for row in (*dataset.train, *dataset.dev)}
        assert not texts & {row.text for row in dataset.test}

    def test_a_missing_file_or_column_is_named(self, make_recipe, data):
        """Which file, which column."""
        part = {"dataset": "csv", "path": "."}
        files = {"train": "train.csv", "test": "test.csv"}
        with pytest.raises(ConfigError, match=r"nothing\.csv"):
            load(make_recipe(data={"parts": [{**part, "options": {**files, "train": "nothing.csv"}}]}).data, data, 7)
        with pytest.raises(ConfigError, match="no column words"):
            load(make_recipe(data={"parts": [{**part, "options": {**files, "text": "words"}}]}).data, data, 7)

    def test_a_malformed_row_is_named_or_counted(self, make_recipe, data):
        """File and line; left out where the run was told to."""
        with (data / "train.csv").open("a") as file:
            file.write(",card_lost\nno label\n")
        recipe = make_recipe()
        with pytest.raises(ConfigError, match=r"train\.csv, line 122: the text is empty"):
            load(recipe.data, data, 7)
        assert load(recipe.data, data, 7, skip_bad=True).skipped == 2

    def test_other_labels_than_the_recipes_are_named(self, make_recipe, data):
        """Missing and further ones."""
        recipe = make_recipe(data={"labels": ["card_lost", "pin_blocked", "pin_forgotten"]})
        with pytest.raises(ConfigError, match="missing pin_forgotten, further transfer_abroad"):
            load(recipe.data, data, 7)
