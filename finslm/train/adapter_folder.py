"""The folder of an adapter that has been trained, as serving loads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from finslm.engine.adapters import CONFIG_FILE, AdapterCard
from finslm.errors import ConfigError


def write(model: Any, card: AdapterCard, *, out: Path) -> Path:
    """Write ``out / card.name``, all of it or nothing. The LoRA weights in it are rounded to bfloat16.

    Args:
        model: of peft.
        card: what serving needs to know of it.

    Raises:
        ConfigError: no room, or the folder cannot be written; what was there is still there.
    """
    folder, new = out / card.name, out / f".{card.name}.new"
    lora = [parameter for name, parameter in model.named_parameters() if "lora_" in name]
    for parameter in lora:
        parameter.data = parameter.data.to(torch.bfloat16)
    model.peft_config["default"].base_model_name_or_path = card.base_model
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
