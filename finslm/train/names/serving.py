"""The classifier's network written so that onnxruntime computes it fast; its answers are the same."""

from __future__ import annotations

from typing import Final, final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from finslm.train.names.model import NameTagger

_NEVER: Final = -1e4
"""Added to the attention to padding: after the softmax, nothing is left of it."""


@final
class Serving(nn.Module):
    """The network of a trained :class:`NameTagger`.

    Matrix products are two-dimensional (onnxruntime fuses these with their bias and their 8-bit ranges),
    query, key and value are one product, and the mask needs no check for rows without anything.
    """

    def __init__(self, trained: NameTagger) -> None:
        super().__init__()
        encoder = trained.encoder
        self._embeddings, self._written, self._head = encoder.embeddings, trained.written, trained.head
        self._layers = encoder.encoder.layer
        self._width: int = encoder.config.hidden_size
        self._heads: int = self._layers[0].attention.self.num_attention_heads
        self._products = nn.ModuleList(_as_one(layer.attention.self) for layer in self._layers)

    def forward(self, ids: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        """Label scores [B, T, labels]; see :meth:`NameTagger.forward`."""
        rows, pieces = ids.shape
        embeddings = self._embeddings
        places = embeddings.position_embeddings(torch.arange(pieces)) + embeddings.token_type_embeddings.weight[0]
        hidden = embeddings.word_embeddings(ids) + self._written(features) + places
        hidden = embeddings.LayerNorm(hidden).reshape(-1, self._width)
        unseen = ((1 - mask).to(torch.float32) * _NEVER)[:, None, None, :]
        for layer, product in zip(self._layers, self._products, strict=True):
            three = product(hidden).reshape(rows, pieces, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
            attention = torch.softmax(three[0] @ three[1].transpose(-1, -2) + unseen, -1)
            context = (attention @ three[2]).transpose(1, 2).reshape(rows * pieces, -1)
            hidden = layer.attention.output.LayerNorm(layer.attention.output.dense(context) + hidden)
            inner = gelu(layer.intermediate.dense(hidden))
            hidden = layer.output.LayerNorm(layer.output.dense(inner) + hidden)
        scores: Tensor = self._head(hidden)
        return scores.reshape(rows, pieces, -1)


@torch.no_grad()
def _as_one(attention: nn.Module) -> nn.Linear:
    """Query (already divided by the root of a head's width), key and value as one product."""
    query, key, value = (getattr(attention, name) for name in ("query", "key", "value"))
    scale = attention.attention_head_size**-0.5  # type: ignore[operator]
    one = nn.Linear(query.in_features, 3 * query.out_features)
    one.weight = nn.Parameter(torch.cat([query.weight * scale, key.weight, value.weight]))
    one.bias = nn.Parameter(torch.cat([query.bias * scale, key.bias, value.bias]))
    return one
