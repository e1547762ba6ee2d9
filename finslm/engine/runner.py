"""The torch part: read a prompt, decode one step over all rows, score labels. Called by one thread only."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, DynamicCache

from finslm.engine.cache import BatchedCache
from finslm.engine.classifier import LoadedClassifier, load_adapter
from finslm.engine.cpu import computes_in_bfloat16
from finslm.errors import ConfigError
from finslm.types import LabelScore

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Runner(Protocol):
    """The seam below the step loop: rows of running sequences, joined by prefill, in the order they joined."""

    @property
    def rows(self) -> int:
        """Sequences in the cache."""
        ...

    def prefill(self, tokens: Sequence[int]) -> Tensor:
        """Read a prompt, add its row as the last one; logits after it, [V] float32 on the CPU."""
        ...

    def decode(self, tokens: Sequence[int]) -> Tensor:
        """Feed one token to each row; logits, [B, V] float32 on the CPU."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all other rows."""
        ...

    def classify(self, adapter: str, prompts: Sequence[Sequence[int]]) -> list[list[LabelScore]]:
        """Labels of each prompt by falling probability."""
        ...


class TorchRunner:
    """A transformers decoder on the CPU or on CUDA, and classifiers that share its weights.

    Args:
        model: a decoder with a language-model head, in eval mode.
        classifiers: by adapter name.
        pad_id: token that fills short rows of a classification batch.
    """

    def __init__(self, model: PreTrainedModel, classifiers: Mapping[str, LoadedClassifier], pad_id: int) -> None:
        self._model, self._classifiers, self._pad_id = model, classifiers, pad_id
        self._device = next(model.parameters()).device
        self._cache = BatchedCache()

    @property
    def rows(self) -> int:
        """Sequences in the cache."""
        return len(self._cache.lengths)

    @property
    def max_positions(self) -> int:
        """The model's own window, tokens."""
        return int(self._model.config.max_position_embeddings)

    @property
    def cache_bytes(self) -> int:
        """Memory of the cache, bytes; 0 when nothing runs."""
        return self._cache.nbytes

    @torch.inference_mode()
    def prefill(self, tokens: Sequence[int]) -> Tensor:
        """Read one prompt on its own, so that its numbers do not depend on what else is waiting."""
        cache = DynamicCache(config=self._model.config)
        ids = torch.tensor([tokens], device=self._device)
        logits = self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        layers: Any = cache.layers  # all of the plain kind: keys and values [1, heads, T, size]
        self._cache.join([(layer.keys, layer.values) for layer in layers])
        return cast(Tensor, logits[0, -1].float().cpu())

    @torch.inference_mode()
    def decode(self, tokens: Sequence[int]) -> Tensor:
        """One forward pass over all rows."""
        positions, mask = self._cache.begin()
        logits = self._model(
            input_ids=torch.tensor(tokens, device=self._device)[:, None],
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
        ).logits
        return cast(Tensor, logits[:, -1].float().cpu())

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> None:
        """Drop all other rows and their memory."""
        self._cache.keep(rows)

    def classify(self, adapter: str, prompts: Sequence[Sequence[int]]) -> list[list[LabelScore]]:
        """One prefill for all prompts; no generation."""
        classifier = self._classifiers[adapter]
        scores = classifier.probabilities([list(tokens) for tokens in prompts], self._pad_id).tolist()
        return [
            [LabelScore(label, score) for score, label in sorted(zip(row, classifier.card.labels, strict=True))[::-1]]
            for row in scores
        ]


def load_runner(model_dir: Path, adapters: Mapping[str, Path], dtype: str, pad_id: int) -> TorchRunner:
    """Load weights (safetensors, from disk only) and adapters.

    Args:
        adapters: adapter folders by name.
        dtype: ``auto``, ``bfloat16`` or ``float32``.

    Raises:
        ConfigError: a folder is missing or damaged, or an adapter belongs to other weights.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = _load_model(model_dir, choose_dtype(dtype, device.type))  # in eval mode, as from_pretrained leaves it
    nn.Module.to(model, device)
    classifiers = {name: load_adapter(sharing_copy(model), path, base_dir=model_dir) for name, path in adapters.items()}
    for classifier in classifiers.values():
        classifier.module.to(device).eval()
    return TorchRunner(model, classifiers, pad_id)


def _load_model(model_dir: Path, dtype: torch.dtype) -> PreTrainedModel:
    if not (model_dir / "config.json").is_file():
        raise ConfigError(f"model folder {model_dir} has no config.json: run 'finslm models pull' first")
    try:
        return cast(
            "PreTrainedModel",
            AutoModelForCausalLM.from_pretrained(
                str(model_dir),
                dtype=dtype,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                attn_implementation="sdpa",
            ),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"model folder {model_dir}: {type(error).__name__}: pull the model again") from error


def choose_dtype(setting: str, device: str) -> torch.dtype:
    """The number format of the weights: bfloat16 where the hardware computes in it, unless set otherwise."""
    if setting == "auto":
        setting = "bfloat16" if device == "cuda" or computes_in_bfloat16() else "float32"
    return torch.bfloat16 if setting == "bfloat16" else torch.float32


def sharing_copy(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of the backbone whose modules are new and whose weights are the very same tensors.

    An adapter that wraps the copy's modules cannot reach generation, and costs no second set of weights.
    """
    backbone = model.base_model
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*backbone.parameters(), *backbone.buffers())}
    return cast("PreTrainedModel", copy.deepcopy(backbone, shared))
