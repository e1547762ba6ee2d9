"""Which token is chosen, and on what that depends."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import chisquare

from finslm.engine.sampler import Choice, Failure, Logits, Mask, Sampler, candidates, choose_rows, draw, penalised
from finslm.types import SamplingParams

LOGITS = np.log(np.array([0.1, 0.5, 0.05, 0.3, 0.05], np.float32))
HUGE = float(np.finfo(np.float32).max)
VOCABULARY = 49_152


def row(*values: float) -> Logits:
    made = np.array(values, np.float32)
    made.setflags(write=False)  # the runner's array is not ours to change
    return made


def mask_of(allowed: set[int], size: int) -> Mask:
    words = np.zeros(-(-size // 32), np.uint32)
    for token in allowed:
        words[token // 32] |= np.uint32(1 << token % 32)
    return words


# Steps of a quarter: equal logits are common, and sums of them are exact in float32.
quarters = st.integers(-80, 80).map(lambda n: n / 4)
logits_of = st.lists(quarters, min_size=1, max_size=40).map(lambda values: row(*values))
with_ruled_out = st.lists(quarters | st.just(-math.inf), min_size=1, max_size=70).map(lambda values: row(*values))
filters = st.builds(
    SamplingParams,
    temperature=st.floats(0.5, 3.0),
    top_k=st.integers(0, 45),
    top_p=st.just(1.0) | st.floats(0.01, 0.999),
    min_p=st.just(0.0) | st.floats(0.001, 1.0),
)
anything = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0.0, 0.0, 0.3, 1.0, 3.0]),
    top_k=st.integers(0, 45),
    top_p=st.floats(0.01, 1.0),
    min_p=st.floats(0.0, 1.0),
    repetition_penalty=st.sampled_from([0.5, 1.0, 1.0, 1.3]),
    presence_penalty=st.sampled_from([0.0, 0.0, 1.5, -2.0]),
    frequency_penalty=st.sampled_from([0.0, 0.0, 0.7, -2.0]),
    logit_bias=st.dictionaries(st.integers(0, 80), st.sampled_from([-100.0, 100.0, 0.5]), max_size=4).map(
        lambda biases: tuple(biases.items())
    ),
    seed=st.integers(0, 2**63 - 1),
)


def order(logits: Logits) -> list[int]:
    return sorted(range(len(logits)), key=lambda token: (-logits[token], token))


def by_definition(logits: Logits, params: SamplingParams) -> list[tuple[int, float]]:
    """Tokens and weights, filter by filter, in plain Python. Skips examples on the border of a filter."""
    largest = float(max(logits))
    kept = [(token, math.exp((float(logits[token]) - largest) / params.temperature)) for token in order(logits)]
    if params.min_p:
        assume(all(abs(weight / params.min_p - 1) > 1e-4 for _, weight in kept))
        kept = [(token, weight) for token, weight in kept if weight >= params.min_p]
    kept = kept[: params.top_k or None]
    if params.top_p < 1.0:
        total, before, reached = sum(weight for _, weight in kept), 0.0, []
        for token, weight in kept:
            if before >= params.top_p * total:
                break
            reached.append((token, weight))
            before += weight
            assume(abs(before / total / params.top_p - 1) > 1e-4)
        kept = reached
    return kept


class TestLargest:
    def test_temperature_zero_takes_the_largest_and_of_equal_ones_the_first(self) -> None:
        assert Sampler(SamplingParams(), [0]).choose(LOGITS) == 1
        assert Sampler(SamplingParams(), [0]).choose(row(0.0, 3.0, 3.0)) == 1

    def test_what_only_matters_for_drawing_is_ignored(self) -> None:
        params = SamplingParams(temperature=0.0, top_k=3, top_p=0.2, min_p=0.1, seed=4)
        assert Sampler(params, []).takes_largest
        assert Sampler(params, []).choose(LOGITS) == 1

    @pytest.mark.parametrize(
        "params",
        [
            SamplingParams(temperature=5e-324),
            SamplingParams(temperature=1e-38, top_k=3),
            SamplingParams(temperature=1e-38, top_p=0.9, repetition_penalty=1.5),
            SamplingParams(temperature=1.0, top_p=5e-324),
            SamplingParams(temperature=1.0, top_k=1),
            SamplingParams(temperature=5.0, min_p=1.0),
        ],
    )
    def test_the_smallest_numbers_the_api_takes_choose_the_largest_logit(self, params: SamplingParams) -> None:
        """An exception here would be the step loop's, and end the engine for everybody."""
        assert Sampler(params, []).choose(LOGITS * 100) == 1

    @given(anything, st.lists(st.sampled_from([HUGE, -HUGE, -math.inf, 0.0, 1e-45]), min_size=1, max_size=9))
    def test_no_finite_numbers_make_it_fail(self, params: SamplingParams, values: list[float]) -> None:
        assume(max(values) > -math.inf)
        sampler = Sampler(params, [0])
        for _ in range(3):
            token = sampler.choose(row(*values))
            assert token is not None
            assert values[token] > -math.inf


