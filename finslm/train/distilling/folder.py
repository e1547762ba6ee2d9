"""The folder of a student: an ordinary adapter of peft, with what its labels and prompts are."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Final

import torch

from finslm.engine.adapters import CONFIG_FILE, WEIGHTS_FILE, weights_sha256
from finslm.errors import ConfigError
from finslm.train.adapter_folder import order_lists
from finslm.train.distilling.recipe import DistilRecipe
from finslm.train.distilling.student import Student

CARD_FILE: Final = "distilled.json"
"""Base and its digest, labels, prefixes, lengths."""


def write(student: Student, recipe: DistilRecipe, base_dir: Path, out: Path) -> Path:
    """Write ``out / recipe.name``, all of it or nothing. The student's LoRA weights are rounded to bfloat16.

    Raises:
        ConfigError: no room, or the folder cannot be written; what was there is still there.
    """
    folder, new = out / recipe.name, out / f".{recipe.name}.new"
    _round(student.model)
    student.model.peft_config["default"].base_model_name_or_path = recipe.base_model
    shutil.rmtree(new, ignore_errors=True)
    try:
        student.model.save_pretrained(str(new), safe_serialization=True, save_embedding_layers=False)
        order_lists(new / CONFIG_FILE)
        (new / CARD_FILE).write_text(json.dumps(_card(student, recipe, base_dir), indent=2) + "\n", "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        new.replace(folder)
    except Exception as error:
        # safetensors reports a full disk in an error of its own
        shutil.rmtree(new, ignore_errors=True)
        raise ConfigError(
            f"{folder}: the adapter could not be written ({error}); make room and go on with --resume"
        ) from error
    return folder


def load(folder: Path, recipe: DistilRecipe, base_dir: Path) -> Student:
    """The student of a folder.

    Raises:
        ConfigError: there is none, or it was trained on another base.
    """
    try:
        card = json.loads((folder / CARD_FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: no usable {CARD_FILE}: {error}") from error
    if card["base_weights_sha256"] != weights_sha256(base_dir):
        raise ConfigError(f"{folder}: the adapter was trained on another base than {base_dir}")
    return Student(recipe, base_dir, card["labels"], adapter=folder)


def digest(folder: Path) -> str:
    """SHA-256 (hex) over the card, peft's configuration and the weights."""
    whole = hashlib.sha256()
    for name in (CARD_FILE, CONFIG_FILE, WEIGHTS_FILE):
        whole.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return whole.hexdigest()


def _card(student: Student, recipe: DistilRecipe, base_dir: Path) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "use": recipe.use,
        "base_model": recipe.base_model,
        "base_weights_sha256": weights_sha256(base_dir),
        "labels": list(student.labels),
        **recipe.student.model_dump(),
    }


def _round(model: Any) -> None:
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(torch.bfloat16)
