"""Ranking by words alone: BM25, to choose what a model is asked about and to compare it with."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, final

from redaction.operators import PLACEHOLDER

_WORD: Final = re.compile(r"[a-z0-9]+(?:\.\d+)?")
_K1: Final = 1.2
_B: Final = 0.75
"""The usual constants (Robertson & Zaragoza 2009, section 3.5)."""
_EMPTY: Final = """
    a an and are as at be been between by did do does for from had has have how in is it its of on or that the
    their there these this to was were what when where which who why will with much many company respectively
"""
EMPTY_WORDS: Final = frozenset(_EMPTY.split())
"""Words that say nothing of what is asked."""


def as_words(text: str) -> str:
    """A text with each placeholder as one word, ``organization1``: as a name is one, and no other name's.

    With its marks it would be five tokens to the encoder and two words, of which ``1`` is that of any other kind too.
    """
    return PLACEHOLDER.sub(lambda found: found[0].strip("<>").replace("_", "").lower(), text)


def words(text: str) -> list[str]:
    """Lower-case words and numbers; digits are not split at their thousands."""
    return _WORD.findall(as_words(text).lower().replace(",", ""))


def content_words(text: str) -> set[str]:
    """The words that say what a text is about, without a plural's s."""
    return {_singular(word) for word in words(text)} - EMPTY_WORDS


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@final
class Bm25:
    """BM25 over the texts of one document.

    Args:
        texts: what is ranked.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(map(_singular, words(text))) for text in texts]
        self._lengths = [sum(count.values()) for count in counts]
        self._mean = sum(self._lengths) / max(1, len(texts)) or 1.0
        self._places: dict[str, list[tuple[int, int]]] = {}
        for place, count in enumerate(counts):
            for word, times in count.items():
                self._places.setdefault(word, []).append((place, times))

    def scores(self, question: str) -> list[float]:
        """One for each text, 0 where no word of the question is in it."""
        number = len(self._lengths)
        out = [0.0] * number
        for word in sorted({_singular(word) for word in words(question)} & self._places.keys()):
            held = self._places[word]
            rarity = math.log(1 + (number - len(held) + 0.5) / (len(held) + 0.5))
            for place, times in held:
                out[place] += rarity * self._share(times, self._lengths[place])
        return out

    def _share(self, times: int, length: int) -> float:
        return times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * length / self._mean))