class TestDrawing:
    @given(logits_of, filters)
    def test_top_k_top_p_and_min_p_keep_what_their_definitions_say(
        self, logits: Logits, params: SamplingParams
    ) -> None:
        expected = by_definition(logits, params)
        values, mass, total = candidates(logits, params)
        assert values.tolist() == [logits[token] for token, _ in expected]
        assert np.diff(mass, prepend=0.0) == pytest.approx([weight for _, weight in expected], rel=1e-4, abs=1e-6)
        assert total == pytest.approx(sum(weight for _, weight in expected), rel=1e-5)

    @given(logits_of, filters, st.floats(0.0, 1.0, exclude_max=True))
    def test_a_draw_is_the_inverse_of_the_cumulative_probability(
        self, logits: Logits, params: SamplingParams, uniform: float
    ) -> None:
        kept = by_definition(logits, params)
        passed, total = 0.0, sum(weight for _, weight in kept)
        for token, weight in kept:
            passed += weight / total
            assume(abs(passed - uniform) > 1e-5)
            if passed > uniform:
                assert draw(logits, params, uniform) == token
                return

    @pytest.mark.parametrize("spread", [0.01, 1.0, 4.0, 20.0])
    @pytest.mark.parametrize(
        "filters",
        [{}, {"top_k": 50}, {"top_k": 1000}, {"top_p": 0.9}, {"min_p": 0.02}, {"min_p": 1e-9}, {"top_p": 0.999999}],
        ids=str,
    )
    def test_a_shortlist_gives_what_sorting_everything_gives(self, spread: float, filters: dict[str, Any]) -> None:
        """On a vocabulary of the real size, where most tokens are never looked at."""
        logits = (np.random.default_rng(3).standard_normal(VOCABULARY) * spread).astype(np.float32)
        ranks = np.argsort(-logits, kind="stable")
        params = SamplingParams(temperature=1.0, **filters)
        weights = np.exp(logits[ranks].astype(np.float64) - logits.max())
        weights = weights[: params.top_k or None]
        weights = weights[weights >= params.min_p]
        if params.top_p < 1.0:
            weights = weights[: int(weights.cumsum().searchsorted(params.top_p * weights.sum())) + 1]
        shares = weights.cumsum() / weights.sum()
        for uniform in (0.0, 0.1, 0.5, 0.9, 0.99, 0.9999, 1 - 2**-53):
            rank = int((ranks == draw(logits, params, uniform)).argmax())
            # The weights are float32's: up to a millionth beside the exact place.
            assert (shares[rank - 1] if rank else 0.0) <= uniform + 2e-6
            assert shares[min(rank, len(shares) - 1)] >= uniform - 2e-6
            assert rank < len(shares) + (params.top_p > 0.99) * 2000

    @pytest.mark.parametrize(
        ("params", "shares"),
        [
            ({"temperature": 1.0}, [0.1, 0.5, 0.05, 0.3, 0.05]),
            ({"temperature": 0.5}, [0.01, 0.25, 0.0025, 0.09, 0.0025]),
            ({"temperature": 1.0, "top_k": 3}, [0.1, 0.5, 0.0, 0.3, 0.0]),
            ({"temperature": 1.0, "top_p": 0.7}, [0.0, 0.5, 0.0, 0.3, 0.0]),
            ({"temperature": 1.0, "min_p": 0.19}, [0.1, 0.5, 0.0, 0.3, 0.0]),
            ({"temperature": 1.0, "min_p": 0.15, "top_p": 0.6}, [0.0, 0.5, 0.0, 0.3, 0.0]),
            ({"temperature": 1.0, "logit_bias": ((2, math.log(4)),)}, [0.1, 0.5, 0.2, 0.3, 0.05]),
        ],
    )
    def test_draws_follow_the_probabilities(self, params: dict[str, Any], shares: list[float]) -> None:
        sampler = Sampler(SamplingParams(seed=1, **params), [])
        counts = Counter(sampler.choose(LOGITS) for _ in range(5000))
        expected = {token: share / sum(shares) * 5000 for token, share in enumerate(shares) if share}
        assert set(counts) == set(expected)
        assert chisquare([counts[token] for token in expected], list(expected.values())).pvalue > 0.001

    @pytest.mark.parametrize(
        ("top_k", "top_p", "kept"),
        [(0, 1.0, 5), (2, 1.0, 2), (0, 0.5, 1), (0, 0.51, 2), (1, 0.9, 1), (99, 0.001, 1)],
    )
    def test_what_is_reached_exactly_is_reached(self, top_k: int, top_p: float, kept: int) -> None:
        values, _, _ = candidates(LOGITS, SamplingParams(temperature=1.0, top_k=top_k, top_p=top_p))
        assert len(values) == kept
        alike, _, _ = candidates(row(*[0.0] * 100), SamplingParams(temperature=1.0, top_p=0.07))
        assert len(alike) == 7  # though 100 * 0.07 is more than 7 in floating point

    @pytest.mark.parametrize("top_k", range(1, 6))
    def test_top_k_is_filled_from_far_below_the_largest(self, top_k: int) -> None:
        values, _, _ = candidates(row(-12.0, 0.0, -6.0, -1.0, -20.0), SamplingParams(temperature=1.0, top_k=top_k))
        assert values.tolist() == [0.0, -1.0, -6.0, -12.0, -20.0][:top_k]

    def test_each_candidate_has_its_lower_border_and_not_its_upper_one(self) -> None:
        assert [draw(row(0.0, 0.0), SamplingParams(temperature=1.0), u) for u in (0.0, 0.499, 0.5, 0.999)] == [
            0,
            0,
            1,
            1,
        ]

    def test_of_equal_logits_top_k_keeps_the_first(self) -> None:
        sampler = Sampler(SamplingParams(temperature=1.0, top_k=2, seed=5), [])
        assert {sampler.choose(row(-0.0, 1.0, 0.0, 0.0)) for _ in range(200)} == {0, 1}


