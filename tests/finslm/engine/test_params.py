"""Parameters outside their ranges are refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from finslm.engine.params import check_length, check_params
from finslm.errors import InvalidRequest, PromptTooLong
from finslm.types import SamplingParams


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0), ("max_tokens", 129), ("temperature", -0.1), ("temperature", math.nan),
        ("temperature", math.inf), ("top_k", -1), ("top_p", 0.0), ("top_p", 1.1), ("repetition_penalty", 0.0),
        ("seed", -1), ("seed", 2**63), ("stop", ("",)), ("stop", ("x" * 65,)), ("stop", ("x",) * 9),
        ("min_p", -0.1), ("min_p", 1.1), ("min_p", math.nan), ("presence_penalty", 2.1), ("presence_penalty", -2.1),
        ("frequency_penalty", 2.1), ("frequency_penalty", math.nan), ("logprobs", -1), ("logprobs", 6),
        ("logit_bias", ((1, 100.5),)), ("logit_bias", ((1, math.nan),)), ("logit_bias", ((-1, 1.0),)),
        ("logit_bias", ((1, 1.0), (1, 2.0))), ("logit_bias", tuple((token, 1.0) for token in range(301))),
        ("logit_bias", ((2**31, 1.0),)),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_with_its_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_params(SamplingParams(**{field: value}), max_new_tokens=128)
    assert [violation.field for violation in refusal.value.violations] == [field]


def test_all_broken_rules_are_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_params(SamplingParams(max_tokens=0, top_p=2.0), max_new_tokens=100)
    assert {violation.field for violation in refusal.value.violations} == {"max_tokens", "top_p"}


def test_the_defaults_are_fine() -> None:
    check_params(SamplingParams(), max_new_tokens=128)
    assert SamplingParams().max_tokens == 128


def test_a_bias_for_a_token_that_the_model_does_not_have_is_refused() -> None:
    params = SamplingParams(logit_bias=((0, 1.0), (99, -100.0)))
    check_params(params, max_new_tokens=128, vocabulary=100)
    check_params(params, max_new_tokens=128)
    with pytest.raises(InvalidRequest, match="logit_bias .*with ids below 99, each with -100 to 100"):
        check_params(params, max_new_tokens=128, vocabulary=99)


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(temperature=0.0, top_k=40, top_p=0.5, min_p=0.1, seed=1),
        SamplingParams(temperature=1.0, top_k=10**6, min_p=1.0, presence_penalty=2.0, frequency_penalty=-2.0),
        SamplingParams(repetition_penalty=1.2, presence_penalty=1.0, logprobs=5),
        SamplingParams(logit_bias=tuple((token, -100.0) for token in range(300))),
    ],
)
def test_what_has_no_effect_or_adds_up_is_no_error(params: SamplingParams) -> None:
    check_params(params, max_new_tokens=128, vocabulary=49_152)
    hash(params)


def test_a_prompt_over_the_window_is_refused_with_counts_and_limit() -> None:
    check_length(90, 10, 100)
    with pytest.raises(PromptTooLong, match="91 tokens and 10 .* limit of 100"):
        check_length(91, 10, 100)
