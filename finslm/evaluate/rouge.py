"""ROUGE-1, ROUGE-2 and ROUGE-L F1 (Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries).

Words are runs of letters and digits in lower case; nothing is stemmed and no word is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, final

_WORD: Final = re.compile(r"[a-z0-9]+")


@final
@dataclass(frozen=True, slots=True)
class Rouge:
    """F1 from 0 to 1 of shared words, of shared pairs of words, and of the longest common subsequence."""

    rouge1: float
    rouge2: float
    rouge_l: float

    def as_dict(self) -> dict[str, float]:
        """The figures by name."""
        return asdict(self)


def rouge(reference: str, summary: str) -> Rouge:
    """Scores of a summary beside the one that a person wrote."""
    wanted, given = (_WORD.findall(text.lower()) for text in (reference, summary))
    longest = _f1(_common_subsequence(wanted, given), len(wanted), len(given))
    return Rouge(_shared(wanted, given, 1), _shared(wanted, given, 2), longest)


def mean_rouge(pairs: Sequence[tuple[str, str]]) -> Rouge:
    """Mean of each figure over (reference, summary) pairs.

    Raises:
        ValueError: there are none.
    """
    if not pairs:
        raise ValueError("no summaries to score")
    scores = [rouge(*pair) for pair in pairs]
    one, two, longest = (
        sum(column) / len(scores) for column in zip(*(s.as_dict().values() for s in scores), strict=True)
    )
    return Rouge(one, two, longest)


def _shared(wanted: Sequence[str], given: Sequence[str], size: int) -> float:
    own, other = (Counter(zip(*(words[i:] for i in range(size)), strict=False)) for words in (wanted, given))
    return _f1((own & other).total(), own.total(), other.total())


def _f1(common: int, wanted: int, given: int) -> float:
    return 2 * common / (wanted + given) if common else 0.0


def _common_subsequence(wanted: Sequence[str], given: Sequence[str]) -> int:
    """Length of the longest one; memory in proportion to the shorter side."""
    across, down = sorted((wanted, given), key=len)
    row = [0] * (len(across) + 1)
    for word in down:
        before = 0
        for place, other in enumerate(across, 1):
            before, row[place] = row[place], before + 1 if word == other else max(row[place], row[place - 1])
    return row[-1]
