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


def test_a_prompt_over_the_window_is_refused_with_counts_and_limit() -> None:
    check_length(90, 10, 100)
    with pytest.raises(PromptTooLong, match="91 tokens and 10 .* limit of 100"):
        check_length(91, 10, 100)
