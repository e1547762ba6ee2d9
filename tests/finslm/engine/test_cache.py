"""Rows join and leave without touching each other; empty means no memory."""

from __future__ import annotations

import torch
from torch import Tensor

from finslm.engine.cache import CHUNK_TOKENS, BatchedCache

HEADS, SIZE = 2, 4


def layer(length: int, value: float) -> list[tuple[Tensor, Tensor]]:
    keys = torch.full((1, HEADS, length, SIZE), value)
    return [(keys, -keys)]


def step(cache: BatchedCache, value: float) -> tuple[Tensor, Tensor, Tensor]:
    positions, mask = cache.begin()
    new = torch.full((len(cache.lengths), HEADS, 1, SIZE), value)
    keys, _ = cache.update(new, -new, 0)
    return positions, mask, keys


def test_a_step_writes_behind_each_rows_own_end() -> None:
    cache = BatchedCache()
    cache.join(layer(3, 1.0))
    cache.join(layer(1, 2.0))
    positions, mask, keys = step(cache, 9.0)
    assert positions.tolist() == [[3], [1]]
    assert mask[:, 0, 0].tolist() == [[True] * 4, [True, True, False, False]]
    assert keys[0, 0, :, 0].tolist() == [1, 1, 1, 9]
    assert keys[1, 0, :2, 0].tolist() == [2, 9]


def test_a_row_that_leaves_takes_its_memory_and_leaves_the_others_alone() -> None:
    cache = BatchedCache()
    for length, value in ((CHUNK_TOKENS * 3, 1.0), (2, 2.0), (1, 3.0)):
        cache.join(layer(length, value))
    before = cache.nbytes
    cache.keep([1, 2])
    assert cache.nbytes < before / 3
    _, _, keys = step(cache, 9.0)
    assert keys[0, 0, :, 0].tolist() == [2, 2, 9]
    assert keys[1, 0, :2, 0].tolist() == [3, 9]


def test_growing_over_a_chunk_keeps_what_was_there() -> None:
    cache = BatchedCache()
    cache.join(layer(CHUNK_TOKENS - 1, 1.0))
    for _ in range(3):
        _, _, keys = step(cache, 5.0)
    assert keys[0, 0, :, 0].tolist() == [1.0] * (CHUNK_TOKENS - 1) + [5.0] * 3


def test_with_no_rows_it_holds_no_memory_and_can_start_again() -> None:
    cache = BatchedCache()
    cache.join(layer(5, 1.0))
    cache.keep([])
    assert (cache.nbytes, cache.lengths) == (0, [])
    cache.join(layer(2, 4.0))
    assert step(cache, 6.0)[2][0, 0, :, 0].tolist() == [4, 4, 6]
