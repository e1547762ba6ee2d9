"""Which token is chosen, and on what that depends."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from finslm.engine.sampler import Sampler, choose_rows, penalise, shortlist
from finslm.types import SamplingParams

LOGITS = np.log(np.array([0.1, 0.5, 0.05, 0.3, 0.05], np.float32))


def test_temperature_zero_takes_the_largest() -> None:
    assert Sampler(SamplingParams(), [0]).choose(LOGITS) == 1


def test_the_same_seed_gives_the_same_tokens() -> None:
    params = SamplingParams(temperature=1.0, seed=7)
    first, second = Sampler(params, []), Sampler(params, [])
    assert [first.choose(LOGITS) for _ in range(30)] == [second.choose(LOGITS) for _ in range(30)]


def test_without_a_seed_the_entropy_source_decides() -> None:
    params = SamplingParams(temperature=1.0)
    draws = [[Sampler(params, [], entropy=lambda n=n: n).choose(LOGITS) for _ in range(1)] for n in range(20)]
    assert len({draw[0] for draw in draws}) > 1


def test_a_rows_neighbours_do_not_touch_its_randomness() -> None:
    params = SamplingParams(temperature=1.0, seed=3)
    alone = Sampler(params, [])
    expected = [alone.choose(LOGITS) for _ in range(20)]
    mixed, other = Sampler(params, []), Sampler(SamplingParams(temperature=2.0, seed=9), [])
    got = [choose_rows(np.stack([LOGITS * 0.3, LOGITS]), [other, mixed])[1] for _ in range(20)]
    assert got == expected


def test_sampling_follows_the_probabilities() -> None:
    sampler = Sampler(SamplingParams(temperature=1.0, seed=1), [])
    counts = Counter(sampler.choose(LOGITS) for _ in range(2000))
    assert counts[1] / 2000 == pytest.approx(0.5, abs=0.05)
    assert counts[3] / 2000 == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [(0, 1.0, {0, 1, 2, 3, 4}), (2, 1.0, {1, 3}), (0, 0.5, {1}), (0, 0.51, {1, 3}), (1, 0.9, {1}), (99, 0.001, {1})],
)
def test_top_k_and_top_p_keep_the_most_likely(top_k: int, top_p: float, kept: set[int]) -> None:
    _, ids = shortlist(LOGITS, top_k, top_p)
    assert set(ids.tolist()) == kept


def test_the_repetition_penalty_lowers_positive_and_negative_logits() -> None:
    got = penalise(np.array([2.0, -2.0, 1.0]), [0, 1], 2.0)
    assert got.tolist() == [1.0, -4.0, 1.0]


def test_the_repetition_penalty_counts_the_prompt_and_the_answer() -> None:
    sampler = Sampler(SamplingParams(repetition_penalty=10.0), [1])
    assert sampler.choose(np.array([1.0, 5.0, 0.9], np.float32)) == 0
    assert sampler.choose(np.array([1.0, 5.0, 0.9], np.float32)) == 2


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_row_that_is_not_finite_fails_alone(bad: float) -> None:
    broken = LOGITS.copy()
    broken[2] = bad
    samplers = [Sampler(SamplingParams(), []) for _ in range(2)]
    assert choose_rows(np.stack([broken, LOGITS]), samplers) == [None, 1]


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(temperature=5e-324),
        SamplingParams(temperature=1e-38, top_k=3),
        SamplingParams(temperature=1e-38, top_p=0.9, repetition_penalty=1.5),
        SamplingParams(temperature=1.0, top_p=5e-324),
    ],
)
def test_the_smallest_numbers_the_api_takes_choose_the_largest_logit(params: SamplingParams) -> None:
    """An exception here would be the step loop's, and end the engine for everybody."""
    assert Sampler(params, []).choose(LOGITS * 100) == 1
