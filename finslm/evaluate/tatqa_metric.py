"""Exact match and F1 as TAT-QA defines them (Zhu et al. 2021, section 5.2), written from the published definition.

The parts of an answer are sorted and joined; a number counts at its scale, rounded to two places before; what is left
are the numeracy-focused rules of DROP (Dua et al. 2019, arXiv:1903.00161). For numbers F1 is exact match.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

from finslm.answering.figures import power

_ARTICLES: Final = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
_CURRENCY: Final = re.compile(r"[$€£¥,\s]|US\$|RMB")


def exact_match_f1(
    kind: str, truth: Sequence[str], truth_scale: str, answer: Sequence[str], answer_scale: str
) -> tuple[float, float]:
    """Exact match (0 or 1) and F1 (0 to 1) of an answer; an empty one has neither.

    Args:
        kind: ``span``, ``multi-span``, ``arithmetic`` or ``count``.
    """
    if not answer:
        return 0.0, 0.0
    wanted = _normalised(_joined(truth, truth_scale))
    given = [_joined(answer, answer_scale)]
    if len(answer) == 1 and not answer_scale and "%" not in answer[0] and (number := to_number(answer[0])) is not None:
        given.append(_four(number))  # .2342 of nothing is 23.42 per cent
    scores = [_scores(_normalised(text), wanted) for text in given]
    exact, f1 = max(scores)
    return exact, exact if kind in {"arithmetic", "count"} else f1


def to_number(text: str) -> Decimal | None:
    """The number that a text is, brackets being a loss and a percent sign a hundredth; None if it is none."""
    plain = _CURRENCY.sub("", text)
    negative = plain.startswith("(") and plain.endswith(")")
    plain = plain.strip("()")
    percent = plain.endswith("%")
    try:
        value = Decimal(plain.rstrip("%"))
    except InvalidOperation:
        return None
    if not value.is_finite():
        return None
    value = -value if negative else value
    return value / 100 if percent else value


def _joined(parts: Sequence[str], scale: str) -> str:
    return " ".join(_scaled(part, scale) for part in sorted(parts))


def _scaled(part: str, scale: str) -> str:
    if (number := to_number(part)) is None:
        return f"{part} {scale}" if scale else part
    if "%" in part:
        return _four(number)
    return _four(round(number, 2) * Decimal(10) ** power(scale))


def _four(number: Decimal) -> str:
    return f"{number.quantize(Decimal('0.0001'), ROUND_HALF_EVEN):f}"


def _normalised(text: str) -> list[str]:
    tokens = (_token(token) for token in text.lower().split(" "))
    return [word for token in tokens for word in token.split()]


def _token(token: str) -> str:
    if (number := to_number(token)) is not None:
        return f"{number.normalize():f}"
    return _ARTICLES.sub(" ", token.translate(_PUNCTUATION))


def _scores(given: Sequence[str], wanted: Sequence[str]) -> tuple[float, float]:
    exact = float(given == wanted)
    common = len(set(given) & set(wanted))
    if not common:
        return exact, exact
    precision, recall = common / len(set(given)), common / len(set(wanted))
    return exact, round(2 * precision * recall / (precision + recall), 2)
