"""LoRA adapters as the runner computes them: many at once, each token with its own (Hu et al. 2021, arXiv:2106.09685).

The tokens of a step are put together by adapter, and each adapter's two small products are computed for its own tokens
only (as in Punica: Chen et al. 2023, arXiv:2310.18547). So whoever shares a step changes nobody's numbers, and many
adapters cost little more than one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from finslm.engine.adapters import CONFIG_FILE, WEIGHTS_FILE
from finslm.engine.weights import Floats, read_tensors
from finslm.errors import ConfigError

FUSED: Final = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "out": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
"""Products of a layer and the model's own matrices in each, one below the other."""

_PADDING: Final = 768
"""Tokens computed in vain that cost about as much as a call."""
_ROUND: Final = 4
"""Tokens of an adapter are filled up to a multiple of it: a step of another shape than the one before takes longer."""

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


def read_lora(
    folder: Path,
    layers: int,
    sizes: Mapping[str, tuple[int, int]],
    fused: Mapping[str, tuple[str, ...]] = FUSED,
    stem: str = "layers",
) -> Lora:
    """Read an adapter folder as peft writes it. Every number in it is used, or the folder is refused.

    Args:
        layers: of the base.
        sizes: outputs and inputs of each of the model's own matrices, by name as in ``fused``.
        fused: products of a layer and the model's own matrices in each.
        stem: what the model calls the list of its layers.

    Raises:
        ConfigError: damaged, of other sizes, with numbers that are not finite, or a kind of adapter that is not
            plain LoRA on these matrices.
    """
    scale = lora_scale(folder, frozenset(name.rsplit(".", 1)[1] for names in fused.values() for name in names))
    file = folder / WEIGHTS_FILE
    tensors = dict(read_tensors(file))
    pairs = {}
    for layer in range(layers):
        for product, members in fused.items():
            if pair := _fused(tensors, f".{stem}.{layer}", members, sizes, scale):
                pairs[layer, product] = pair
    head, bias = (_taken(tensors, end) for end in ("score.weight", "score.bias"))
    if tensors or not pairs:
        what = f"{next(iter(tensors))} fits no matrix of this base" if tensors else "no matrices are in it"
        raise ConfigError(f"{file}: {what}: pull or train the adapter again")
    return Lora(pairs, head, bias)


def lora_scale(folder: Path, targets: frozenset[str] = _KNOWN) -> np.float32:
    """What the product of an adapter's matrices is multiplied with.

    Args:
        targets: last parts of the names of matrices that it may change.

    Raises:
        ConfigError: no usable configuration, or a kind of adapter that is not plain LoRA on these matrices.
    """
    try:
        config = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
        scale = np.float32(config["lora_alpha"] / config["r"])
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise ConfigError(f"adapter folder {folder}: no usable {CONFIG_FILE}: pull or train it again") from error
    odd = [
        name
        for name in ("use_dora", "lora_bias", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "use_rslora")
        if config.get(name)
    ]
    plain = config.get("peft_type") == "LORA" and config.get("bias", "none") == "none" and np.isfinite(scale)
    if odd or not plain or not set(config.get("target_modules") or ()) <= targets:
        raise ConfigError(
            f"adapter folder {folder}: only plain LoRA on {', '.join(sorted(targets))} is served"
            f"{': not ' + ', '.join(odd) if odd else ''}"
        )
    return scale


def _taken(tensors: dict[str, Floats], end: str) -> Floats | None:
    name = next((name for name in tensors if name.endswith(end)), None)
    return None if name is None else tensors.pop(name)


