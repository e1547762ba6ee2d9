"""The original that an export has to agree with: the base in float32, the adapter beside it, as peft computes it."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, final

import numpy as np
import torch
from torch import Tensor, nn

from finslm.engine import bases
from finslm.engine.adapters import AdapterCard, check_base, encode, shortened
from finslm.engine.classifier import ENCODERS, SequenceClassifier, load_adapter
from finslm.engine.weights import Floats
from finslm.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Answers(Protocol):
    """A model: from token ids to probabilities of the labels [L], or, of one that writes, to logits [T, V]."""

    def __call__(self, ids: Sequence[int]) -> Floats:
        """Compute one text."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Original:
    """An adapter on its base.

    Args:
        module: :class:`SequenceClassifier` or a causal language model, in float32, wrapped by peft.
    """

    card: AdapterCard
    base_dir: Path
    tokenizer: PreTrainedTokenizerBase
    module: Any

    @classmethod
    def load(cls, base_dir: Path, folder: Path) -> Original:
        """Read base and adapter.

        Raises:
            ConfigError: damaged, or of another base.
        """
        card = AdapterCard.read(folder)
        tokenizer = bases.tokenizer(base_dir)
        with contextlib.redirect_stderr(io.StringIO()):  # it draws bars there
            if not card.labels:
                return cls(card, base_dir, tokenizer, _writer(card, base_dir, folder))
            backbone = cast("Any", bases.backbone(base_dir)).float()
            return cls(card, base_dir, tokenizer, load_adapter(backbone, folder, base_dir=base_dir).module)

    @property
    def encodes(self) -> bool:
        """Whether the base is an encoder."""
        return bases.model_type(self.base_dir) in ENCODERS

    def rows(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids as serving makes them."""
        if self.card.labels:
            return [shortened(encode(self.tokenizer, text), self.card) for text in texts]
        return [cast("list[int]", self.tokenizer.encode(text, add_special_tokens=False)) for text in texts]

    def answers(self) -> Answers:
        """The original's own."""
        return of_module(self.module, self.card)

    def merged(self) -> Any:
        """The base with the adapter in its matrices; what :attr:`module` was is gone."""
        return self.module.merge_and_unload()


def of_module(module: nn.Module, card: AdapterCard) -> Answers:
    """What a torch module says."""
    whole = Whole(module, card)

    @torch.inference_mode()
    def answer(ids: Sequence[int]) -> Floats:
        row = torch.tensor([list(ids)])
        return np.asarray(whole(row, torch.ones_like(row))[0].float().numpy(), np.float32)

    return answer


@final
class Whole(nn.Module):
    """From ids and mask to what is wanted of the model: calibrated probabilities [B, L], or logits [B, T, V]."""

    def __init__(self, module: nn.Module, card: AdapterCard) -> None:
        super().__init__()
        self.module, self.classifies, self.temperature = module, bool(card.labels), card.temperature

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Both arguments [B, T] int64, padded on the right."""
        if self.classifies:
            return torch.softmax(self.module(input_ids, attention_mask) / self.temperature, dim=-1)
        length = input_ids.shape[1]
        back = torch.ones(length, length, dtype=torch.bool).tril() & attention_mask.bool()[:, None, None, :]
        mask = torch.zeros(back.shape).masked_fill(~back, torch.finfo(torch.float32).min)
        return cast(Tensor, self.module(input_ids=input_ids, attention_mask=mask, use_cache=False).logits)


def classifier(backbone: Any, card: AdapterCard, weight: Tensor, bias: Tensor) -> SequenceClassifier:
    """A head on a merged backbone, in float32."""
    module = SequenceClassifier(
        backbone.float(), len(card.labels), bidirectional=card.bidirectional, pooled_length=card.pooled_length
    )
    with torch.no_grad():
        module.score.weight.copy_(weight)
        module.score.bias.copy_(bias)
    return module.eval()


def _writer(card: AdapterCard, base_dir: Path, folder: Path) -> Any:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    check_base(card, base_dir)
    if bases.model_type(base_dir) in ENCODERS:
        raise ConfigError(f"adapter {card.name} writes, and an encoder cannot: train it on a decoder")
    model = AutoModelForCausalLM.from_pretrained(
        str(base_dir), dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers under a name that goes
        return cast("Any", PeftModel.from_pretrained(model, str(folder), autocast_adapter_dtype=False)).eval()