class TestSeed:
    def test_the_same_seed_gives_the_same_tokens(self) -> None:
        params = SamplingParams(temperature=1.0, seed=7)
        first, second = Sampler(params, []), Sampler(params, [])
        drawn = [first.choose(LOGITS) for _ in range(30)]
        assert drawn == [second.choose(LOGITS) for _ in range(30)]
        uniforms = np.random.Generator(np.random.Philox(key=7)).random(30)
        by_rank = np.searchsorted([0.5, 0.8, 0.9, 0.95], uniforms, "right")
        assert drawn == [[1, 3, 0, 2, 4][rank] for rank in by_rank]

    def test_without_a_seed_the_entropy_source_decides(self) -> None:
        params = SamplingParams(temperature=1.0)
        drawn = {Sampler(params, [], entropy=lambda n=n: n).choose(LOGITS) for n in range(20)}
        assert len(drawn) > 1

    @given(st.data(), st.lists(anything, min_size=2, max_size=5))
    def test_a_row_is_chosen_alone_as_in_any_batch(self, data: Any, several: list[SamplingParams]) -> None:
        shape = (3, len(several), data.draw(st.integers(1, 60)))
        steps = data.draw(hnp.arrays(np.float32, shape, elements=st.floats(-30, 30, width=32)))
        together, alone = ([Sampler(params, [0]) for params in several] for _ in range(2))
        expected = [[sampler.choose(logits) for sampler, logits in zip(alone, step, strict=True)] for step in steps]
        assert [choose_rows(step, together) for step in steps] == expected


