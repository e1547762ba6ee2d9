"""A small corpus of made-up sentences, and a recipe whose run takes a second."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from finslm.train.pretraining.recipe import PretrainRecipe
from finslm.train.pretraining.run import Report, train

WORDS = "the bank said that rates rose fell on monday while the loan of a firm was paid late in march".split()
STEPS = 8


def sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    chance = random.Random(0)
    rows = [{"id": n, "text": f"{n}: {sentence(chance, 30)}. {n * 7919 % 1000}"} for n in range(60)]
    (folder / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def tiny() -> dict[str, Any]:
    return {
        "name": "tiny",
        "use": "Testing",
        "licence": "Apache-2.0",
        "seed": 7,
        "preset": "1m",
        "corpus": {
            "parts": [{"path": "docs.jsonl", "group": "id", "licence": "none", "source": "made up", "published": True}],
            "held_out_share": 0.1,
        },
        "tokenizer": {"vocabulary": 280},
        "training": {
            "tokens": STEPS * 64,
            "window": 16,
            "batch_windows": 2,
            "accumulation": 2,
            "evaluations": 2,
            "precision": "float32",
        },
    }


@pytest.fixture
def settings() -> dict[str, Any]:
    """A recipe as YAML would give it, to be changed by tests."""
    return tiny()


@pytest.fixture
def recipe(settings: dict[str, Any]) -> PretrainRecipe:
    return PretrainRecipe.model_validate(settings)


@pytest.fixture(scope="session")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The run that was never stopped, of the recipe that the others have too."""
    out = tmp_path_factory.mktemp("whole")
    return train(PretrainRecipe.model_validate(tiny()), data, out, progress=lambda *_: None, threads=1)
