"""Adapters as inputs of the OpenVINO networks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from finslm.engine.adapters import AdapterCard
from finslm.engine.lora import grouped, network_inputs, read_lora, stack
from finslm.engine.ov_graph import fused_shapes
from finslm.engine.quiet_openvino import ov
from finslm.engine.rotation import Rotation
from finslm.engine.weights import Floats, LlamaShape
from finslm.errors import ConfigError
from finslm.types import LabelScore

_STACKS: Final = 4
"""Sets of adapters that are kept put together."""
_SPARE: Final = 4
"""A set that is put together serves a step that needs as few as one in so many of it: it computes some in vain, but to
put another one together takes longer than a step."""

Tensors = dict[str, ov.Tensor]


@final
@dataclass(frozen=True, slots=True, weakref_slot=True)
class Matrices:
    """What :func:`finslm.engine.lora.network_inputs` gives, and the saved head and its bias if there is one."""

    tensors: Tensors
    head: tuple[Floats, Floats] | None

    @property
    def nbytes(self) -> int:
        """Memory of all of them."""
        return sum(int(tensor.byte_size) for tensor in self.tensors.values()) + sum(
            array.nbytes for array in self.head or ()
        )


@final
@dataclass(frozen=True, slots=True)
class OpenVinoAdapter:
    """See :class:`finslm.engine.runner.PreparedAdapter`; ``network`` is that of its kind, where it is the first."""

    key: str
    card: AdapterCard
    matrices: Matrices = field(repr=False)
    network: Any = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Memory of its matrices."""
        return self.matrices.nbytes


@final
class OpenVinoAdapters:
    """The adapters that steps may use.

    Args:
        shape: of the base.
        half: number format of their matrices.
        rotation: of the base; None where it is as it was trained.
    """

    def __init__(self, shape: LlamaShape, half: ov.Type, rotation: Rotation | None) -> None:
        self._shape, self._half, self._rotation = shape, half, rotation
        self._adapters: dict[str, OpenVinoAdapter] = {}
        self._stacks: OrderedDict[tuple[str, ...], Tensors] = OrderedDict()
        self._worn: dict[int, tuple[str, ...]] = {}

    def read(self, folder: Path, card: AdapterCard) -> Matrices:
        """An adapter's matrices in the network's number format; on any thread.

        Raises:
            ConfigError: see :func:`finslm.engine.lora.read_lora`; or no head that fits the labels.
        """
        lora = read_lora(folder, self._shape.layers, self._shape.matrices())
        labels = len(card.labels)
        head = [None if array is None else array.shape for array in (lora.head, lora.head_bias)]
        if head != ([(labels, self._shape.hidden), (labels,)] if labels else [None, None]):
            raise ConfigError(
                f"adapter {card.name}: {labels} labels on the card, no head for them in it: pull or train it again"
            )
        if self._rotation is not None:
            lora = self._rotation.lora(lora)
        arrays = network_inputs(lora, self._shape.layers, fused_shapes(self._shape), self._bits)
        tensors = {name: _tensor(array, self._half) for name, array in arrays}
        return Matrices(tensors, None if lora.head is None or lora.head_bias is None else (lora.head, lora.head_bias))

    def add(self, adapter: OpenVinoAdapter) -> None:
        """From now on steps may use it."""
        self._adapters[adapter.key] = adapter

    def remove(self, key: str) -> None:
        """Free it and every set it is in."""
        del self._adapters[key]
        for keys in [keys for keys in self._stacks if key in keys]:
            del self._stacks[keys]
        self._worn.clear()

    def card(self, key: str) -> AdapterCard:
        """What serving needs to know of it."""
        return self._adapters[key].card

    def put_on(self, request: Any, keys: Sequence[str], counts: Sequence[int]) -> None:
        """Give a network the adapters that a step needs, and say which token has which.

        Args:
            request: with the inputs of :func:`finslm.engine.lora.stack`.
            keys: adapter of each sequence; empty for none.
            counts: its tokens.
        """
        chosen, tensors = self._set_for({key for key in keys if key})
        if self._worn.get(id(request)) != chosen:
            for name, tensor in tensors.items():
                request.set_tensor(name, tensor)
            self._worn[id(request)] = chosen
        numbers = {key: number for number, key in enumerate(chosen)} | {"": -1}
        put(request, grouped([numbers[key] for key in keys], counts, len(chosen)))

    def _set_for(self, needed: set[str]) -> tuple[tuple[str, ...], Tensors]:
        """A set that has all of them and is put together; the smallest there is, or a new one."""
        if len(needed) == 1:  # no set: the adapter's own tensors
            (key,) = needed
            return (key,), self._adapters[key].matrices.tensors
        fitting = [keys for keys in self._stacks if needed.issubset(keys) and len(keys) <= _SPARE * len(needed)]
        chosen = min(fitting, key=len, default=tuple(sorted(needed)))
        if chosen not in self._stacks:
            if len(self._stacks) >= _STACKS:
                self._stacks.popitem(last=False)
            every = [self._adapters[key].matrices.tensors for key in chosen]
            arrays = [{name: _plain(tensor) for name, tensor in tensors.items()} for tensors in every]
            self._stacks[chosen] = {name: _tensor(array, self._half) for name, array in stack(arrays)}
        self._stacks.move_to_end(chosen)
        return chosen, self._stacks[chosen]

    def scores(self, key: str, pooled: Floats) -> list[LabelScore]:
        """Labels by falling probability, calibrated by the card's temperature."""
        adapter = self._adapters[key]
        if adapter.matrices.head is None:
            raise AssertionError("read() refuses one that classifies and has no head")
        return label_scores(adapter.card, adapter.matrices.head, pooled)

    def _bits(self, values: Floats) -> NDArray[Any]:
        """As the network takes it. numpy has no bfloat16, which is the upper half of a float32, rounded to even."""
        if self._half == ov.Type.f32:
            return values
        bits = np.ascontiguousarray(values).view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def label_scores(card: AdapterCard, head: tuple[Floats, Floats], pooled: Floats) -> list[LabelScore]:
    """Labels by falling probability, calibrated by the card's temperature.

    Args:
        head: weights [labels, hidden] and bias [labels].
        pooled: mean of a text's hidden states, [hidden].
    """
    features = pooled.astype(np.float32)
    if card.pooled_length is not None:
        features = features * np.float32(card.pooled_length / max(float(np.linalg.norm(features)), 1e-12))
    logits = (head[0] @ features + head[1]) / card.temperature
    powers = np.exp(logits - logits.max())
    shares = (powers / powers.sum()).tolist()
    return [LabelScore(label, share) for share, label in sorted(zip(shares, card.labels, strict=True))[::-1]]


def _tensor(values: NDArray[Any], kind: ov.Type) -> ov.Tensor:
    """A tensor of its own."""
    tensor = ov.Tensor(kind, ov.Shape(values.shape))
    _plain(tensor)[:] = values
    return tensor


def _plain(tensor: ov.Tensor) -> NDArray[Any]:
    """The very numbers of a tensor; numpy has no bfloat16, so that one as plain bits."""
    array: NDArray[Any] = tensor.data
    return array.view(np.uint16) if tensor.element_type == ov.Type.bf16 else array


def put(request: Any, values: Mapping[str, NDArray[Any]]) -> None:
    """Set inputs by name."""
    for name, value in values.items():
        request.set_tensor(name, ov.Tensor(value))


def ints(values: Any) -> NDArray[np.int32]:
    """As the networks take numbers."""
    return np.array(values, np.int32)
