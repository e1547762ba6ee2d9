"""The rules of sampling parameters and of the token budget, in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence

from finslm.errors import FieldViolation, InvalidRequest, PromptTooLong
from finslm.types import SamplingParams
from redaction.text import RedactedText

MAX_STOP_STRINGS = 8
MAX_STOP_CHARS = 64
"""Longest stop string, code points: so much of an answer may have to be held back."""
MAX_BIASES = 300
MAX_BIAS = 100.0
MAX_LOGPROBS = 5
MAX_LABELS = 64
_NO_ID = 2**31
"""Above the ids of any model."""


def check_params(params: SamplingParams, max_new_tokens: int, vocabulary: int | None = None) -> None:
    """Refuse parameters outside their documented ranges.

    What has no effect is no error: with ``temperature`` 0 the seed, ``top_k``, ``top_p`` and ``min_p`` are ignored, as
    OpenAI and vLLM do, because clients send their defaults along; for the same reason several of the filters and
    penalties may be set together, and ``top_k`` may exceed the vocabulary. What can only be a mistake is refused,
    as vLLM does: a bias for a token that the model does not have (the caller took another model's tokenizer), or two
    for one token (one of them would be lost). Ranges of the penalties and biases are OpenAI's.

    Args:
        params: what was asked.
        max_new_tokens: most that ``max_tokens`` may be.
        vocabulary: how many tokens the model has; None where it is not known.

    Raises:
        InvalidRequest: with one violation for each broken rule.
    """
    rules = {
        "max_tokens": (1 <= params.max_tokens <= max_new_tokens, f"1 to {max_new_tokens}"),
        "temperature": (_within(params.temperature, 0.0, 5.0), "0 (greedy) to 5"),
        "top_k": (params.top_k >= 0, "0 (off) or more"),
        "top_p": (params.top_p > 0 and _within(params.top_p, 0.0, 1.0), "above 0, at most 1"),
        "min_p": (_within(params.min_p, 0.0, 1.0), "0 (off) to 1"),
        "repetition_penalty": (_within(params.repetition_penalty, 0.1, 10.0), "0.1 to 10"),
        "presence_penalty": (_within(params.presence_penalty, -2.0, 2.0), "-2 to 2"),
        "frequency_penalty": (_within(params.frequency_penalty, -2.0, 2.0), "-2 to 2"),
        "logit_bias": (_biases_fit(params.logit_bias, vocabulary), _bias_rule(vocabulary)),
        "logprobs": (0 <= params.logprobs <= MAX_LOGPROBS, f"0 (off) to {MAX_LOGPROBS}"),
        "seed": (params.seed is None or 0 <= params.seed < 2**63, "0 to 2^63 - 1"),
        "stop": (_stops_fit(params.stop), f"at most {MAX_STOP_STRINGS} strings of 1 to {MAX_STOP_CHARS} characters"),
    }
    broken = [FieldViolation(name, f"must be {rule}") for name, (kept, rule) in rules.items() if not kept]
    if broken:
        names = "; ".join(f"{violation.field} {violation.description}" for violation in broken)
        raise InvalidRequest(f"sampling parameters: {names}", *broken)


def check_length(prompt_tokens: int, max_tokens: int, window: int) -> None:
    """Refuse a prompt that leaves no room for the answer asked for.

    Raises:
        PromptTooLong: ``prompt_tokens + max_tokens`` exceeds ``window`` (all in tokens).
    """
    if prompt_tokens + max_tokens > window:
        raise PromptTooLong(
            f"the prompt has {prompt_tokens} tokens and {max_tokens} are asked for, together over the limit "
            f"of {window}: shorten the text or ask for fewer tokens"
        )


def check_labels(labels: Sequence[RedactedText]) -> None:
    """Refuse labels among which there is nothing to choose.

    Raises:
        InvalidRequest: fewer than two, too many, one twice, or one that is empty.
    """
    different = len({label.value for label in labels})
    if not 2 <= len(labels) == different <= MAX_LABELS or not all(map(len, labels)):
        rule = f"must be 2 to {MAX_LABELS} different ones, none empty"
        raise InvalidRequest(
            f"{len(labels)} labels, {different} of them different: they {rule}", FieldViolation("labels", rule)
        )


def _within(value: float, low: float, high: float) -> bool:
    return math.isfinite(value) and low <= value <= high


def _stops_fit(stops: tuple[str, ...]) -> bool:
    return len(stops) <= MAX_STOP_STRINGS and all(1 <= len(stop) <= MAX_STOP_CHARS for stop in stops)


def _biases_fit(biases: tuple[tuple[int, float], ...], vocabulary: int | None) -> bool:
    ids = {token for token, _ in biases}
    return (
        len(ids) == len(biases) <= MAX_BIASES
        and all(_within(bias, -MAX_BIAS, MAX_BIAS) for _, bias in biases)
        and all(0 <= token < (_NO_ID if vocabulary is None else vocabulary) for token in ids)
    )


def _bias_rule(vocabulary: int | None) -> str:
    ids = "" if vocabulary is None else f", with ids below {vocabulary}"
    return f"at most {MAX_BIASES} different tokens of the model{ids}, each with {-MAX_BIAS:g} to {MAX_BIAS:g}"
