"""Made-up conversations about reports, in the form of ConvFinQA, and a recipe for a tiny decoder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finslm.train.distilling.recipe import DistilRecipe

PROGRAMS = ["ans = {a}", "ans = {a} - {b}", "x0 = {a} - {b}; ans = x0 / {b}"]


def conversation(number: int) -> dict:
    a, b = number + 10, number + 5
    return {
        "id": f"Single_X/20{number:02}/page_{number}.pdf-1",
        "questions": [f"what was it in year {number}?", "what was the change?", "and in per cent?"],
        "programs": [program.format(a=a, b=b) for program in PROGRAMS],
        "golden_text": f"it was {a} after {b} .",
        "golden_table": "",
    }


@pytest.fixture
def conversations(tmp_path) -> Path:
    """40 of three turns each; the data folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "pot_convfinqa_dev.json").write_text(json.dumps([conversation(n) for n in range(40)]))
    return folder


@pytest.fixture
def distil_recipe() -> dict:
    return {
        "name": "tiny",
        "use": "Nothing",
        "base_model": "tiny",
        "seed": 7,
        "data": {
            "parts": [{"dataset": "convfinqa-programs", "path": "."}],
            "dev_share": 0.1,
            "redact": False,
        },
        "rationales": {"source": "data"},
        "student": {"max_tokens": 64, "max_rationale_tokens": 16},
        "lora": {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": ["q_proj", "v_proj", "down_proj"]},
        "training": {"epochs": 1, "share": 0.12, "batch_size": 4, "learning_rate": 1e-2},
    }


@pytest.fixture
def make(distil_recipe):
    """The recipe with parts of it changed."""

    def changed(**parts) -> DistilRecipe:
        whole = dict(distil_recipe)
        for name, value in parts.items():
            both = isinstance(value, dict) and name != "rationales"
            whole[name] = {**whole.get(name, {}), **value} if both else value
        return DistilRecipe.model_validate(whole)

    return changed
