"""The decoder as an OpenVINO network: made here, operation by operation, from the model folder's own weights.

Nothing is exported or traced, so neither torch nor a converter is needed to serve. Matrices are 8-bit integers
with a scale for each row; the processor's plugin quantises what goes in, token by token, so that no token's
numbers depend on who shares the step. Every sequence of a step lies behind the other, without padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, final

import numpy as np

from finslm.engine.lora import FUSED
from finslm.engine.quiet_openvino import PagedAttention, op, ov
from finslm.engine.weights import Floats, LlamaShape, Quantised, quantise

BLOCK_TOKENS: Final = 32
"""Tokens in a cache block: what the plugin's paged attention is written for."""

Node = Any
"""OpenVINO's nodes and outputs carry no types."""

Attend = Callable[[int, Node, Node, Node], Node]
"""From a layer's number, queries, keys and values to what attention gives, [T, heads * head]."""


def fused_shapes(shape: LlamaShape) -> dict[str, tuple[int, int]]:
    """Outputs and inputs of each fused product."""
    attention = shape.heads * shape.head
    return {
        "qkv": (attention + 2 * shape.groups * shape.head, shape.hidden),
        "out": (shape.hidden, attention),
        "gate_up": (2 * shape.inner, shape.hidden),
        "down": (shape.hidden, shape.inner),
    }