class TestMask:
    @given(st.data(), with_ruled_out, anything)
    def test_nothing_else_is_ever_chosen(self, data: Any, logits: Logits, params: SamplingParams) -> None:
        assume(logits.max() > -math.inf)
        allowed = data.draw(st.sets(st.integers(0, len(logits) - 1)))
        sampler = Sampler(params, [0])
        for _ in range(3):
            token = choose_rows(logits[None], [sampler], [mask_of(allowed, len(logits))])[0]
            if any(logits[token] > -math.inf for token in allowed):
                assert token in allowed
                assert logits[token] > -math.inf
                assert sampler.failure is None
            else:
                assert (token, sampler.failure) == (None, Failure.NOTHING_ALLOWED)

    @given(with_ruled_out, anything)
    def test_one_that_allows_everything_changes_nothing(self, logits: Logits, params: SamplingParams) -> None:
        free, masked = Sampler(params, [0]), Sampler(params, [0])
        mask = np.full(-(-len(logits) // 32), 0xFFFFFFFF, np.uint32)
        for _ in range(3):
            assert masked.choose(logits, mask) == free.choose(logits)

    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    def test_what_it_forbids_counts_for_no_filter(self, temperature: float) -> None:
        params = SamplingParams(temperature=temperature, top_k=1, min_p=1.0, top_p=0.1)
        assert Sampler(params, []).choose(LOGITS, mask_of({0, 4}, 5)) == 0

    def test_it_wins_over_a_bias(self) -> None:
        params = SamplingParams(logit_bias=((1, 100.0),))
        assert Sampler(params, []).choose(LOGITS, mask_of({0, 2}, 5)) == 0

    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    def test_words_that_are_missing_allow_nothing(self, temperature: float) -> None:
        logits = np.arange(70, dtype=np.float32)
        mask = np.full(1, 0xFFFFFFFF, np.uint32)
        assert Sampler(SamplingParams(temperature=temperature, top_k=1), []).choose(logits, mask) == 31

    def test_a_row_without_anything_allowed_fails_alone(self) -> None:
        samplers = [Sampler(SamplingParams(temperature=t, seed=1), []) for t in (0.0, 0.0, 1.0, 1.0)]
        masks = [mask_of(set(), 5), None, mask_of(set(), 5), mask_of({2}, 5)]
        assert choose_rows(np.stack([LOGITS] * 4), samplers, masks) == [None, 1, None, 2]
        assert [sampler.failure for sampler in samplers] == [Failure.NOTHING_ALLOWED, None] * 2


class TestNotFinite:
    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    @pytest.mark.parametrize("place", range(5))
    def test_a_row_fails_alone_wherever_it_is(self, bad: float, place: int, temperature: float) -> None:
        broken = LOGITS.copy()
        broken[place] = bad
        samplers = [Sampler(SamplingParams(temperature=temperature, top_k=1), []) for _ in range(2)]
        assert choose_rows(np.stack([broken, LOGITS]), samplers, [mask_of({1}, 5), None]) == [None, 1]
        assert [sampler.failure for sampler in samplers] == [Failure.NOT_FINITE, None]

    def test_a_row_of_nothing_but_minus_infinity_is_no_numbers(self) -> None:
        sampler = Sampler(SamplingParams(), [])
        assert sampler.choose(row(-math.inf, -math.inf)) is None
        assert sampler.failure is Failure.NOT_FINITE
        assert sampler.choose(row(-math.inf, 0.0)) == 1
        assert sampler.failure is None


class TestPenalties:
    def test_repetition_lowers_positive_and_negative_logits(self) -> None:
        assert penalised(row(2.0, -2.0, 0.0, -math.inf), 2.0).tolist() == [1.0, -4.0, 0.0, -math.inf]

    def test_repetition_leaves_finite_what_was(self) -> None:
        assert penalised(row(HUGE, -HUGE), 0.1).tolist() == [HUGE, pytest.approx(-HUGE * 0.1)]
        assert penalised(row(-HUGE), 10.0).tolist() == [-HUGE]

    def test_repetition_counts_the_prompt_and_the_answer(self) -> None:
        sampler = Sampler(SamplingParams(repetition_penalty=10.0), [1])
        assert sampler.choose(row(1.0, 5.0, 0.9)) == 0
        assert sampler.choose(row(1.0, 5.0, 0.9)) == 2

    def test_presence_and_frequency_count_the_answer_only(self) -> None:
        sampler = Sampler(SamplingParams(presence_penalty=2.0, frequency_penalty=2.0), [1, 1, 1])
        assert [sampler.choose(row(1.0, 5.5, -9.0)) for _ in range(4)] == [1, 1, 0, 1]

    @given(
        logits_of,
        st.lists(st.integers(0, 39), max_size=12),
        st.lists(st.integers(0, 39), max_size=12),
        st.sampled_from([0.5, 1.0, 2.0]),
        st.integers(-8, 8).map(lambda n: n / 4),
        st.integers(-8, 8).map(lambda n: n / 4),
        st.dictionaries(st.integers(0, 39), st.integers(-400, 400).map(lambda n: n / 4), max_size=5),
    )
    def test_they_are_what_their_definitions_say(
        self, logits: Logits, prompt: list[int], written: list[int], repetition: float,
        presence: float, frequency: float, bias: dict[int, float],
    ) -> None:  # fmt: skip
        """Bias, then the repetition penalty (Keskar et al.), then OpenAI's two; all of it exact in these numbers."""
        prompt, written = ([token for token in ids if token < len(logits)] for ids in (prompt, written))
        params = SamplingParams(
            repetition_penalty=repetition, presence_penalty=presence, frequency_penalty=frequency,
            logit_bias=tuple(bias.items()),
        )  # fmt: skip
        expected = [float(value) + bias.get(token, 0.0) for token, value in enumerate(logits)]
        for token in {*prompt, *written}:
            expected[token] = expected[token] / repetition if expected[token] > 0 else expected[token] * repetition
        for token, count in Counter(written).items():
            expected[token] -= count * frequency + presence
        sampler = Sampler(params, prompt)
        for token in written:
            sampler.take(token)
        assert sampler.choose(logits) == expected.index(max(expected))

    def test_a_bias_rules_out_and_forces(self) -> None:
        assert Sampler(SamplingParams(logit_bias=((1, -100.0),)), []).choose(LOGITS) == 3
        assert Sampler(SamplingParams(temperature=1.0, logit_bias=((4, 100.0),)), []).choose(LOGITS) == 4

    def test_a_bias_for_a_token_that_is_none_does_nothing(self) -> None:
        assert Sampler(SamplingParams(logit_bias=((5, 100.0),)), []).choose(LOGITS) == 1


class TestLogprobs:
    def test_they_are_the_models_own_whatever_changed_the_choice(self) -> None:
        params = SamplingParams(
            temperature=2.0, logit_bias=((1, -100.0), (4, 100.0)), repetition_penalty=2.0, logprobs=3, seed=1
        )
        sampler = Sampler(params, [0])
        assert sampler.choose(LOGITS * 1.0, mask_of({0, 1, 4}, 5)) == 4
        choice = sampler.choice
        assert choice == Choice(
            4,
            pytest.approx(math.log(0.05), abs=1e-5),
            ((1, pytest.approx(math.log(0.5), abs=1e-5)), (3, pytest.approx(math.log(0.3), abs=1e-5)),
             (0, pytest.approx(math.log(0.1), abs=1e-5))),
        )  # fmt: skip

    def test_who_does_not_ask_gets_none_and_a_failure_leaves_none(self) -> None:
        quiet, asking = Sampler(SamplingParams(), []), Sampler(SamplingParams(logprobs=1), [])
        choose_rows(np.stack([LOGITS, LOGITS]), [quiet, asking])
        assert (quiet.choice, asking.choice is None) == (None, False)
        asking.choose(row(math.nan, 0.0))
        assert asking.choice is None

    @given(with_ruled_out, st.integers(1, 5))
    def test_top_is_by_falling_logit_and_id(self, logits: Logits, count: int) -> None:
        assume(logits.max() > -math.inf)
        sampler = Sampler(SamplingParams(logprobs=count), [])
        token = sampler.choose(logits)
        assert sampler.choice is not None
        possible = [token for token in order(logits) if logits[token] > -math.inf]
        assert [token for token, _ in sampler.choice.top] == possible[:count]
        total = math.log(sum(math.exp(float(value)) for value in logits))
        for id_, logprob in ((token, sampler.choice.logprob), *sampler.choice.top):
            assert logprob == pytest.approx(float(logits[id_]) - total, abs=1e-5)


def test_choosing_needs_no_torch() -> None:
    code = "import sys, finslm.engine.sampler; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
