"""Weights in coordinates in which 8-bit integers are more exact (QuaRot; Ashkboos et al. 2024, arXiv:2404.00456).

A few numbers of a language model's activations are far larger than the others, and whatever shares a scale with them
is rounded coarsely. Turned by an orthogonal matrix they are spread over all places. Everything between two norms is
linear but for the inside of attention and of the MLP, so the turning is put into the weights, once, when they are read:
the network computes the same function with the same operations. What turns cannot pass is left as it is: queries and
keys (positions are put into them) and what goes into ``down_proj``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, final

import numpy as np

from finslm.engine.cpu import available_cpus
from finslm.engine.lora import FUSED, Lora, Pair
from finslm.engine.weights import Floats, LlamaShape

_SEED: Final = 1
_INPUT_NORM: Final = {"qkv": "input_layernorm", "gate_up": "post_attention_layernorm"}
_VALUES, _OUT, _DOWN = FUSED["qkv"][2], *FUSED["out"], *FUSED["down"]


@final
class Turn:
    """An orthogonal matrix of any size: signs, then the Hartley transform along both sides of a rectangle.

    Each place gets about the same share of every other (Bracewell 1983, J. Opt. Soc. Am. 73, 1832), and to multiply by
    it costs far less than by a matrix of this size. It is fixed by the size alone.
    """

    def __init__(self, size: int) -> None:
        rows = next(n for n in range(math.isqrt(size), 0, -1) if size % n == 0)
        self._signs = np.random.default_rng(_SEED).choice(np.array([-1, 1], np.float32), size)
        self._sides = _hartley(rows), _hartley(size // rows)

    def __call__(self, x: Floats) -> Floats:
        """Turn the last axis, [..., size]."""
        rows, columns = self._sides
        rectangle = (x * self._signs).reshape(-1, len(rows), len(columns))
        turned: Floats = np.matmul(rows, rectangle @ columns)
        return turned.reshape(x.shape)


def _hartley(size: int) -> Floats:
    """[size, size], symmetric and its own inverse."""
    angles = 2 * np.pi / size * np.outer(np.arange(size), np.arange(size))
    matrix: Floats = ((np.cos(angles) + np.sin(angles)) / np.sqrt(size)).astype(np.float32)
    return matrix


@final
class Rotation:
    """Turns a decoder's weights, and adapters that were trained on it as it was.

    Args:
        tensors: the folder's weights by name.
        shape: sizes.
    """

    def __init__(self, tensors: Mapping[str, Floats], shape: LlamaShape) -> None:
        self._shape = shape
        self._hidden, self._head = Turn(shape.hidden), Turn(shape.head)
        self._norms = {name: tensor for name, tensor in tensors.items() if tensor.ndim == 1}

    def base(self, tensors: Mapping[str, Floats]) -> dict[str, Floats]:
        """All weights, turned; the last layer always has a matrix of its own, and norms scale nothing any more."""
        turned = {name: np.ones_like(norm) for name, norm in self._norms.items()}
        embedding = tensors["model.embed_tokens.weight"]
        turned["model.embed_tokens.weight"] = self._hidden(embedding)
        last = embedding if self._shape.tied else tensors["lm_head.weight"]
        turned["lm_head.weight"] = self._hidden(last * self._norms["model.norm.weight"])
        with ThreadPoolExecutor(available_cpus()) as pool:  # numpy computes without the interpreter's lock
            for layer in pool.map(lambda number: self._layer(number, tensors), range(self._shape.layers)):
                turned |= layer
        return turned

    def _layer(self, number: int, tensors: Mapping[str, Floats]) -> dict[str, Floats]:
        start = f"model.layers.{number}"
        turned: dict[str, Floats] = {}
        for product, norm in _INPUT_NORM.items():
            scale = self._norms[f"{start}.{norm}.weight"]
            for name in FUSED[product]:
                turned[f"{start}.{name}.weight"] = self._hidden(tensors[f"{start}.{name}.weight"] * scale)
        values, out, down = (f"{start}.{name}.weight" for name in (_VALUES, _OUT, _DOWN))
        turned[values] = self._heads_out(turned[values])
        turned[out] = self._hidden_out(self._heads_in(tensors[out]))
        turned[down] = self._hidden_out(tensors[down])
        return turned

    def lora(self, lora: Lora) -> Lora:
        """An adapter's matrices and head, for the turned weights."""
        pairs = {(layer, product): self._pair(layer, product, pair) for (layer, product), pair in lora.pairs.items()}
        head = None if lora.head is None else self._hidden(lora.head * self._norms["model.norm.weight"])
        return Lora(pairs, head, lora.head_bias)

    def _pair(self, layer: int, product: str, pair: Pair) -> Pair:
        down, up = pair
        if product in _INPUT_NORM:
            down = self._hidden(down * self._norms[f"model.layers.{layer}.{_INPUT_NORM[product]}.weight"])
        if product == "qkv":
            values = len(up) - self._shape.groups * self._shape.head
            up = np.concatenate([up[:values], self._heads_out(up[values:])])
        elif product == "out":
            down, up = self._heads_in(down), self._hidden_out(up)
        elif product == "down":
            up = self._hidden_out(up)
        return Pair(down, up)

    def _hidden_out(self, matrix: Floats) -> Floats:
        """Turn what a matrix [hidden, k] gives."""
        return np.ascontiguousarray(self._hidden(np.ascontiguousarray(matrix.T)).T)

    def _heads_out(self, matrix: Floats) -> Floats:
        """Turn each head that a matrix [heads * head, k] gives."""
        return np.ascontiguousarray(self._heads_in(np.ascontiguousarray(matrix.T)).T)

    def _heads_in(self, matrix: Floats) -> Floats:
        """Turn each head that a matrix [n, heads * head] takes."""
        return self._head(matrix.reshape(len(matrix), -1, self._shape.head)).reshape(matrix.shape)
