"""A classification head on a decoder: pooled hidden states, one linear layer, saved with its LoRA adapter.

An adapter folder holds ``adapter_config.json`` and ``adapter_model.safetensors`` as peft writes
them (the head is in the latter, through ``modules_to_save``) and ``finslm_adapter.json``, an
:class:`AdapterCard`: labels, pooling, attention and temperature, everything that serving must do
the same way as training did.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

import torch
from torch import Tensor, nn

from finslm.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CARD_FILE = "finslm_adapter.json"


@final
@dataclass(frozen=True, slots=True)
class AdapterCard:
    """What serving needs to know of a classification adapter.

    Args:
        name: name in the registry.
        base_model: registry name of the base it was trained on.
        base_weights_sha256: SHA-256 of that base's ``model.safetensors`` (64 hex digits).
        task: the task it serves.
        labels: label of each output, in order.
        bidirectional: every token sees every other one (True) or only those before it (False).
        temperature: the logits are divided by it before softmax (Guo et al. 2017, arXiv:1706.04599).
        max_tokens: longest input it was trained on, tokens; longer inputs are refused.
    """

    name: str
    base_model: str
    base_weights_sha256: str
    task: str
    labels: tuple[str, ...]
    bidirectional: bool
    temperature: float
    max_tokens: int

    def write(self, folder: Path) -> None:
        """Write the card into an adapter folder."""
        (folder / CARD_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path) -> AdapterCard:
        """Read the card of an adapter folder.

        Raises:
            ConfigError: missing, unreadable, or with other fields than this class has.
        """
        try:
            fields: dict[str, Any] = json.loads((folder / CARD_FILE).read_text("utf-8"))
            return cls(**{**fields, "labels": tuple(fields["labels"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"adapter folder {folder}: {CARD_FILE}: {error}; train or pull it again") from error


class SequenceClassifier(nn.Module):
    """Mean of the last hidden states, then one linear layer."""

    def __init__(self, backbone: PreTrainedModel, num_labels: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.bidirectional = bidirectional
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
        mask = attention_mask.bool()
        hidden = self.backbone(
            input_ids=input_ids,
            attention_mask=self._additive_mask(mask, next(self.backbone.parameters()).dtype),
            use_cache=False,
        ).last_hidden_state.float()
        pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return cast(Tensor, self.score(pooled))

    def _additive_mask(self, mask: Tensor, dtype: torch.dtype) -> Tensor:
        """[B, 1, T, T]: 0 where a query may look, the smallest number where it may not."""
        length = mask.shape[1]
        allowed = mask[:, None, None, :].expand(-1, 1, length, -1)
        if not self.bidirectional:
            allowed = allowed & torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
        blocked = torch.zeros(allowed.shape, dtype=dtype, device=mask.device)
        return blocked.masked_fill(~allowed, torch.finfo(dtype).min)


def weights_sha256(model_dir: Path) -> str:
    """SHA-256 (hex) of a model folder's weights."""
    with (model_dir / "model.safetensors").open("rb") as weights:
        return hashlib.file_digest(weights, "sha256").hexdigest()


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a text to classify, in training and in serving: no control token can come from the text."""
    ids = tokenizer.encode(text.strip(), add_special_tokens=False, split_special_tokens=True)
    return [*cast("list[int]", ids), cast(int, tokenizer.eos_token_id)]


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
    if (served := weights_sha256(base_dir)) != card.base_weights_sha256:
        raise ConfigError(
            f"adapter {card.name} was trained on weights {card.base_weights_sha256[:12]}… of {card.base_model}, "
            f"but {served[:12]}… are served: train it again or serve that base"
        )
    classifier = SequenceClassifier(backbone, len(card.labels), bidirectional=card.bidirectional)
    config = PeftConfig.from_pretrained(str(folder))
    module = PeftModel.from_pretrained(
        cast("PreTrainedModel", classifier), str(folder), config=config, autocast_adapter_dtype=False
    )
    module.eval()
    module.to(next(backbone.parameters()).dtype)
    classifier.score.float()
    return LoadedClassifier(card, module)