@final
class Decoder:
    """Builds networks that share the same arrays of weights.

    Args:
        shape: sizes.
        tensors: the folder's weights by name; not kept.
        quantised: matrices in 8-bit integers, or as they are (float32).
    """

    def __init__(self, shape: LlamaShape, tensors: Mapping[str, Floats], *, quantised: bool = True) -> None:
        self._shape = shape
        self._quantised = quantised
        self._norms: dict[str, Floats] = {name: t for name, t in tensors.items() if t.ndim == 1}
        self._products = {
            (layer, product): self._kept(
                np.concatenate([tensors[f"model.layers.{layer}.{name}.weight"] for name in names])
            )
            for layer in range(shape.layers)
            for product, names in FUSED.items()
        }
        self._embedding = self._kept(tensors["model.embed_tokens.weight"])
        last = tensors.get("lm_head.weight")
        self._head = self._embedding if last is None else self._kept(last)

    def writing(self, cache_type: ov.Type, *, adapted: bool) -> ov.Model:
        """The network that reads prompts and writes answers, over a paged cache.

        Args:
            cache_type: number format of the cache.
            adapted: with the inputs of :func:`finslm.engine.lora.network_inputs` and
                :func:`finslm.engine.lora.grouped`; a step without them costs less.

        Inputs: ``ids`` and ``positions`` [T], ``past_lens`` [B], ``subsequence_begins`` [B + 1], ``block_indices``
        [N], ``block_indices_begins`` [B + 1], ``max_context_len`` [], ``wanted`` [W] (rows whose logits are wanted),
        ``key_cache.<layer>`` and ``value_cache.<layer>`` [blocks, groups, 32, head]. Output: ``logits`` [W, V].
        """
        inputs = {name: _input(name, [-1]) for name in _PAGING if name != "max_context_len"}
        inputs["max_context_len"] = _input("max_context_len", [])
        caches: list[Node] = []

        def attend(layer: int, queries: Node, keys: Node, values: Node) -> Node:
            cache = [
                _input(f"{kind}_cache.{layer}", [-1, self._shape.groups, BLOCK_TOKENS, self._shape.head], cache_type)
                for kind in ("key", "value")
            ]
            caches.extend(cache)
            return self._paged(inputs, queries, keys, values, *cache)

        adapters = _Adapters(self._shape, cache_type) if adapted else None
        hidden = self._layers(inputs["ids"], inputs["positions"], attend, adapters)
        chosen = self._normed(op.gather(hidden, inputs["wanted"], _ints(0)), "model.norm.weight")
        logits = _named(self._product(chosen, self._head), "logits")
        return ov.Model([logits], [*inputs.values(), *caches, *(adapters.inputs if adapters else ())], "writing")

    def reading(self, kind: ov.Type) -> ov.Model:
        """The network of classification adapters: whole texts at once, no cache.

        Args:
            kind: number format of the adapters' matrices.

        Inputs: ``ids``, ``positions``, ``texts`` (number of the token's text), ``forward`` (1 where it sees only
        what is before it), all [T]; and those of :func:`finslm.engine.lora.network_inputs` and
        :func:`finslm.engine.lora.grouped`. Output: ``hidden`` [T, hidden], normed.
        """
        inputs = {name: _input(name, [-1]) for name in ("ids", "positions", "texts", "forward")}
        own, other = (op.unsqueeze(inputs["texts"], _ints(axis)) for axis in (1, 0))
        place, behind = (op.unsqueeze(inputs["positions"], _ints(axis)) for axis in (1, 0))
        both = op.equal(op.unsqueeze(inputs["forward"], _ints(1)), op.constant(np.int32(0)))
        seen = op.logical_and(op.equal(own, other), op.logical_or(both, op.less_equal(behind, place)))
        mask = op.select(seen, op.constant(np.float32(0)), op.constant(np.float32(-1e9)))

        def attend(_: int, queries: Node, keys: Node, values: Node) -> Node:
            return self._whole(mask, queries, keys, values)

        adapters = _Adapters(self._shape, kind)
        hidden = self._layers(inputs["ids"], inputs["positions"], attend, adapters)
        normed = _named(self._normed(hidden, "model.norm.weight"), "hidden")
        return ov.Model([normed], [*inputs.values(), *adapters.inputs], "reading")

    def _layers(self, ids: Node, positions: Node, attend: Attend, adapters: _Adapters | None) -> Node:
        shape = self._shape
        rotation = self._rotation(positions)
        sizes = _ints(shape.heads * shape.head, shape.groups * shape.head, shape.groups * shape.head)

        def product(layer: int, name: str, x: Node) -> Node:
            plain = self._product(x, self._products[layer, name])
            return plain if adapters is None else op.add(plain, adapters.product(layer, name, x))

        hidden = self._embedded(ids)
        for layer in range(shape.layers):
            normed = self._normed(hidden, f"model.layers.{layer}.input_layernorm.weight")
            q, k, v = op.variadic_split(product(layer, "qkv", normed), _ints(1), sizes).outputs()
            q, k = (_rotated(x, n, shape.head, *rotation) for x, n in ((q, shape.heads), (k, shape.groups)))
            hidden = op.add(hidden, product(layer, "out", attend(layer, q, k, v)))
            normed = self._normed(hidden, f"model.layers.{layer}.post_attention_layernorm.weight")
            gate, up = op.split(product(layer, "gate_up", normed), _ints(1), 2).outputs()
            hidden = op.add(hidden, product(layer, "down", op.multiply(op.swish(gate), up)))
        return hidden

    def _paged(self, inputs: Mapping[str, Node], q: Node, k: Node, v: Node, keys: Node, values: Node) -> Node:
        """Attention over the cache, into which the new keys and values are written first.

        The operation takes 28 inputs; those from the fourteenth on belong to ways of thinning the cache out and
        are empty, which switches them off. It is not part of OpenVINO's stable interface: pyproject.toml pins
        the version, and the tests compare its numbers with those of transformers.
        """
        none, no_floats, zero = _empty(np.int32), _empty(np.float32), op.constant(np.int32(0))
        scale = op.constant(np.float32(self._shape.head**-0.5))
        order = [inputs[name] for name in ("past_lens", "subsequence_begins", "block_indices", "block_indices_begins")]
        rotation = [none, none, no_floats]
        sparse = [no_floats, zero, zero, op.constant(np.zeros((0, 0, 0, 0), np.float32))]
        eviction = [zero, none, none, none]
        further = [none, _empty(np.uint8), none]
        arguments = [q, k, v, keys, values, *order, scale, zero, no_floats, inputs["max_context_len"], none]
        paged = PagedAttention([_output(x) for x in [*arguments, *rotation, *sparse, *eviction, *further]])
        for name in ("num_k_heads", "num_v_heads"):
            paged.get_rt_info()[name] = self._shape.groups
        for name in ("k_head_size", "v_head_size"):
            paged.get_rt_info()[name] = self._shape.head
        return paged.output(0)

    def _whole(self, mask: Node, q: Node, k: Node, v: Node) -> Node:
        """Attention among the tokens of the step, [T, heads * head]; a group's queries share its keys."""
        groups, head = self._shape.groups, self._shape.head
        grouped = _ints(-1, groups, self._shape.heads // groups, head)
        queries = op.transpose(op.reshape(q, grouped, special_zero=False), _ints(1, 2, 0, 3))
        keys, values = (
            op.transpose(op.reshape(x, _ints(-1, groups, 1, head), special_zero=False), _ints(1, 2, 0, 3))
            for x in (k, v)
        )
        scores = op.multiply(
            op.matmul(queries, keys, transpose_a=False, transpose_b=True), op.constant(np.float32(head**-0.5))
        )
        weights = op.softmax(op.add(scores, mask), -1)
        context = op.transpose(op.matmul(weights, values, transpose_a=False, transpose_b=False), _ints(2, 0, 1, 3))
        return op.reshape(context, _ints(-1, self._shape.heads * head), special_zero=False)

    def _rotation(self, positions: Node) -> tuple[Node, Node]:
        """Cosines and sines of rotary positions (Su et al. 2021, arXiv:2104.09864), each [T, 1, 1, head]."""
        speeds = self._shape.theta ** -(np.arange(0, self._shape.head, 2) / self._shape.head)
        angles = np.outer(np.arange(self._shape.positions), speeds)
        both = np.concatenate([angles, angles], 1)[:, None, None]
        tables = (op.constant(table(both).astype(np.float32)) for table in (np.cos, np.sin))
        cosines, sines = (op.gather(table, positions, _ints(0)) for table in tables)
        return cosines, sines

    def _embedded(self, ids: Node) -> Node:
        if isinstance(self._embedding, Quantised):
            rows, scales = (op.gather(op.constant(part), ids, _ints(0)) for part in self._embedding)
            return op.multiply(op.convert(rows, "f32"), scales)
        return op.gather(op.constant(self._embedding), ids, _ints(0))

    def _normed(self, x: Node, name: str) -> Node:
        """Root mean square norm (Zhang & Sennrich 2019, arXiv:1910.07467)."""
        mean = op.reduce_mean(op.power(x, op.constant(np.float32(2))), _ints(-1), keep_dims=True)
        root = op.sqrt(op.add(mean, op.constant(np.float32(self._shape.epsilon))))
        scaled = op.multiply(x, op.divide(op.constant(np.float32(1)), root))
        return op.multiply(scaled, op.constant(self._norms[name]))

    def _product(self, x: Node, weights: Quantised | Floats) -> Node:
        if isinstance(weights, Quantised):
            matrix = op.multiply(op.convert(op.constant(weights.values), "f32"), op.constant(weights.scales))
        else:
            matrix = op.constant(weights)
        return op.matmul(x, matrix, transpose_a=False, transpose_b=True)

    def _kept(self, matrix: Floats) -> Quantised | Floats:
        return quantise(matrix) if self._quantised else matrix


@final
class _Adapters:
    """What adapters add to the products, and the inputs for it; see :mod:`finslm.engine.lora`."""

    def __init__(self, shape: LlamaShape, kind: ov.Type) -> None:
        self._shapes, self._kind = fused_shapes(shape), kind
        self._slots, self._places = _input("slots", [-1, -1]), _input("places", [-1])
        wears = _input("wears", [-1])
        self._wears = op.equal(op.unsqueeze(wears, _ints(1)), op.constant(np.int32(1)))
        self.inputs: list[Node] = [self._slots, self._places, wears]

    def product(self, layer: int, name: str, x: Node) -> Node:
        """Each token's own addition [T, n]; chosen, not multiplied with 0, so that no other row's NaN comes through."""
        outputs, depth = self._shapes[name]
        down = _input(f"down.{layer}.{name}", [-1, -1, depth], self._kind)
        up = _input(f"up.{layer}.{name}", [-1, outputs, -1], self._kind)
        self.inputs += [down, up]
        own = op.gather(x, self._slots, _ints(0))
        for matrix in (down, up):
            own = op.matmul(own, op.convert(matrix, "f32"), transpose_a=False, transpose_b=True)
        rows = op.gather(op.reshape(own, _ints(-1, outputs), special_zero=False), self._places, _ints(0))
        return op.select(self._wears, rows, op.constant(np.float32(0)))


_PAGING: Final = (
    "ids", "positions", "past_lens", "subsequence_begins", "block_indices", "block_indices_begins",
    "max_context_len", "wanted",
)  # fmt: skip


def _rotated(x: Node, heads: int, head: int, cosines: Node, sines: Node) -> Node:
    """In the one form that the plugin knows as rotary positions and computes at once."""
    split = op.reshape(x, _ints(-1, heads, 1, head), special_zero=False)
    first, second = op.variadic_split(split, _ints(3), _ints(head // 2, head // 2)).outputs()
    turned = op.concat([op.multiply(second, op.constant(np.float32(-1))), first], -1)
    both = op.add(op.multiply(split, cosines), op.multiply(turned, sines))
    return op.reshape(both, _ints(-1, heads * head), special_zero=False)


def _input(name: str, shape: Sequence[int], kind: ov.Type = ov.Type.i32) -> Node:
    parameter = op.parameter(list(shape), kind, name=name)
    return _named(parameter, name)


def _named(node: Node, name: str) -> Node:
    node.output(0).get_tensor().set_names({name})
    return node


def _ints(*values: int) -> Node:
    return op.constant(np.array(values if len(values) > 1 else values[0], np.int64))


def _empty(kind: type[np.generic]) -> Node:
    return op.constant(np.zeros(0, kind))


def _output(node: Node) -> Node:
    return node if isinstance(node, ov.Output) else node.output(0)
