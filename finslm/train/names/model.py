"""The network of the name classifier: the lower layers of MiniLM, told how each word is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple, final

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


class Shape(NamedTuple):
    """How large the network is.

    Args:
        layers: how many of the encoder's layers are used, from below.
        neurons: neurons between the two halves of a layer's feed-forward network.
        heads: attention heads of a layer.
    """

    layers: int
    neurons: int
    heads: int


@final
class NameTagger(nn.Module):
    """Word pieces and their features in, label scores out.

    Args:
        base: folder of the pretrained encoder (all-MiniLM-L6-v2).
        shape: what is kept of the encoder; neurons and heads with the smallest weights go (magnitude pruning).
    """

    def __init__(self, base: Path, shape: Shape) -> None:
        super().__init__()
        encoder = AutoModel.from_pretrained(base, add_pooling_layer=False, local_files_only=True)
        encoder.encoder.layer = encoder.encoder.layer[: shape.layers]
        encoder.config.num_hidden_layers = shape.layers
        self.encoder = encoder
        for inner, outer in self.feed_forward():
            keep_neurons(
                inner, outer, (inner.weight.norm(dim=1) * outer.weight.norm(dim=0)).topk(shape.neurons).indices
            )
        for attention in self.attentions():
            size = attention.self.attention_head_size
            weight = attention.output.dense.weight.unflatten(1, (-1, size)).norm(dim=(0, 2))
            keep_heads(attention, weight.topk(shape.heads).indices)
        self.written = nn.Embedding(FEATURES + 1, encoder.config.hidden_size)  # the last is for the marks
        nn.init.normal_(self.written.weight, std=0.02)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(encoder.config.hidden_size, len(LABELS))

    def feed_forward(self) -> list[tuple[nn.Linear, nn.Linear]]:
        """The two halves of each layer's feed-forward network."""
        return [(layer.intermediate.dense, layer.output.dense) for layer in self.encoder.encoder.layer]

    def attentions(self) -> list[Any]:
        """Each layer's attention."""
        return [layer.attention for layer in self.encoder.encoder.layer]

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


def restored(base: Path, trained: Path) -> tuple[NameTagger, Shape]:
    """The network that :mod:`finslm.train.names.fit` wrote to the folder ``trained``."""
    said = json.loads((trained / "config.json").read_text("utf-8"))
    shape = Shape(said["layers"], said["neurons"], said.get("heads", 12))
    model = NameTagger(base, shape)
    model.load_state_dict(torch.load(trained / "model.pt", weights_only=True))
    return model, shape


@torch.no_grad()
def keep_neurons(inner: nn.Linear, outer: nn.Linear, kept: Tensor) -> None:
    """Keep only these neurons of a feed-forward network."""
    kept = kept.sort().values
    inner.weight, inner.bias = nn.Parameter(inner.weight[kept]), nn.Parameter(inner.bias[kept])
    outer.weight = nn.Parameter(outer.weight[:, kept])
    inner.out_features = outer.in_features = len(kept)


@torch.no_grad()
def keep_heads(attention: Any, kept: Tensor) -> None:
    """Keep only these heads of an attention."""
    inside, output = attention.self, attention.output.dense
    size = inside.attention_head_size
    rows = (kept.sort().values[:, None] * size + torch.arange(size)).flatten()
    for product in (inside.query, inside.key, inside.value):
        product.weight, product.bias = nn.Parameter(product.weight[rows]), nn.Parameter(product.bias[rows])
        product.out_features = len(rows)
    output.weight = nn.Parameter(output.weight[:, rows])
    output.in_features = inside.all_head_size = len(rows)
    inside.num_attention_heads = len(kept)