def _fused(
    tensors: dict[str, Floats],
    layer: str,
    members: Sequence[str],
    sizes: Mapping[str, tuple[int, int]],
    scale: np.float32,
) -> Pair | None:
    downs, ups, before = [], [], 0
    total = sum(sizes[name][0] for name in members)
    for name in members:
        width, depth = sizes[name]
        down, up = (_taken(tensors, f"{layer}.{name}.lora_{half}.weight") for half in "AB")
        if down is not None and up is not None:
            rank = down.shape[0] if down.ndim else 0
            if down.shape != (rank, depth) or up.shape != (width, rank) or not rank:
                raise ConfigError(
                    f"adapter: {name} of {layer[1:]} is {up.shape} by {down.shape}, this base's is {width} by {depth}"
                    ": pull or train it again"
                )
            wide = np.zeros((total, rank), np.float32)
            wide[before : before + width] = up * scale
            downs.append(down)
            ups.append(wide)
        elif down is not None or up is not None:
            raise ConfigError(f"adapter: half of {name} of {layer[1:]} is missing: pull or train it again")
        before += width
    return Pair(np.concatenate(downs), np.concatenate(ups, 1)) if downs else None


def network_inputs(
    lora: Lora, layers: int, shapes: Mapping[str, tuple[int, int]], form: Callable[[Floats], NDArray[Any]]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """An adapter as inputs of the network.

    Args:
        layers: of the base.
        shapes: outputs and inputs of each fused product.
        form: floats to the number format of the inputs.

    Yields:
        ``down.<layer>.<product>`` [1, r, k] and ``up.<layer>.<product>`` [1, n, r]; zeros of rank 1 where it has none.
    """
    for layer in range(layers):
        for product, (outputs, depth) in shapes.items():
            pair = lora.pairs.get((layer, product))
            down, up = pair or (np.zeros((1, depth), np.float32), np.zeros((outputs, 1), np.float32))
            yield f"down.{layer}.{product}", form(down[None])
            yield f"up.{layer}.{product}", form(up[None])


def stack(adapters: Sequence[Mapping[str, NDArray[Any]]]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Several adapters as one set of inputs, in the order of their numbers.

    Args:
        adapters: of each what :func:`network_inputs` gives.

    Yields:
        The same names, [adapters, ...]; the rank is the largest among them, smaller ones are filled up with zeros.
    """
    for name, first in adapters[0].items():
        arrays = [adapter[name] for adapter in adapters]
        whole = np.zeros((len(arrays), *np.max([array.shape[1:] for array in arrays], axis=0)), first.dtype)
        for number, array in enumerate(arrays):
            whole[number, : array.shape[1], : array.shape[2]] = array[0]
        yield name, whole


def calls(keys: Sequence[str], counts: Sequence[int]) -> list[list[int]]:
    """Places of the sequences that go together in one call of the network.

    In a call every adapter takes as many tokens as the one with most (:func:`grouped`), so one that reads a prompt goes
    by itself where the others would compute more in vain than another call costs.

    Args:
        keys: adapter of each sequence; empty for none.
        counts: its tokens.
    """
    tokens: Counter[str] = Counter()
    for key, count in zip(keys, counts, strict=True):
        if key:
            tokens[key] += count
    alone: list[str] = []
    while len(tokens) > 1:
        ((longest, most),) = tokens.most_common(1)
        if len(tokens) * most - tokens.total() <= _PADDING:
            break
        alone.append(longest)
        del tokens[longest]
    apart = [[place for place, key in enumerate(keys) if key == one] for one in alone]
    return [*apart, [place for place, key in enumerate(keys) if key not in alone]]


def grouped(numbers: Sequence[int], counts: Sequence[int], adapters: int) -> dict[str, NDArray[np.int32]]:
    """Put the tokens of a step together by adapter.

    Args:
        numbers: the adapter of each sequence; negative for none.
        counts: its tokens.
        adapters: how many there are.

    Returns:
        ``slots`` [adapters, M]: the tokens of each, in order, filled up with the first token of the step; ``places``
        [T]: where in ``slots`` (flat) a token is; ``wears`` [T]: 1 where it has an adapter.
    """
    of = np.repeat(np.asarray(numbers, np.int32), counts)
    tokens = [np.flatnonzero(of == number) for number in range(adapters)]
    most = -(-max(map(len, tokens)) // _ROUND) * _ROUND
    slots, places = np.zeros((adapters, most), np.int32), np.zeros(len(of), np.int32)
    for number, own in enumerate(tokens):
        slots[number, : len(own)] = own
        places[own] = number * most + np.arange(len(own))
    return {"slots": slots, "places": places, "wears": (of >= 0).astype(np.int32)}
