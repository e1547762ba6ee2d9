"""The runner on OpenVINO: what a processor without a GPU serves small models with fastest (docs/engine.md)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from finslm.engine.adapters import AdapterCard, check_base, refuse_tagging
from finslm.engine.lora import calls
from finslm.engine.ov_adapters import OpenVinoAdapter, OpenVinoAdapters, ints, put
from finslm.engine.ov_graph import BLOCK_TOKENS, Decoder
from finslm.engine.quiet_openvino import ov
from finslm.engine.rotation import Rotation
from finslm.engine.runner import Logits, Part, PreparedAdapter
from finslm.engine.weights import LlamaShape, read_base
from finslm.types import LabelScore

_GROUP: Final = 192
"""Inputs that share a scale when a token is quantised; of the sizes that were tried the fastest and no less exact."""


@final
class OpenVinoRunner:
    """See :class:`finslm.engine.runner.Runner`.

    Args:
        folder: model folder.
        threads: of a step.
        quantised: matrices in 8-bit integers; else float32 throughout.
        writes, classifies: adapters of that kind will come; for the first that was not announced, the weights are
            read once more.

    Raises:
        ConfigError: a folder cannot be used, or holds a model of another kind.
    """

    def __init__(
        self, folder: Path, *, threads: int, quantised: bool = True, writes: bool = False, classifies: bool = False
    ) -> None:
        self._folder, self._quantised = folder, quantised
        self._shape = shape = LlamaShape.read(folder)
        self._rotation: Rotation | None = None
        decoder = self._decoder()
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
        self._caches: dict[str, ov.Tensor] = {}
        self._adapters = OpenVinoAdapters(shape, self._half, self._rotation)
        # Networks of their own: without adapters in it, a step costs less.
        wanted = [
            decoder.writing(self._half, adapted=False),
            decoder.writing(self._half, adapted=True) if writes else None,
            decoder.reading(self._half) if classifies else None,
        ]
        with ThreadPoolExecutor(len(wanted)) as pool:
            made: list[Any] = list(pool.map(lambda model: None if model is None else self._compiled(model), wanted))
        self._writing, self._adapted, self._reading = made

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
                self._caches[f"{kind}_cache.{layer}"] = ov.Tensor(self._half, ov.Shape(size))
        for request in filter(None, (self._writing, self._adapted)):
            self._give_cache(request)

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy blocks of the cache, between steps; the plugin works on the very same memory."""
        sources, targets = np.array(pairs, np.intp).reshape(-1, 2).T
        for cache in self._caches.values():
            # As plain bits: numpy has no bfloat16.
            blocks = cache.data.view(np.uint16 if self._half == ov.Type.bf16 else np.uint32)
            blocks[targets] = blocks[sources]

    def step(self, parts: Sequence[Part]) -> Logits:
        """Feed all parts, in one call where that is the fastest."""
        together = calls([part.adapter for part in parts], [len(part.tokens) for part in parts])
        if len(together) == 1:
            return self._call(parts)
        rows: dict[int, Logits] = {}
        for places in together:
            logits = self._call([parts[place] for place in places]).copy()
            ends = np.cumsum([parts[place].wanted for place in places])[:-1]
            rows |= dict(zip(places, np.split(logits, ends), strict=True))
        return np.concatenate([rows[place] for place in range(len(parts))])

    def _call(self, parts: Sequence[Part]) -> Logits:
        counts = [len(part.tokens) for part in parts]
        ends = np.cumsum(counts)
        blocks = [part.blocks[: -(-(part.past + len(part.tokens)) // BLOCK_TOKENS)] for part in parts]
        wanted = [np.arange(end - part.wanted, end) for part, end in zip(parts, ends, strict=True)]
        request = self._writing
        if any(part.adapter for part in parts):
            if self._adapted is None:
                raise AssertionError("adopt() comes before the first step with it")
            request = self._adapted
            self._adapters.put_on(request, [part.adapter for part in parts], counts)
        put(
            request,
            {
                "ids": ints(np.concatenate([part.tokens for part in parts])),
                "positions": ints(np.concatenate([np.arange(n) + p.past for p, n in zip(parts, counts, strict=True)])),
                "past_lens": ints([part.past for part in parts]),
                "subsequence_begins": ints([0, *ends]),
                "block_indices": ints(np.concatenate(blocks)),
                "block_indices_begins": ints(np.cumsum([0, *map(len, blocks)])),
                "max_context_len": ints(max(part.past + len(part.tokens) for part in parts)),
                "wanted": ints(np.concatenate(wanted)),
            },
        )
        request.infer()
        logits: Logits = request.get_tensor("logits").data
        return logits

    def classify(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[list[LabelScore]]:
        """All texts in one call, each seeing itself only."""
        if self._reading is None:
            raise AssertionError("adopt() comes before the first step with it")
        counts = [len(tokens) for _, tokens in jobs]
        cards = [self._adapters.card(key) for key, _ in jobs]
        put(
            self._reading,
            {
                "ids": ints(np.concatenate([tokens for _, tokens in jobs])),
                "positions": ints(np.concatenate([np.arange(count) for count in counts])),
                "texts": ints(np.repeat(np.arange(len(jobs)), counts)),
                "forward": ints(np.repeat([not card.bidirectional for card in cards], counts)),
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

    def prepare(self, key: str, folder: Path) -> OpenVinoAdapter:
        """Read an adapter, and make the network it needs if it is the first of its kind."""
        card = AdapterCard.read(folder)
        check_base(card, self._folder)
        refuse_tagging(card)
        matrices = self._adapters.read(folder, card)
        network = None
        if card.labels and self._reading is None:
            network = self._compiled(self._decoder().reading(self._half))
        elif not card.labels and self._adapted is None:
            network = self._compiled(self._decoder().writing(self._half, adapted=True))
            self._give_cache(network)
        return OpenVinoAdapter(key, card, matrices, network)

    def adopt(self, prepared: PreparedAdapter) -> None:
        """Let steps use it."""
        if not isinstance(prepared, OpenVinoAdapter):
            raise TypeError("an adapter of another runner")
        self._adapters.add(prepared)
        if prepared.card.labels:
            self._reading = self._reading or prepared.network
        else:
            self._adapted = self._adapted or prepared.network

    def forget(self, key: str) -> None:
        """Free it."""
        self._adapters.remove(key)

    def _decoder(self) -> Decoder:
        tensors = read_base(self._folder, self._shape)
        if self._quantised:
            self._rotation = Rotation(tensors, self._shape)
            tensors = self._rotation.base(tensors)
        return Decoder(self._shape, tensors, quantised=self._quantised)

    def _give_cache(self, request: Any) -> None:
        for name, cache in self._caches.items():
            request.set_tensor(name, cache)

    def _compiled(self, model: ov.Model) -> Any:
        return self._core.compile_model(model, "CPU", self._options).create_infer_request()
