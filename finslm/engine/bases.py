"""The bases that adapters sit on, with torch: their network without its head, and their tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from finslm.engine.classifier import ENCODERS
from finslm.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def model_type(base_dir: Path) -> str:
    """What kind of network a model folder holds, as its config.json says.

    Raises:
        ConfigError: no usable config.json.
    """
    return str(config(base_dir)["model_type"])


def config(base_dir: Path) -> dict[str, Any]:
    """What a model folder's config.json says.

    Raises:
        ConfigError: no usable config.json.
    """
    try:
        found = json.loads((base_dir / "config.json").read_text("utf-8"))
        return {**found, "model_type": str(found["model_type"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"model folder {base_dir}: no usable config.json: run 'finslm models pull' first") from error


def backbone(base_dir: Path, *, dropout: float = 0.0, attention_dropout: float | None = None) -> PreTrainedModel:
    """The network without a head: a decoder in bfloat16, an encoder, which is small, in float32.

    Args:
        dropout: of hidden states and attention, where the base has a place for it.
        attention_dropout: of attention alone; None: as ``dropout`` says.
    """
    from transformers import AutoModel

    encoder = model_type(base_dir) in ENCODERS
    more: dict[str, Any] = {"dtype": torch.float32 if encoder else torch.bfloat16}
    if encoder:
        of_attention = dropout if attention_dropout is None else attention_dropout
        more |= {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": of_attention}
    model = AutoModel.from_pretrained(base_dir, local_files_only=True, use_safetensors=True, **more)
    if encoder:
        model.pooler = None  # its matrices would be tuned and never used
    return cast("PreTrainedModel", model)


def tokenizer(base_dir: Path) -> PreTrainedTokenizerBase:
    """Its tokenizer."""
    from transformers import AutoTokenizer

    return cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(str(base_dir), local_files_only=True))
