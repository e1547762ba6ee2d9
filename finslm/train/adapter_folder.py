"""The folder of an adapter that has been trained, as serving loads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from finslm.engine.adapters import CONFIG_FILE, AdapterCard, weights_sha256
from finslm.errors import ConfigError
from finslm.train.recipe import Recipe


def write(
    model: Any, recipe: Recipe, labels: tuple[str, ...], temperature: float, *, base_dir: Path, out: Path
) -> Path:
    """Write ``out / recipe.name``, all of it or nothing. The model's LoRA weights are rounded to bfloat16.

    Args:
        model: of peft.
        labels: of each output, in order.
        temperature: that the logits are divided by.
        base_dir: model folder of its base.

    Raises:
        ConfigError: no room, or the folder cannot be written; what was there is still there.
    """
    training, folder = recipe.training, out / recipe.name
    new = out / f".{recipe.name}.new"
    card = AdapterCard(
        name=recipe.name,
        base_model=recipe.base_model,
        base_weights_sha256=weights_sha256(base_dir),
        task=recipe.task,
        labels=labels,
        bidirectional=training.bidirectional,
        temperature=temperature,
        max_tokens=training.max_tokens,
        long_texts=training.long_texts,
        pooled_length=training.pooled_length,
    )
    lora = [parameter for name, parameter in model.named_parameters() if "lora_" in name]
    for parameter in lora:
        parameter.data = parameter.data.to(torch.bfloat16)
    model.peft_config["default"].base_model_name_or_path = recipe.base_model
    shutil.rmtree(new, ignore_errors=True)
    try:
        model.save_pretrained(str(new), safe_serialization=True, save_embedding_layers=False)
        order_lists(new / CONFIG_FILE)
        card.write(new)
        shutil.rmtree(folder, ignore_errors=True)
        new.replace(folder)
    except Exception as error:
        # safetensors reports a full disk in an error of its own
        shutil.rmtree(new, ignore_errors=True)
        raise ConfigError(
            f"{folder}: the adapter could not be written ({error}); make room and go on with --resume"
        ) from error
    finally:
        for parameter in lora:
            parameter.data = parameter.data.float()
    return folder


def order_lists(config: Path) -> None:
    """Put lists that peft keeps as sets in order: theirs is another in each process, and the digest with it."""
    whole = json.loads(config.read_text("utf-8"))
    ordered = {
        k: sorted(v) if isinstance(v, list) and all(isinstance(s, str) for s in v) else v for k, v in whole.items()
    }
    config.write_text(json.dumps(ordered, indent=2, sort_keys=True) + "\n", "utf-8")
