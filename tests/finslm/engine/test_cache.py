"""Keys and values in blocks: whatever blocks a sequence has, it sees its own and nothing else."""

from __future__ import annotations

import torch

from finslm.engine.cache import BLOCK_TOKENS, PagedCache
from finslm.engine.runner import Part

HEADS, SIZE = 2, 4


def make(blocks: int = 8) -> PagedCache:
    return PagedCache(blocks, 1, HEADS, SIZE, torch.float32, torch.device("cpu"))


def feed(cache: PagedCache, parts: list[Part], values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Store values [B, t, heads, size] as keys and, negated, as values; return the mask and all keys."""
    _, mask = cache.begin(parts)
    keys, _ = cache.update(values.transpose(1, 2), -values.transpose(1, 2), 0)
    return mask, keys


def numbers(count: int, start: float = 0.0) -> torch.Tensor:
    return (start + torch.arange(count * HEADS * SIZE, dtype=torch.float32)).reshape(1, count, HEADS, SIZE)


def test_a_sequence_sees_its_tokens_in_order_whatever_its_blocks_are() -> None:
    cache, whole = make(), numbers(40)
    for at, end in ((0, 20), (20, 21), (21, 40)):
        mask, keys = feed(cache, [Part([1] * (end - at), at, [5, 0, 3], 1)], whole[:, at:end])
        assert torch.equal(keys[0].transpose(0, 1), whole[0, :end])
        assert mask.shape == (1, 1, end - at, end)
        assert mask[0, 0].sum(-1).tolist() == list(range(at + 1, end + 1))


def test_positions_are_those_of_the_sequence() -> None:
    positions, _ = make().begin([Part([1, 1], 17, [2, 4], 1)])
    assert positions.tolist() == [[17, 18]]


def test_a_shorter_row_looks_at_zeros_where_it_has_nothing() -> None:
    cache = make()
    feed(cache, [Part([1] * 30, 0, [0, 1], 1)], torch.full((1, 30, HEADS, SIZE), float("nan")))
    feed(cache, [Part([1] * 3, 0, [2], 1)], numbers(3))
    mask, keys = feed(
        cache, [Part([1], 30, [0, 1], 1), Part([1], 3, [2], 1)], torch.cat([numbers(1), numbers(1, 100.0)])
    )
    assert mask[1, 0, 0].tolist() == [True] * 4 + [False] * 27
    assert keys[1].isfinite().all()
    assert (keys[1][:, 4:] == 0).all()


def test_what_a_block_held_before_does_not_come_back() -> None:
    cache = make()
    feed(cache, [Part([1] * BLOCK_TOKENS, 0, [0], 1)], torch.full((1, BLOCK_TOKENS, HEADS, SIZE), float("nan")))
    _, keys = feed(cache, [Part([1] * 3, 0, [0], 1)], numbers(3))
    assert keys.shape[2] == 3
    assert keys.isfinite().all()


def test_a_copied_block_is_the_same_and_no_longer_changes_with_the_other() -> None:
    cache, whole = make(), numbers(20)
    feed(cache, [Part([1] * 20, 0, [5, 2], 1)], whole)
    cache.copy([(2, 3), (2, 7)])
    feed(cache, [Part([1], 20, [5, 3], 1)], numbers(1, 500.0))
    _, first = feed(cache, [Part([1], 20, [5, 2], 1)], numbers(1, 900.0))
    _, fork = feed(cache, [Part([1], 21, [5, 3], 1)], numbers(1, 700.0))
    _, other = feed(cache, [Part([1], 20, [5, 7], 1)], numbers(1, 300.0))
    for keys, last in ((first, [900.0]), (fork, [500.0, 700.0]), (other, [300.0])):
        assert torch.equal(keys[0].transpose(0, 1)[:20], whole[0])
        assert [row[0, 0].item() for row in keys[0].transpose(0, 1)[20:]] == last
