"""LoRA adapters as the runner computes them: many at once, each token with its own (Hu et al. 2021, arXiv:2106.09685).

The A matrices of all adapters stand one below the other, the B matrices side by side: two products serve them
all, and between the two a mask leaves each token the rows of its own adapter. That costs a little more than one
adapter alone, and whoever shares a step changes nobody's numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from finslm.engine.weights import Floats, read_tensors
from finslm.errors import ConfigError

FUSED: Final = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "out": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
"""Products of a layer and the model's own matrices in each, one below the other."""

_KNOWN: Final = frozenset(name.rsplit(".", 1)[1] for names in FUSED.values() for name in names)


@final
class Pair(NamedTuple):
    """What is added to a product of width n and depth k: ``x @ down.T @ up.T``; down [r, k], up [n, r]."""

    down: Floats
    up: Floats


@final
class Lora(NamedTuple):
    """An adapter: a pair for each layer and fused product, already scaled, and the saved head if it has one."""

    pairs: Mapping[tuple[int, str], Pair]
    head: Floats | None
    head_bias: Floats | None


def lora_scale(folder: Path) -> np.float32:
    """What the product of an adapter's matrices is multiplied with: alpha / rank.

    Raises:
        ConfigError: no usable configuration, or a kind of adapter that is not plain LoRA on these matrices.
    """
    try:
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"adapter folder {folder}: no usable adapter_config.json: pull or train it again") from error
    odd = [
        name
        for name in ("use_dora", "lora_bias", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "use_rslora")
        if config.get(name)
    ]
    targets = set(config.get("target_modules") or ())
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or odd or not targets <= _KNOWN:
        raise ConfigError(
            f"adapter folder {folder}: only plain LoRA on {', '.join(sorted(_KNOWN))} is served"
            f"{': not ' + ', '.join(odd) if odd else ''}"
        )
    return np.float32(config["lora_alpha"] / config["r"])


def read_lora(folder: Path, layers: int, widths: Mapping[str, int]) -> Lora:
    """Read an adapter folder as peft writes it.

    Args:
        layers: of the base.
        widths: outputs of each of the model's own matrices, by name as in :data:`FUSED`.

    Raises:
        ConfigError: damaged, or a kind of adapter that is not plain LoRA on these matrices.
    """
    scale = lora_scale(folder)
    tensors = read_tensors(folder / "adapter_model.safetensors")
    pairs = {}
    for layer in range(layers):
        for product, members in FUSED.items():
            if pair := _fused(tensors, layer, members, widths, scale):
                pairs[layer, product] = pair
    rows = sum(len(tensor) for name, tensor in tensors.items() if name.endswith("lora_A.weight"))
    if not pairs or rows != sum(len(pair.down) for pair in pairs.values()):
        raise ConfigError(f"adapter folder {folder}: its matrices are not those of this base: train it on this base")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise ConfigError(f"adapter folder {folder}: NaN or infinity in its weights: pull or train it again")
    head = next((tensor for name, tensor in tensors.items() if name.endswith("score.weight")), None)
    bias = next((tensor for name, tensor in tensors.items() if name.endswith("score.bias")), None)
    return Lora(pairs, head, bias)


def _fused(
    tensors: Mapping[str, Floats], layer: int, members: Sequence[str], widths: Mapping[str, int], scale: np.float32
) -> Pair | None:
    downs, ups, before = [], [], 0
    total = sum(widths[name] for name in members)
    for name in members:
        ends = (f"layers.{layer}.{name}.lora_A.weight", f"layers.{layer}.{name}.lora_B.weight")
        found = [next((t for key, t in tensors.items() if key.endswith(end)), None) for end in ends]
        if found[0] is not None and found[1] is not None:
            up = np.zeros((total, found[1].shape[1]), np.float32)
            up[before : before + widths[name]] = found[1] * scale
            downs.append(found[0])
            ups.append(up)
        before += widths[name]
    return Pair(np.concatenate(downs), np.concatenate(ups, 1)) if downs else None


def stack(
    adapters: Sequence[Lora],
    layers: int,
    shapes: Mapping[str, tuple[int, int]],
    form: Callable[[Floats], NDArray[Any]],
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Several adapters as one set of inputs for the network.

    Args:
        adapters: in the order of their numbers; a token without adapter has the number ``len(adapters)``.
        layers: of the base.
        shapes: outputs and inputs of each fused product.
        form: floats to the number format of the pairs.

    Yields:
        ``down.<layer>.<product>`` [R, k], ``up.<layer>.<product>`` [n, R], and ``own.<layer>.<product>``
        [adapters + 1, R]: 1 where a row is the adapter's own.
    """
    for layer in range(layers):
        for product, (outputs, depth) in shapes.items():
            pairs = [lora.pairs.get((layer, product)) for lora in adapters]
            ranks = [0 if pair is None else len(pair.down) for pair in pairs]
            own = np.zeros((len(adapters) + 1, sum(ranks) or 1), np.float32)
            at = 0
            for number, rank in enumerate(ranks):
                own[number, at : at + rank] = 1
                at += rank
            nothing = Pair(form(np.zeros((1, depth), np.float32)), form(np.zeros((outputs, 1), np.float32)))
            used = [pair for pair in pairs if pair is not None] or [nothing]
            key = f"{layer}.{product}"
            yield f"down.{key}", np.concatenate([pair.down for pair in used])
            yield f"up.{key}", np.ascontiguousarray(np.concatenate([pair.up for pair in used], 1))
            yield f"own.{key}", form(own)
