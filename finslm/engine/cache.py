"""Keys and values of all running sequences, a row for each, in tensors that grow and shrink in chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

CHUNK_TOKENS = 128
"""Rows are lengthened by this many positions at a time, so that a step writes one position and copies nothing."""


class BatchedCache:
    """What a decoder needs from a key-value cache, for one new token in each row.

    Row ``b`` holds positions ``0 .. lengths[b] - 1`` from the left, so a sequence joins by being
    copied in and leaves by being left out; positions stay true and no other row moves. With no
    rows it holds no memory.
    """

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._layers: list[tuple[Tensor, Tensor]] = []  # each [capacity, heads, positions, size]
        self._write_at = torch.empty(0, dtype=torch.long)
        self._rows = torch.empty(0, dtype=torch.long)

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return sum(part.nbytes for layer in self._layers for part in layer)

    def join(self, layers: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Append a prefilled sequence as the last row.

        Args:
            layers: for each layer its keys and values, both [1, heads, T, size].
        """
        row, length = len(self.lengths), layers[0][0].shape[2]
        if not self._layers:
            self._layers = [(k.new_zeros((0, *k.shape[1:])), v.new_zeros((0, *v.shape[1:]))) for k, v in layers]
        self._reserve(row + 1, max([length, *self.lengths]) + 1)
        for (keys, values), (new_keys, new_values) in zip(self._layers, layers, strict=True):
            keys[row, :, :length], values[row, :, :length] = new_keys[0], new_values[0]
        self.lengths.append(length)

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows, in this order; memory goes down with them."""
        if list(rows) == list(range(len(self.lengths))):
            return
        self.lengths = [self.lengths[row] for row in rows]
        if not rows:
            self._layers = []
            return
        index = torch.tensor(rows, device=self._layers[0][0].device)
        positions = _round_up(max(self.lengths) + 1)
        self._layers = [(k[index, :, :positions], v[index, :, :positions]) for k, v in self._layers]

    def begin(self) -> tuple[Tensor, Tensor]:
        """Make room for one token in each row.

        Returns:
            Its positions [B, 1] int64, and the mask [B, 1, 1, T] bool: True where the row may look.
        """
        self._reserve(len(self.lengths), max(self.lengths) + 1)
        device = self._layers[0][0].device
        self._write_at = torch.tensor(self.lengths, device=device)
        self._rows = torch.arange(len(self.lengths), device=device)
        self.lengths = [length + 1 for length in self.lengths]
        seen = torch.arange(max(self.lengths), device=device) <= self._write_at[:, None]
        return self._write_at[:, None], seen[:, None, None, :]

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Store a layer's new keys and values, [B, heads, 1, size]; return all of them, [B, heads, T, size].

        The signature is that of ``transformers.Cache.update``, which attention layers call.
        """
        all_keys, all_values = self._layers[layer_idx]
        all_keys[self._rows, :, self._write_at] = keys[:, :, 0]
        all_values[self._rows, :, self._write_at] = values[:, :, 0]
        rows, positions = len(self.lengths), max(self.lengths)
        return all_keys[:rows, :, :positions], all_values[:rows, :, :positions]

    def _reserve(self, rows: int, positions: int) -> None:
        have_rows, _, have_positions, _ = self._layers[0][0].shape
        if rows <= have_rows and positions <= have_positions:
            return
        want_rows = rows if rows <= have_rows else max(rows, 2 * have_rows)
        shape = max(want_rows, have_rows), max(_round_up(positions), have_positions)
        self._layers = [(_grown(keys, *shape), _grown(values, *shape)) for keys, values in self._layers]


def _grown(old: Tensor, rows: int, positions: int) -> Tensor:
    new = old.new_zeros((rows, old.shape[1], positions, old.shape[3]))
    new[: old.shape[0], :, : old.shape[2]] = old
    return new


def _round_up(positions: int) -> int:
    return -(-positions // CHUNK_TOKENS) * CHUNK_TOKENS
