"""The network of the name classifier: the lower layers of MiniLM, told how each word is written."""

from __future__ import annotations

from pathlib import Path
from typing import Final, final

import torch
from torch import Tensor, nn
from transformers import AutoModel

from redaction.ner.encoding import FEATURES

TYPES: Final = (
    "PERSON",
    "LOCATION",
    "ORGANIZATION",
    "STREET_ADDRESS",
    "NRP",
    "DATE_TIME",
    "AGE",
    "PHONE_NUMBER",
    "ZIP_CODE",
    "US_DRIVER_LICENSE",
    "OTHER_ID",
)
"""What the classifier tells apart. OTHER_ID is what patterns find: learned so as not to be taken for a name."""

LABELS: Final = ("O", *(f"{mark}-{type_}" for type_ in TYPES for mark in "BI"))
IGNORED: Final = -100


@final
class NameTagger(nn.Module):
    """Word pieces and their features in, label scores out.

    Args:
        base: folder of the pretrained encoder (all-MiniLM-L6-v2).
        layers: how many of its layers are used, from below.
        neurons: how many neurons are left between the two halves of a layer's feed-forward network.
    """

    def __init__(self, base: Path, layers: int, neurons: int) -> None:
        super().__init__()
        encoder = AutoModel.from_pretrained(base, add_pooling_layer=False, local_files_only=True)
        encoder.encoder.layer = encoder.encoder.layer[:layers]
        encoder.config.num_hidden_layers = layers
        for layer in encoder.encoder.layer:
            _prune(layer.intermediate.dense, layer.output.dense, neurons)
        self.encoder = encoder
        self.written = nn.Embedding(FEATURES + 1, encoder.config.hidden_size)  # the last is for the marks
        nn.init.normal_(self.written.weight, std=0.02)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(encoder.config.hidden_size, len(LABELS))

    def forward(self, ids: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        """Label scores.

        Args:
            ids: [B, T] vocabulary numbers.
            features: [B, T] numbers of shape and gap.
            mask: [B, T] 1 where there is a piece.

        Returns:
            [B, T, labels].
        """
        embedded = self.encoder.embeddings.word_embeddings(ids) + self.written(features)
        hidden = self.encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        scores: Tensor = self.head(self.drop(hidden))
        return scores


@torch.no_grad()
def _prune(inner: nn.Linear, outer: nn.Linear, neurons: int) -> None:
    """Keep the neurons with the largest weights, in and out (magnitude pruning of whole neurons)."""
    weight = inner.weight.norm(dim=1) * outer.weight.norm(dim=0)
    kept = weight.topk(neurons).indices.sort().values
    inner.weight, inner.bias = nn.Parameter(inner.weight[kept]), nn.Parameter(inner.bias[kept])
    outer.weight = nn.Parameter(outer.weight[:, kept])
    inner.out_features = outer.in_features = neurons
