"""The runner on OpenVINO: what a processor without a GPU serves small models with fastest (docs/engine.md)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from finslm.engine.adapters import AdapterCard, check_base
from finslm.engine.lora import FUSED, Lora, read_lora, stack
from finslm.engine.ov_graph import BLOCK_TOKENS, Decoder, fused_shapes
from finslm.engine.quiet_openvino import ov
from finslm.engine.runner import Logits, Part
from finslm.engine.weights import Floats, LlamaShape, read_tensors
from finslm.errors import ConfigError
from finslm.types import LabelScore

_STACKS: Final = 4
"""Sets of adapters that are kept put together."""
_GROUP: Final = 64
"""Inputs that share a scale when a token is quantised; of the sizes that were tried the fastest and no less exact."""


@final
class OpenVinoRunner:
    """See :class:`finslm.engine.runner.Runner`.

    Args:
        folder: model folder.
        adapters: adapter folders by name.
        threads: of a step.
        quantised: matrices in 8-bit integers; else float32 throughout.

    Raises:
        ConfigError: a folder cannot be used, or holds a model of another kind.
    """

    def __init__(self, folder: Path, adapters: Mapping[str, Path], *, threads: int, quantised: bool = True) -> None:
        self._shape = shape = LlamaShape.read(folder)
        decoder = Decoder(shape, read_tensors(folder / "model.safetensors"), quantised=quantised)
        self._core = ov.Core()
        halves = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._half = ov.Type.bf16 if halves and quantised else ov.Type.f32
        self._options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": self._half.get_type_name(),
            "KV_CACHE_PRECISION": self._half.get_type_name(),
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": _GROUP if quantised else 0,
        }
        self._caches: list[ov.Tensor] = []
        self._adapters = loaded = _Adapters(folder, adapters, shape, self._half)
        self._writing = self._compiled(decoder.writing(self._half, adapted=False))
        # Networks of their own: without adapters in it, a step costs less.
        self._adapted = self._compiled(decoder.writing(self._half, adapted=True)) if loaded.any_writes else None
        self._reading = self._compiled(decoder.reading(self._half)) if loaded.any_classifies else None

    @property
    def max_positions(self) -> int:
        """The model's own window, tokens."""
        return self._shape.positions

    @property
    def vocabulary(self) -> int:
        """Tokens the model knows."""
        return self._shape.vocabulary

    @property
    def block_tokens(self) -> int:
        """Tokens in a block of the cache."""
        return BLOCK_TOKENS

    @property
    def block_bytes(self) -> int:
        """Memory of a block, bytes."""
        return 2 * self._shape.layers * self._shape.groups * BLOCK_TOKENS * self._shape.head * int(self._half.size)

    def reserve(self, blocks: int) -> None:
        """Make the cache."""
        size = [blocks, self._shape.groups, BLOCK_TOKENS, self._shape.head]
        for layer in range(self._shape.layers):
            for kind in ("key", "value"):
                cache = ov.Tensor(self._half, ov.Shape(size))
                self._caches.append(cache)
                for request in filter(None, (self._writing, self._adapted)):
                    request.set_tensor(f"{kind}_cache.{layer}", cache)

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy blocks of the cache, between steps; the plugin works on the very same memory."""
        sources, targets = np.array(pairs, np.intp).reshape(-1, 2).T
        for cache in self._caches:
            # As plain bits: numpy has no bfloat16.
            blocks = cache.data.view(np.uint16 if self._half == ov.Type.bf16 else np.uint32)
            blocks[targets] = blocks[sources]

    def step(self, parts: Sequence[Part]) -> Logits:
        """Feed all parts in one call."""
        counts = [len(part.tokens) for part in parts]
        ends = np.cumsum(counts)
        blocks = [part.blocks[: -(-(part.past + len(part.tokens)) // BLOCK_TOKENS)] for part in parts]
        wanted = [np.arange(end - part.wanted, end) for part, end in zip(parts, ends, strict=True)]
        request = self._writing
        if any(part.adapter for part in parts):
            if self._adapted is None:
                raise AssertionError("an adapter that writes is loaded before it is used")
            request = self._adapted
            self._adapters.put_on(request, [part.adapter for part in parts], counts)
        _set(
            request,
            {
                "ids": _ints(np.concatenate([part.tokens for part in parts])),
                "positions": _ints(np.concatenate([np.arange(n) + p.past for p, n in zip(parts, counts, strict=True)])),
                "past_lens": _ints([part.past for part in parts]),
                "subsequence_begins": _ints([0, *ends]),
                "block_indices": _ints(np.concatenate(blocks)),
                "block_indices_begins": _ints(np.cumsum([0, *map(len, blocks)])),
                "max_context_len": _ints(max(part.past + len(part.tokens) for part in parts)),
                "wanted": _ints(np.concatenate(wanted)),
            },
        )
        request.infer()
        logits: Logits = request.get_tensor("logits").data
        return logits

    def classify(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[list[LabelScore]]:
        """All texts in one call, each seeing itself only."""
        if self._reading is None:
            raise AssertionError("an adapter that classifies is loaded before it is used")
        counts = [len(tokens) for _, tokens in jobs]
        cards = [self._adapters.cards[name] for name, _ in jobs]
        _set(
            self._reading,
            {
                "ids": _ints(np.concatenate([tokens for _, tokens in jobs])),
                "positions": _ints(np.concatenate([np.arange(count) for count in counts])),
                "texts": _ints(np.repeat(np.arange(len(jobs)), counts)),
                "forward": _ints(np.repeat([not card.bidirectional for card in cards], counts)),
            },
        )
        self._adapters.put_on(self._reading, [name for name, _ in jobs], counts)
        self._reading.infer()
        hidden = self._reading.get_tensor("hidden").data
        starts = np.cumsum([0, *counts])
        return [
            self._adapters.scores(name, hidden[start:end].mean(0))
            for (name, _), start, end in zip(jobs, starts, starts[1:], strict=False)
        ]

    def _compiled(self, model: ov.Model) -> Any:
        return self._core.compile_model(model, "CPU", self._options).create_infer_request()


@final
class _Adapters:
    """The adapters' matrices, and heads and labels of those that classify."""

    def __init__(self, base: Path, folders: Mapping[str, Path], shape: LlamaShape, half: ov.Type) -> None:
        self._shape, self._half = shape, half
        self.cards = {name: AdapterCard.read(folder) for name, folder in folders.items()}
        for card in self.cards.values():
            check_base(card, base)
        self.any_writes = any(not card.labels for card in self.cards.values())
        self.any_classifies = any(card.labels for card in self.cards.values())
        widths = _widths(shape)
        self._loras = {name: read_lora(folder, shape.layers, widths) for name, folder in folders.items()}
        self._heads = {
            name: _head(self._loras[name], card, shape.hidden) for name, card in self.cards.items() if card.labels
        }
        self._stacks: OrderedDict[tuple[str, ...], dict[str, ov.Tensor]] = OrderedDict()
        self._worn: dict[int, tuple[str, ...]] = {}

    def put_on(self, request: Any, names: Sequence[str], counts: Sequence[int]) -> None:
        """Give a network the adapters that a step needs, and say which token has which.

        Args:
            request: with the inputs of :func:`finslm.engine.lora.stack`.
            names: adapter of each sequence; empty for none.
            counts: its tokens.
        """
        needed = tuple(sorted({name for name in names if name}))
        if self._worn.get(id(request)) != needed:
            for name, tensor in self._stack(needed).items():
                request.set_tensor(name, tensor)
            self._worn[id(request)] = needed
        numbers = {name: number for number, name in enumerate(needed)} | {"": len(needed)}
        _set(request, {"adapters": _ints(np.repeat([numbers[name] for name in names], counts))})

    def _stack(self, names: tuple[str, ...]) -> dict[str, ov.Tensor]:
        """Adapters that are often needed together are put together once."""
        if names not in self._stacks:
            if len(self._stacks) >= _STACKS:
                self._stacks.popitem(last=False)
            made = stack([self._loras[name] for name in names], self._shape.layers, fused_shapes(self._shape))
            self._stacks[names] = {key: _tensor(values, self._half) for key, values in made}
        self._stacks.move_to_end(names)
        return self._stacks[names]

    def scores(self, name: str, pooled: Floats) -> list[LabelScore]:
        """Labels by falling probability, calibrated by the card's temperature."""
        card, (weight, bias) = self.cards[name], self._heads[name]
        logits = (weight @ pooled.astype(np.float32) + bias) / card.temperature
        powers = np.exp(logits - logits.max())
        shares = (powers / powers.sum()).tolist()
        return [LabelScore(label, share) for share, label in sorted(zip(shares, card.labels, strict=True))[::-1]]


