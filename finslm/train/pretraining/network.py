"""The network that is trained: new and random, or a base; and its folder when it is done."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from finslm.engine.cpu import computes_in_bfloat16
from finslm.errors import ConfigError
from finslm.train.pretraining.packing import within
from finslm.train.pretraining.presets import preset
from finslm.train.pretraining.tokenizing import save_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM


def new_network(name: str, vocabulary: int, window: int, seed: int) -> LlamaForCausalLM:
    """A random network of a preset, float32.

    Matrices that write into the residual stream begin smaller, by the square root of twice the number of layers
    (Radford et al. 2019, GPT-2, 2.3), so that its variance does not grow with depth.
    """
    from transformers import LlamaForCausalLM

    chosen = preset(name)
    torch.manual_seed(seed)
    network = LlamaForCausalLM(chosen.config(vocabulary, window))
    with torch.no_grad():
        for parameter, values in network.named_parameters():
            if parameter.endswith(("o_proj.weight", "down_proj.weight")):
                values.div_((2 * chosen.layers) ** 0.5)
    return network


def read_network(folder: Path, dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    """The network of a model folder.

    Raises:
        ConfigError: no usable weights, or a network of another kind.
    """
    from transformers import LlamaForCausalLM

    try:
        network = LlamaForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"model folder {folder}: no Llama network in it: {error}") from error
    return network


def next_token_logits(network: LlamaForCausalLM, ids: Tensor, *, apart: int | None) -> Tensor:
    """Scores of each token to come next.

    Args:
        ids: [B, W].
        apart: the end token, where documents of a window do not see one another; None where they do.

    Returns:
        [B, W, V], in the type of the products.
    """
    more: dict[str, Any] = {}
    if apart is not None:
        more["attention_mask"], more["position_ids"] = within(ids, apart)
    return cast(Tensor, network(input_ids=ids, use_cache=False, **more).logits)


def products(precision: str, device: str) -> contextlib.AbstractContextManager[object]:
    """A context in which matrices are multiplied as the recipe says; see its ``precision``."""
    has = torch.cuda.is_bf16_supported() if device == "cuda" else computes_in_bfloat16()
    wanted = precision == "bfloat16" or (precision == "auto" and has)
    return torch.autocast(device, torch.bfloat16) if wanted else contextlib.nullcontext()


def save(network: LlamaForCausalLM, tokenizer: Any, folder: Path) -> None:
    """Write an ordinary model folder, weights in bfloat16.

    Raises:
        ConfigError: no room, or the folder cannot be written.
    """
    from safetensors import SafetensorError

    try:
        network.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)  # type: ignore[arg-type]
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{folder}: the model could not be written ({error}); make room, then --resume") from error
    save_tokenizer(tokenizer, folder)
