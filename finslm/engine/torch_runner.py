"""The runner on transformers: on a GPU, for decoders that the other one does not know, and to compare with."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from finslm.engine.adapters import WEIGHTS_FILE, AdapterCard, check_base, refuse_tagging
from finslm.engine.cache import BLOCK_TOKENS, PagedCache
from finslm.engine.classifier import LoadedClassifier, load_adapter
from finslm.engine.cpu import computes_in_bfloat16
from finslm.engine.lora import lora_scale
from finslm.engine.runner import Logits, Part, PreparedAdapter
from finslm.engine.weights import read_tensors
from finslm.errors import ConfigError
from finslm.types import LabelScore

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FEW: Final = 16
"""Tokens, as many as labels have: pieces of prompts are longer, and to put those into one batch saves nothing."""


@final
@dataclass(frozen=True, slots=True, weakref_slot=True)
class TorchAdapter:
    """See :class:`finslm.engine.runner.PreparedAdapter`; one that classifies comes with its network."""

    key: str
    folder: Path
    nbytes: int
    classifier: LoadedClassifier | None


@final
class TorchRunner:
    """See :class:`finslm.engine.runner.Runner`; on the CPU or on CUDA, adapters share the decoder's weights.

    Args:
        model: a decoder with a language-model head, in eval mode.
        folder: where it was read from.
        pad_id: token that fills short rows of a classification batch.
    """

    def __init__(self, model: PreTrainedModel, folder: Path, pad_id: int) -> None:
        self._model, self._folder, self._pad_id = model, folder, pad_id
        # Adapters that write are put between the modules of ``model``; those that classify start from this.
        self._backbone = sharing_copy(model)
        self._classifiers: dict[str, LoadedClassifier] = {}
        self._writers: set[str] = set()
        self._worn = ""
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
        """Sequences of one adapter that are fed equally few tokens go together; each longer piece goes on its own."""
        results: dict[int, Tensor] = {}
        groups: dict[tuple[str, int, int], list[int]] = {}
        for place, part in enumerate(parts):
            count = len(part.tokens)
            groups.setdefault((part.adapter, count, place if count > _FEW else 0), []).append(place)
        for (adapter, _, _), group in sorted(groups.items()):
            self._put_on(adapter)
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

    def _put_on(self, key: str) -> None:
        """Adapters are switched module by module, so only where the next group has another one."""
        if key == self._worn:
            return
        if key:
            self._model.enable_adapters()
            self._model.set_adapter(key)
        else:
            self._model.disable_adapters()
        self._worn = key

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

    def prepare(self, key: str, folder: Path) -> TorchAdapter:
        """Read an adapter and check it; one that classifies gets a network of its own on the shared weights."""
        card = AdapterCard.read(folder)
        check_base(card, self._folder)
        refuse_tagging(card)
        lora_scale(folder)  # the same kinds on every runner
        nbytes = sum(tensor.nbytes for tensor in read_tensors(folder / WEIGHTS_FILE).values())
        if not card.labels:
            return TorchAdapter(key, folder, nbytes, None)
        classifier = load_adapter(sharing_copy(self._backbone), folder, base_dir=self._folder)
        classifier.module.to(self._device).eval()
        return TorchAdapter(key, folder, nbytes, classifier)

    def adopt(self, prepared: PreparedAdapter) -> None:
        """Let steps use it."""
        if not isinstance(prepared, TorchAdapter):
            raise TypeError("an adapter of another runner")
        if prepared.classifier is not None:
            self._classifiers[prepared.key] = prepared.classifier
            return
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Already found a `peft_config`")  # several adapters are the point
                self._model.load_adapter(str(prepared.folder), adapter_name=prepared.key)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ConfigError(f"adapter folder {prepared.folder}: {type(error).__name__}: train it again") from error
        nn.Module.to(self._model, self._device, self._model.dtype).train(mode=False)
        self._writers.add(prepared.key)
        self._worn = prepared.key  # loading it has put it on
        self._put_on("")

    def forget(self, key: str) -> None:
        """Free it."""
        if self._classifiers.pop(key, None) is None:
            self._writers.remove(key)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Adapter .* was active which is now deleted")
                self._model.delete_adapter(key)
            self._worn = key if self._writers else ""  # peft has put on another one
            self._put_on("")


def load_torch_runner(model_dir: Path, dtype: str, threads: int, pad_id: int) -> TorchRunner:
    """Load weights (safetensors, from disk only).

    Args:
        dtype: ``auto``, ``bfloat16`` or ``float32``.
        threads: of torch, for the whole process.
        pad_id: see :class:`TorchRunner`.

    Raises:
        ConfigError: the folder is missing or damaged.
    """
    torch.set_num_threads(threads)
    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers would draw on standard error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = _load_model(model_dir, choose_dtype(dtype, device.type))  # in eval mode, as from_pretrained leaves it
    nn.Module.to(model, device)
    return TorchRunner(model, model_dir, pad_id)


def _load_model(model_dir: Path, dtype: torch.dtype) -> PreTrainedModel:
    if not (model_dir / "config.json").is_file():
        raise ConfigError(f"model folder {model_dir} has no config.json: run 'finslm models pull' first")
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(model_dir),
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"model folder {model_dir}: {type(error).__name__}: pull the model again") from error
    if odd := [name for name, weights in model.named_parameters() if not weights.isfinite().all()]:
        raise ConfigError(f"model folder {model_dir}: {odd[0]} holds numbers that are not finite: pull the model again")
    return cast("PreTrainedModel", model)


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