def _head(lora: Lora, card: AdapterCard, hidden: int) -> tuple[Floats, Floats]:
    if lora.head is None or lora.head_bias is None or lora.head.shape != (len(card.labels), hidden):
        raise ConfigError(f"adapter {card.name}: no head of {len(card.labels)} labels in it: pull or train it again")
    return lora.head, lora.head_bias


def _widths(shape: LlamaShape) -> dict[str, int]:
    attention, shared = shape.heads * shape.head, shape.groups * shape.head
    sizes = (attention, shared, shared, shape.hidden, shape.inner, shape.inner, shape.hidden)
    return dict(zip((name for names in FUSED.values() for name in names), sizes, strict=True))


def _tensor(values: Floats, kind: ov.Type) -> ov.Tensor:
    """A tensor of its own; numpy has no bfloat16, which is the upper half of a float32, rounded to even."""
    tensor = ov.Tensor(kind, ov.Shape(values.shape))
    if kind == ov.Type.f32:
        tensor.data[:] = values
    else:
        bits = values.view(np.uint32)
        tensor.data.view(np.uint16)[:] = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return tensor


def _set(request: Any, values: Mapping[str, NDArray[Any]]) -> None:
    for name, value in values.items():
        request.set_tensor(name, ov.Tensor(value))


def _ints(values: Any) -> NDArray[np.int32]:
    return np.array(values, np.int32)
