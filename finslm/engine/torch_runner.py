"""The runner on transformers: on a GPU, for decoders that the other one does not know, and to compare with."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from finslm.engine.adapters import AdapterCard
from finslm.engine.cache import BLOCK_TOKENS, PagedCache
from finslm.engine.classifier import LoadedClassifier, load_adapter
from finslm.engine.cpu import computes_in_bfloat16
from finslm.engine.runner import Logits, Part
from finslm.errors import ConfigError
from finslm.types import LabelScore

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FEW: Final = 16
"""Tokens, as many as labels have: pieces of prompts are longer, and to put those into one batch saves nothing."""


@final
class TorchRunner:
    """See :class:`finslm.engine.runner.Runner`; on the CPU or on CUDA, classifiers share the decoder's weights.

    Args:
        model: a decoder with a language-model head, in eval mode.
        classifiers: by adapter name.
        pad_id: token that fills short rows of a classification batch.
    """

    def __init__(self, model: PreTrainedModel, classifiers: Mapping[str, LoadedClassifier], pad_id: int) -> None:
        self._model, self._classifiers, self._pad_id = model, classifiers, pad_id
        self._device = next(model.parameters()).device
        self._cache: PagedCache | None = None

    @property
    def max_positions(self) -> int:
        """The model's own window, tokens."""
        return int(self._model.config.max_position_embeddings)

    @property
    def vocabulary(self) -> int:
        """Tokens the model knows."""
        return int(self._model.config.vocab_size)

    @property
    def block_tokens(self) -> int:
        """Tokens in a block of the cache."""
        return BLOCK_TOKENS

    @property
    def block_bytes(self) -> int:
        """Memory of a block, bytes."""
        layers, heads, size = self._sizes()
        return 2 * layers * heads * size * BLOCK_TOKENS * self._model.dtype.itemsize

    def reserve(self, blocks: int) -> None:
        """Make the cache."""
        self._cache = PagedCache(blocks, *self._sizes(), self._model.dtype, self._device)

    @torch.inference_mode()
    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy blocks of the cache."""
        self._kept.copy(pairs)

    @torch.inference_mode()
    def step(self, parts: Sequence[Part]) -> Logits:
        """Sequences that are fed equally few tokens go together; each longer piece goes on its own."""
        results: dict[int, Tensor] = {}
        groups: dict[tuple[int, int], list[int]] = {}
        for place, part in enumerate(parts):
            count = len(part.tokens)
            groups.setdefault((count, place if count > _FEW else 0), []).append(place)
        for group in groups.values():
            logits = self._forward([parts[place] for place in group])
            results |= {place: row[len(row) - parts[place].wanted :] for place, row in zip(group, logits, strict=True)}
        return torch.cat([results[place] for place in range(len(parts))]).numpy()

    def _forward(self, parts: Sequence[Part]) -> Tensor:
        """Logits [B, kept, V] float32 on the CPU, of at least as many tokens as are wanted."""
        positions, mask = self._kept.begin(parts)
        wanted = max([1, *(part.wanted for part in parts)])
        logits: Tensor = self._model(
            input_ids=torch.tensor([list(part.tokens) for part in parts], device=self._device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._kept,
            use_cache=True,
            logits_to_keep=wanted,
        ).logits
        return logits.float().cpu()

    @property
    def _kept(self) -> PagedCache:
        if self._cache is None:
            raise AssertionError("reserve() comes before the first step")
        return self._cache

    def _sizes(self) -> tuple[int, int, int]:
        """Layers, key heads, and size of a head."""
        config = self._model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return int(config.num_hidden_layers), int(heads), int(size)

    def classify(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[list[LabelScore]]:
        """One prefill for each adapter among the jobs."""
        results: list[list[LabelScore]] = [[] for _ in jobs]
        for name in {name for name, _ in jobs}:
            classifier = self._classifiers[name]
            places = [place for place, (other, _) in enumerate(jobs) if other == name]
            rows = classifier.probabilities([list(jobs[place][1]) for place in places], self._pad_id).tolist()
            for place, row in zip(places, rows, strict=True):
                falling = sorted(zip(row, classifier.card.labels, strict=True))[::-1]
                results[place] = [LabelScore(label, score) for score, label in falling]
        return results


def load_torch_runner(
    model_dir: Path, adapters: Mapping[str, Path], dtype: str, threads: int, pad_id: int
) -> TorchRunner:
    """Load weights (safetensors, from disk only) and adapters.

    Args:
        adapters: adapter folders by name.
        dtype: ``auto``, ``bfloat16`` or ``float32``.
        threads: of torch, for the whole process.
        pad_id: see :class:`TorchRunner`.

    Raises:
        ConfigError: a folder is missing or damaged, or an adapter belongs to other weights.
    """
    torch.set_num_threads(threads)
    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers would draw on standard error
    if writers := [name for name, path in adapters.items() if not AdapterCard.read(path).labels]:
        raise ConfigError(f"adapter {writers[0]} writes, which this runner cannot do: set engine.runner to openvino")
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
