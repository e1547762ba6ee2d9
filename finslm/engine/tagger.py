"""A tagging head on an encoder: one linear layer on each token's last hidden state, saved with its LoRA adapter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, final

import numpy as np
import torch
from torch import Tensor, nn

from finslm.engine.adapters import AdapterCard, check_base
from finslm.engine.classifier import is_encoder, pad
from finslm.engine.tagging import Scores
from finslm.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class TokenTagger(nn.Module):
    """Scores the labels of each token."""

    def __init__(self, backbone: PreTrainedModel, num_labels: int) -> None:
        super().__init__()
        if not is_encoder(backbone):
            raise ConfigError(f"{backbone.config.model_type} does not read in both directions: tag on an encoder")
        self.backbone = backbone
        self.score = nn.Linear(int(backbone.config.hidden_size), num_labels)
        nn.init.normal_(self.score.weight, std=0.02)
        nn.init.zeros_(self.score.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, T, labels] float32 logits of a padded batch, [B, T] int64 each."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return cast(Tensor, self.score(hidden.float()))


@final
@dataclass(frozen=True, slots=True)
class LoadedTagger:
    """A tagger ready to serve."""

    card: AdapterCard
    module: nn.Module

    @torch.inference_mode()
    def logits(self, rows: list[list[int]], pad_id: int) -> list[Scores]:
        """[tokens, labels] of each row, the marks at its ends included."""
        ids, mask = pad(rows, pad_id)
        device = next(self.module.parameters()).device
        whole = self.module(ids.to(device), mask.to(device)).float().cpu().numpy()
        return [whole[number, : len(row)].astype(np.float32) for number, row in enumerate(rows)]


def load_tagger(backbone: PreTrainedModel, folder: Path, *, base_dir: Path) -> LoadedTagger:
    """Put a trained tagging adapter on a backbone of its own.

    Raises:
        ConfigError: the folder is damaged, does not tag, or was trained on another base.
    """
    from peft import PeftConfig, PeftModel

    card = AdapterCard.read(folder)
    check_base(card, base_dir)
    if card.form != "tag":
        raise ConfigError(f"adapter {card.name} does not tag: it is of form {card.form}")
    tagger = TokenTagger(backbone, len(card.labels))
    config = PeftConfig.from_pretrained(str(folder))
    module = PeftModel.from_pretrained(
        cast("PreTrainedModel", tagger), str(folder), config=config, autocast_adapter_dtype=False
    )
    module.eval()
    module.to(next(backbone.parameters()).dtype)
    tagger.score.float()
    return LoadedTagger(card, module)
