"""Adapters that classify and tag on an encoder, the second base, and the encoder itself, computed with OpenVINO.

An encoder is small, so each adapter is put into a copy of its matrices when it is loaded: nothing is added at each
text. The embedding, the largest of its matrices, is looked up here and shared by all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, final

import numpy as np

from finslm.engine.adapters import AdapterCard, check_base
from finslm.engine.lora import Pair, read_lora
from finslm.engine.ov_adapters import label_scores
from finslm.engine.quiet_openvino import op, ov
from finslm.engine.runner import PreparedAdapter
from finslm.engine.states import Hidden
from finslm.engine.tagging import Scores
from finslm.engine.weights import Floats, quantise, read_tensors
from finslm.errors import ConfigError
from finslm.types import LabelScore

_MATRICES: Final = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
_NO_WEIGHTS: Final = ("embeddings.position_ids", "bert.embeddings.position_ids")
"""Integers that some folders keep."""
_BATCH_TOKENS: Final = 1024
"""Tokens, padding included, that are computed at once; more no longer fit a processor's cache."""
_STRETCH: Final = 1.25
"""How much longer the longest text of a batch may be than the shortest: what is padded is computed too."""

T = TypeVar("T")
Node = Any
"""OpenVINO's nodes and outputs carry no types."""


@final
class BertShape(NamedTuple):
    """Sizes of an encoder of the BERT kind (Devlin et al. 2019, arXiv:1810.04805)."""

    hidden: int
    inner: int
    layers: int
    heads: int
    vocabulary: int
    positions: int
    epsilon: float

    @classmethod
    def read(cls, folder: Path) -> BertShape:
        """Read ``config.json``.

        Raises:
            ConfigError: missing, damaged, or a model of another kind.
        """
        try:
            config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
            plain = (
                config["model_type"] == "bert"
                and config.get("hidden_act") == "gelu"
                and config.get("position_embedding_type", "absolute") == "absolute"
            )
            if not plain:
                raise ConfigError(
                    f"model folder {folder}: only plain BERT encoders classify, not {config['model_type']}"
                )
            return cls(
                hidden=int(config["hidden_size"]),
                inner=int(config["intermediate_size"]),
                layers=int(config["num_hidden_layers"]),
                heads=int(config["num_attention_heads"]),
                vocabulary=int(config["vocab_size"]),
                positions=int(config["max_position_embeddings"]),
                epsilon=float(config["layer_norm_eps"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"model folder {folder}: no usable config.json: run 'finslm models pull' first"
            ) from error

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Outputs and inputs of each matrix of a layer."""
        return dict.fromkeys(_MATRICES, (self.hidden, self.hidden)) | {
            "intermediate.dense": (self.inner, self.hidden),
            "output.dense": (self.hidden, self.inner),
        }


@final
@dataclass(frozen=True, slots=True, weakref_slot=True)
class EncoderAdapter:
    """See :class:`finslm.engine.runner.PreparedAdapter`."""

    key: str
    card: AdapterCard
    nbytes: int
    head: tuple[Floats, Floats] = field(repr=False)
    request: Any = field(repr=False)


@final
class OpenVinoEncoder:
    """See :class:`finslm.engine.two_bases.Encoder`.

    Args:
        folder: model folder.
        threads: of a step.
        quantised: matrices in 8-bit integers; else float32.

    Raises:
        ConfigError: the folder cannot be used, or holds a model of another kind.
    """

    def __init__(self, folder: Path, *, threads: int, quantised: bool = True) -> None:
        self._folder, self._quantised = folder, quantised
        self._shape = shape = BertShape.read(folder)
        self._tensors = _read(folder, shape)
        # Every token is of the first segment.
        places = self._tensors["embeddings.position_embeddings.weight"]
        self._places = places + self._tensors["embeddings.token_type_embeddings.weight"][0]
        self._core = ov.Core()
        halves = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        half = ov.Type.bf16 if halves and quantised else ov.Type.f32
        self._options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": half.get_type_name(),
        }
        self._adapters: dict[str, EncoderAdapter] = {}
        self._plain: Any = None

    @property
    def max_positions(self) -> int:
        """The model's own window, tokens."""
        return self._shape.positions

    def prepare(self, key: str, folder: Path) -> EncoderAdapter:
        """Read an adapter and make its network, on any thread.

        Raises:
            ConfigError: damaged, trained on other weights, or not one that classifies or tags.
        """
        card = AdapterCard.read(folder)
        check_base(card, self._folder)
        if card.max_tokens > self._shape.positions:
            raise ConfigError(
                f"adapter {card.name}: max_tokens {card.max_tokens}, {card.base_model} has {self._shape.positions}"
            )
        lora = read_lora(
            folder, self._shape.layers, self._shape.matrices(), {name: (name,) for name in _MATRICES}, stem="layer"
        )
        labels = len(card.labels)
        if lora.head is None or lora.head_bias is None or lora.head.shape != (labels, self._shape.hidden) or not labels:
            raise ConfigError(
                f"adapter {card.name}: {labels} labels on the card, no head for them in it: pull or train it again"
            )
        network = self._network(lora.pairs)
        compiled = self._core.compile_model(network, "CPU", self._options)
        size = 1 if self._quantised else 4
        nbytes = size * self._shape.layers * sum(rows * depth for rows, depth in self._shape.matrices().values())
        return EncoderAdapter(key, card, nbytes, (lora.head, lora.head_bias), compiled.create_infer_request())

    def open_reader(self) -> None:
        """Make the network without an adapter."""
        if self._plain is None:
            self._plain = self._core.compile_model(self._network({}), "CPU", self._options).create_infer_request()

    def read(self, texts: Sequence[Sequence[int]]) -> list[Hidden]:
        """Last hidden states of each text, without an adapter."""
        found: dict[int, Hidden] = {}
        for batch in _batches(sorted(range(len(texts)), key=lambda place: len(texts[place])), list(map(len, texts))):
            hidden = self._hidden(self._plain, [texts[place] for place in batch])
            # Copied: the next batch is written where this one stands.
            found |= {place: row.copy() for place, row in zip(batch, hidden, strict=True)}
        return [found[place] for place in range(len(texts))]

    def adopt(self, prepared: PreparedAdapter) -> None:
        """Let steps use it."""
        if not isinstance(prepared, EncoderAdapter):
            raise TypeError("an adapter of another runner")
        self._adapters[prepared.key] = prepared

    def forget(self, key: str) -> None:
        """Free it."""
        del self._adapters[key]

    def classify(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[list[LabelScore]]:
        """Labels of each text, by falling probability."""
        return self._computed(jobs, lambda adapter, hidden: label_scores(adapter.card, adapter.head, hidden.mean(0)))

    def tag(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[Scores]:
        """See :class:`finslm.engine.runner.TagsTokens`."""
        return self._computed(jobs, lambda adapter, hidden: hidden[1:-1] @ adapter.head[0].T + adapter.head[1])

    def _computed(
        self, jobs: Sequence[tuple[str, Sequence[int]]], result: Callable[[EncoderAdapter, Floats], T]
    ) -> list[T]:
        """Texts of like length go together; nothing that is padded changes a text's numbers."""
        results: dict[int, T] = {}
        for key in dict.fromkeys(key for key, _ in jobs):
            adapter = self._adapters[key]
            places = [place for place, (other, _) in enumerate(jobs) if other == key]
            for batch in _batches(sorted(places, key=lambda place: len(jobs[place][1])), [len(ids) for _, ids in jobs]):
                hidden = self._hidden(adapter.request, [jobs[place][1] for place in batch])
                results |= {place: result(adapter, row) for place, row in zip(batch, hidden, strict=True)}
        return [results[place] for place in range(len(jobs))]

    def _hidden(self, request: Any, texts: Sequence[Sequence[int]]) -> list[Floats]:
        """Each text's last hidden states, [tokens, hidden]."""
        counts = [len(ids) for ids in texts]
        width = max(counts)
        ids, mask = np.zeros((len(texts), width), np.int64), np.full((len(texts), 1, 1, width), -1e9, np.float32)
        for row, own in enumerate(texts):
            ids[row, : len(own)] = own
            mask[row, ..., : len(own)] = 0
        embedded = self._tensors["embeddings.word_embeddings.weight"][ids] + self._places[:width]
        request.set_tensor("embedded", ov.Tensor(np.ascontiguousarray(embedded)))
        request.set_tensor("mask", ov.Tensor(mask))
        request.infer()
        hidden = request.get_tensor("hidden").data
        return [hidden[row, :count] for row, count in enumerate(counts)]

    def _network(self, pairs: Mapping[tuple[int, str], Pair]) -> ov.Model:
        """Inputs ``embedded`` [B, T, hidden] and ``mask`` [B, 1, 1, T], added to the scores; output ``hidden``."""
        embedded, mask = (
            op.parameter([-1, -1, self._shape.hidden], ov.Type.f32),
            op.parameter([-1, 1, 1, -1], ov.Type.f32),
        )
        for node, name in ((embedded, "embedded"), (mask, "mask")):
            node.output(0).get_tensor().set_names({name})
        hidden = self._normed(embedded, "embeddings.LayerNorm")
        for layer in range(self._shape.layers):
            at = f"encoder.layer.{layer}"

            def product(x: Node, name: str, layer: int = layer, at: str = at) -> Node:
                return self._product(x, f"{at}.{name}", pairs.get((layer, name)))

            q, k, v = (self._split(product(hidden, f"attention.self.{name}")) for name in ("query", "key", "value"))
            scale = op.constant(np.float32((self._shape.hidden // self._shape.heads) ** -0.5))
            scores = op.multiply(op.matmul(q, k, transpose_a=False, transpose_b=True), scale)
            weights = op.softmax(op.add(scores, mask), -1)
            context = op.transpose(op.matmul(weights, v, transpose_a=False, transpose_b=False), _ints(0, 2, 1, 3))
            joined = op.reshape(context, _ints(0, 0, self._shape.hidden), special_zero=True)
            hidden = self._normed(
                op.add(hidden, product(joined, "attention.output.dense")), f"{at}.attention.output.LayerNorm"
            )
            inner = op.gelu(product(hidden, "intermediate.dense"), "erf")
            hidden = self._normed(op.add(hidden, product(inner, "output.dense")), f"{at}.output.LayerNorm")
        hidden.output(0).get_tensor().set_names({"hidden"})
        return ov.Model([hidden], [embedded, mask], "encoder")

    def _split(self, x: Node) -> Node:
        """[B, T, hidden] to [B, heads, T, head]."""
        heads = self._shape.heads
        split = op.reshape(x, _ints(0, 0, heads, self._shape.hidden // heads), special_zero=True)
        return op.transpose(split, _ints(0, 2, 1, 3))

    def _product(self, x: Node, name: str, pair: Pair | None) -> Node:
        matrix = self._tensors[f"{name}.weight"]
        if pair is not None:
            matrix = matrix + pair.up @ pair.down
        if self._quantised:
            kept = quantise(matrix)
            weights = op.multiply(op.convert(op.constant(kept.values), "f32"), op.constant(kept.scales))
        else:
            weights = op.constant(matrix)
        plain = op.matmul(x, weights, transpose_a=False, transpose_b=True)
        return op.add(plain, op.constant(self._tensors[f"{name}.bias"]))

    def _normed(self, x: Node, name: str) -> Node:
        """Layer norm (Ba et al. 2016, arXiv:1607.06450)."""
        normed = op.mvn(x, _ints(-1), normalize_variance=True, eps=self._shape.epsilon, eps_mode="INSIDE_SQRT")
        scaled = op.multiply(normed, op.constant(self._tensors[f"{name}.weight"]))
        return op.add(scaled, op.constant(self._tensors[f"{name}.bias"]))


def _batches(places: Sequence[int], counts: Sequence[int]) -> Iterator[list[int]]:
    """Places, which come sorted by length, in batches of little padding."""
    batch: list[int] = []
    for place in places:
        full = (len(batch) + 1) * counts[place] > _BATCH_TOKENS
        if batch and (full or counts[place] > _STRETCH * counts[batch[0]] + 4):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _read(folder: Path, shape: BertShape) -> Mapping[str, Floats]:
    """The encoder's weights, by name without the model's own prefix.

    Raises:
        ConfigError: as for :func:`finslm.engine.weights.read_tensors`; or one is missing or of another size.
    """
    file = folder / "model.safetensors"
    tensors = {name.removeprefix("bert."): tensor for name, tensor in read_tensors(file, without=_NO_WEIGHTS).items()}
    wanted: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (shape.vocabulary, shape.hidden),
        "embeddings.position_embeddings.weight": (shape.positions, shape.hidden),
        "embeddings.LayerNorm.weight": (shape.hidden,),
        "embeddings.LayerNorm.bias": (shape.hidden,),
    }
    for layer in range(shape.layers):
        at = f"encoder.layer.{layer}"
        for name, (outputs, inputs) in shape.matrices().items():
            wanted |= {f"{at}.{name}.weight": (outputs, inputs), f"{at}.{name}.bias": (outputs,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            wanted |= dict.fromkeys((f"{at}.{name}.weight", f"{at}.{name}.bias"), (shape.hidden,))
    segments = "embeddings.token_type_embeddings.weight"
    if segments not in tensors or tensors[segments].shape[1:] != (shape.hidden,):
        raise ConfigError(f"{file}: no usable {segments}: pull the model again")
    for name, size in wanted.items():
        found = tensors[name].shape if name in tensors else None
        if found != size:
            raise ConfigError(f"{file}: {name} is {found}, config.json says {size}: pull the model again")
    return {name: tensors[name] for name in (*wanted, segments)}


def _ints(*values: int) -> Node:
    return op.constant(np.array(values, np.int64))
