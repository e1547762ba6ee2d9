"""A classification head on a base: pooled hidden states, one linear layer, saved with its LoRA adapter.

An adapter folder holds ``adapter_config.json`` and ``adapter_model.safetensors`` as peft writes
them (the head is in the latter, through ``modules_to_save``) and ``finslm_adapter.json``, an
:class:`finslm.engine.adapters.AdapterCard`: labels, pooling, attention and temperature, everything that serving must do
the same way as training did.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from finslm.engine.adapters import AdapterCard, check_base
from finslm.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


ENCODERS: Final = frozenset({"bert"})
"""Model types that read in both directions."""


class SequenceClassifier(nn.Module):
    """Mean of the last hidden states, brought to ``pooled_length`` where one is given, then one linear layer."""

    def __init__(
        self, backbone: PreTrainedModel, num_labels: int, *, bidirectional: bool, pooled_length: float | None = None
    ) -> None:
        super().__init__()
        if not bidirectional and is_encoder(backbone):
            raise ConfigError(f"{backbone.config.model_type} is an encoder: bidirectional is the only way it reads")
        self.backbone = backbone
        self.bidirectional = bidirectional
        self.pooled_length = pooled_length
        self.score = nn.Linear(int(backbone.config.hidden_size), num_labels)
        nn.init.normal_(self.score.weight, std=0.02)
        nn.init.zeros_(self.score.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Score a padded batch.

        Args:
            input_ids: [B, T] int64, padded on the right.
            attention_mask: [B, T] 1 for tokens, 0 for padding.

        Returns:
            [B, labels] float32 logits.
        """
        return cast(Tensor, self.score(self.pooled(input_ids, attention_mask)))

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What the head sees of a padded batch, [B, hidden] float32."""
        mean = self.mean(self.hidden(input_ids, attention_mask), attention_mask)
        return mean if self.pooled_length is None else functional.normalize(mean, dim=-1) * self.pooled_length

    def hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The last hidden states of a padded batch, [B, T, hidden] float32."""
        if is_encoder(self.backbone):
            found = self.backbone(input_ids=input_ids, attention_mask=attention_mask)
        else:
            found = self.backbone(
                input_ids=input_ids,
                attention_mask=self._additive_mask(attention_mask.bool(), next(self.backbone.parameters()).dtype),
                use_cache=False,
            )
        return cast(Tensor, found.last_hidden_state.float())

    @staticmethod
    def mean(hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Mean over the tokens of each text, [B, hidden]."""
        mask = attention_mask.bool()
        return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

    def _additive_mask(self, mask: Tensor, dtype: torch.dtype) -> Tensor:
        """[B, 1, T, T]: 0 where a query may look, the smallest number where it may not."""
        length = mask.shape[1]
        allowed = mask[:, None, None, :].expand(-1, 1, length, -1)
        if not self.bidirectional:
            allowed = allowed & torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
        blocked = torch.zeros(allowed.shape, dtype=dtype, device=mask.device)
        return blocked.masked_fill(~allowed, torch.finfo(dtype).min)


def is_encoder(backbone: PreTrainedModel) -> bool:
    """Whether every token of this model sees every other one by itself."""
    return not getattr(backbone.config, "is_decoder", False) and backbone.config.model_type in ENCODERS


def pad(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Pad token rows on the right: ids [B, T] int64 and attention mask [B, T] int64."""
    length = max(map(len, rows))
    ids = torch.full((len(rows), length), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    return ids, mask


@final
@dataclass(frozen=True, slots=True)
class LoadedClassifier:
    """A classifier ready to serve."""

    card: AdapterCard
    module: nn.Module

    @torch.inference_mode()
    def probabilities(self, rows: list[list[int]], pad_id: int) -> Tensor:
        """[B, labels] float32, rows sum to 1; calibrated by the card's temperature."""
        ids, mask = pad(rows, pad_id)
        device = next(self.module.parameters()).device
        logits: Tensor = self.module(ids.to(device), mask.to(device))
        return torch.softmax(logits / self.card.temperature, dim=-1).cpu()


def load_adapter(backbone: PreTrainedModel, folder: Path, *, base_dir: Path) -> LoadedClassifier:
    """Put a trained adapter and its head on a backbone.

    The backbone's modules are wrapped by peft: hand over a copy that shares parameters when the
    same weights also generate.

    Args:
        backbone: the base without its language-model head.
        folder: adapter folder.
        base_dir: model folder of the base; other weights than the adapter was trained on are refused.

    Raises:
        ConfigError: the folder is damaged or was trained on another base.
    """
    from peft import PeftConfig, PeftModel

    card = AdapterCard.read(folder)
    check_base(card, base_dir)
    classifier = SequenceClassifier(
        backbone, len(card.labels), bidirectional=card.bidirectional, pooled_length=card.pooled_length
    )
    config = PeftConfig.from_pretrained(str(folder))
    module = PeftModel.from_pretrained(
        cast("PreTrainedModel", classifier), str(folder), config=config, autocast_adapter_dtype=False
    )
    module.eval()
    module.to(next(backbone.parameters()).dtype)
    classifier.score.float()
    return LoadedClassifier(card, module)
