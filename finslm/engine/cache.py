"""Keys and values in blocks, for decoders of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, final

import torch
from torch import Tensor

from finslm.engine.runner import Part

BLOCK_TOKENS: Final = 16


@final
class PagedCache:
    """What a decoder of transformers needs from a key-value cache, for one step of some sequences.

    Position ``p`` of a sequence is in slot ``blocks[p // 16] * 16 + p % 16``. One more slot holds zeros: rows of a
    batch that are shorter than the longest look there, so no other sequence's numbers, finite or not, reach them.

    Args:
        blocks: how many.
        layers: of the decoder.
        heads: of its keys and values.
        size: of a head.
        dtype: of its keys and values.
        device: where they are kept.
    """

    def __init__(
        self, blocks: int, layers: int, heads: int, size: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._zeros = blocks * BLOCK_TOKENS
        self._pools = [
            tuple(torch.zeros(self._zeros + 1, heads, size, dtype=dtype, device=device) for _ in range(2))
            for _ in range(layers)
        ]
        self._device = device
        self._written = self._read = torch.empty(0, dtype=torch.long)

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return sum(pool.nbytes for pools in self._pools for pool in pools)

    def begin(self, parts: Sequence[Part]) -> tuple[Tensor, Tensor]:
        """Turn to some sequences that are fed the same number of tokens.

        Returns:
            Positions [B, t] int64 of the new tokens, and the mask [B, 1, t, T] bool: True where they may look.
        """
        count = len(parts[0].tokens)
        longest = max(part.past for part in parts) + count
        read = torch.full((len(parts), longest), self._zeros)
        for row, part in enumerate(parts):
            at = torch.arange(part.past + count)
            read[row, : part.past + count] = (
                torch.tensor(part.blocks)[at // BLOCK_TOKENS] * BLOCK_TOKENS + at % BLOCK_TOKENS
            )
        positions = torch.tensor([part.past for part in parts])[:, None] + torch.arange(count)
        self._written = read.gather(1, positions).to(self._device)
        self._read = read.to(self._device)
        seen = torch.arange(longest) <= positions[..., None]
        return positions.to(self._device), seen[:, None].to(self._device)

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy blocks, each from the first to the second of a pair."""
        sources, targets = torch.tensor(pairs, dtype=torch.long, device=self._device).reshape(-1, 2).unbind(1)
        for pools in self._pools:
            for pool in pools:
                blocks = pool[: self._zeros].view(-1, BLOCK_TOKENS, *pool.shape[1:])
                blocks[targets] = blocks[sources]

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Store a layer's new keys and values, [B, heads, t, size]; return all of them, [B, heads, T, size].

        The signature is that of ``transformers.Cache.update``, which attention layers call.
        """
        all_keys, all_values = self._pools[layer_idx]
        all_keys[self._written] = keys.transpose(1, 2)
        all_values[self._written] = values.transpose(1, 2)
        return all_keys[self._read].transpose(1, 2), all_values[self._read].transpose(1, 2)
