"""A model folder's numbers as numpy arrays, and matrices in 8-bit integers. No torch here."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from finslm.errors import ConfigError

Floats = NDArray[np.float32]

_TYPES: Final[Mapping[str, np.dtype[Any]]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


@final
class Quantised(NamedTuple):
    """``values * scales`` is the matrix, nearly: [rows, columns] int8 and [rows, 1] float32."""

    values: NDArray[np.int8]
    scales: Floats


@final
class LlamaShape(NamedTuple):
    """Sizes of a decoder of the Llama kind (Touvron et al. 2023, arXiv:2302.13971, with grouped queries)."""

    hidden: int
    inner: int
    layers: int
    heads: int
    groups: int
    head: int
    vocabulary: int
    positions: int
    epsilon: float
    theta: float
    tied: bool

    @classmethod
    def read(cls, folder: Path) -> LlamaShape:
        """Read ``config.json``.

        Raises:
            ConfigError: missing, damaged, or a model of another kind.
        """
        try:
            config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"model folder {folder}: no usable config.json: run 'finslm models pull' first"
            ) from error
        rope = config.get("rope_parameters") or {"rope_theta": config.get("rope_theta", 10000.0)}
        odd = [name for name in ("attention_bias", "mlp_bias") if config.get(name)]
        if config.get("model_type") != "llama" or odd or rope.get("rope_type", "default") != "default":
            raise ConfigError(
                f"model folder {folder}: this runner computes plain Llama decoders only, this one is "
                f"{config.get('model_type')}{''.join(f' with {name}' for name in odd)}: set engine.runner to torch"
            )
        heads = int(config["num_attention_heads"])
        return cls(
            hidden=int(config["hidden_size"]),
            inner=int(config["intermediate_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            groups=int(config.get("num_key_value_heads") or heads),
            head=int(config.get("head_dim") or config["hidden_size"] // heads),
            vocabulary=int(config["vocab_size"]),
            positions=int(config["max_position_embeddings"]),
            epsilon=float(config["rms_norm_eps"]),
            theta=float(rope["rope_theta"]),
            tied=bool(config.get("tie_word_embeddings")),
        )

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Outputs and inputs of each matrix of a layer."""
        attention, shared = self.heads * self.head, self.groups * self.head
        return {
            "self_attn.q_proj": (attention, self.hidden),
            "self_attn.k_proj": (shared, self.hidden),
            "self_attn.v_proj": (shared, self.hidden),
            "self_attn.o_proj": (self.hidden, attention),
            "mlp.gate_proj": (self.inner, self.hidden),
            "mlp.up_proj": (self.inner, self.hidden),
            "mlp.down_proj": (self.hidden, self.inner),
        }


def read_base(folder: Path, shape: LlamaShape) -> Mapping[str, Floats]:
    """The weights of a decoder, by name; ``lm_head.weight`` is among them only where it is not the embedding.

    Raises:
        ConfigError: as for :func:`read_tensors`; or one is missing or has another size than config.json says.
    """
    file = folder / "model.safetensors"
    tensors = read_tensors(file)
    wanted: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (shape.vocabulary, shape.hidden)}
    wanted["model.norm.weight"] = (shape.hidden,)
    if not shape.tied:
        wanted["lm_head.weight"] = (shape.vocabulary, shape.hidden)
    for layer in range(shape.layers):
        of_layer: dict[str, tuple[int, ...]] = {**shape.matrices()}
        of_layer |= dict.fromkeys(("input_layernorm", "post_attention_layernorm"), (shape.hidden,))
        wanted |= {f"model.layers.{layer}.{name}.weight": size for name, size in of_layer.items()}
    for name, size in wanted.items():
        found = tensors[name].shape if name in tensors else None
        if found != size:
            raise ConfigError(f"{file}: {name} is {found}, config.json says {size}: pull the model again")
    return {name: tensors[name] for name in wanted}


def read_tensors(file: Path, without: Collection[str] = ()) -> Mapping[str, Floats]:
    """All tensors of a safetensors file, as float32, all of them finite.

    Args:
        without: names of tensors that are no weights and are passed over.

    Raises:
        ConfigError: missing, damaged, of a number format that weights do not have, or with NaN or infinity in it.
    """
    try:
        tensors = deserialize(file.read_bytes())  # type: ignore[no-untyped-call]
        read = {name: _floats(tensor) for name, tensor in tensors if name not in without}
    except (OSError, SafetensorError, KeyError) as error:
        raise ConfigError(f"{file}: {type(error).__name__}: no usable weights: pull or train it again") from error
    for name, floats in read.items():
        # Both are NaN where one number is; no array of answers, one for each number, is made.
        if floats.size and not (math.isfinite(floats.min()) and math.isfinite(floats.max())):
            raise ConfigError(f"{file}: {name} holds numbers that are not finite: pull or train it again")
    return read


def _floats(tensor: Mapping[str, Any]) -> Floats:
    raw: NDArray[Any] = np.frombuffer(tensor["data"], _TYPES[tensor["dtype"]]).reshape(tensor["shape"])
    if tensor["dtype"] == "BF16":  # the upper half of a float32
        raw = (raw.astype(np.uint32) << 16).view(np.float32)
    floats: Floats = raw.astype(np.float32, copy=False)
    return floats


def quantise(matrix: Floats) -> Quantised:
    """Round each row to 255 steps, symmetric; a row of zeros stays zero."""
    largest = np.abs(matrix).max(1, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return Quantised(np.rint(matrix / scales).astype(np.int8), scales)
