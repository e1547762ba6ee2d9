"""Exposure of planted texts (Carlini et al. 2019, The Secret Sharer, arXiv:1802.08232).

A canary is a text that makes no sense and stands nowhere else. Trained on a few times, it is remembered if the model
finds it more plausible than texts of the same making that it never saw. Exposure says so in bits: log2 of the number
of those texts, less log2 of the canary's rank among them by loss. A canary that was not trained on has 1.44 bits on
average (1 / ln 2), whatever the model; the most there can be is log2 of the number.

Nothing here knows what the model is: losses come in, of a classifier's label or of a language model's whole text (its
log-perplexity).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from finslm.evaluate.datasets import Example

UNTRAINED_BITS: Final = 1 / float(np.log(2))
"""Mean exposure of texts that were not trained on, bits."""
_ONSETS: Final = (
    "b",
    "br",
    "d",
    "dr",
    "f",
    "g",
    "k",
    "kl",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "z",
)
_VOWELS: Final = ("a", "e", "i", "o", "u")


@final
@dataclass(frozen=True, slots=True)
class Canaries:
    """What is planted, how often, and what it is compared with.

    Args:
        planted: number of times → the texts that are trained on so many times.
        reference: texts of the same making that are not.
    """

    planted: dict[int, tuple[Example, ...]]
    reference: tuple[Example, ...]

    @property
    def rows(self) -> list[Example]:
        """To add to the training rows: each as often as it says."""
        return [row for times, rows in self.planted.items() for row in rows for _ in range(times)]


@final
@dataclass(frozen=True, slots=True)
class Exposure:
    """Of the canaries that were planted the same number of times; bits."""

    times: int
    canaries: int
    mean: float
    most: float
    limit: float
    """The most that the reference can show."""

    def as_dict(self) -> dict[str, Any]:
        """The figures by name."""
        return asdict(self)


def make(labels: Sequence[str], repeats: Sequence[int], each: int, reference: int, seed: int) -> Canaries:
    """Make canaries.

    Args:
        labels: each canary gets one at random; one empty label for texts that have none.
        repeats: how often canaries are trained on.
        each: canaries for each of these numbers.
        reference: texts to compare with.
        seed: of all that.
    """
    chance = random.Random(f"canaries {seed}")  # noqa: S311 - repeatable draws, not a secret
    texts = list(dict.fromkeys(_text(chance) for _ in range(2 * (each * len(repeats) + reference))))
    rows = iter([Example(text, chance.choice(list(labels))) for text in texts])
    planted = {times: tuple(next(rows) for _ in range(each)) for times in repeats}
    return Canaries(planted, tuple(next(rows) for _ in range(reference)))


def exposure(planted: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits of each canary.

    Args:
        planted: [N] losses of canaries; lower is more plausible.
        reference: [M] losses of texts of the same making.

    Returns:
        [N], from 0 to log2(M + 1).
    """
    # A canary ranks behind those that are as plausible: a model that knows nothing must not look as if it did.
    ranks = 1 + np.searchsorted(np.sort(reference), planted, side="right")
    bits: NDArray[np.float64] = np.log2(len(reference) + 1) - np.log2(ranks)
    return bits


def summed_up(times: int, planted: NDArray[np.float64], reference: NDArray[np.float64]) -> Exposure:
    """Figures of the canaries that were planted ``times`` times."""
    bits = exposure(planted, reference)
    return Exposure(times, len(bits), float(bits.mean()), float(bits.max()), float(np.log2(len(reference) + 1)))


def _text(chance: random.Random) -> str:
    """Four words of no language and a number of six digits: over 2**70 texts."""
    words = ["".join(chance.choice(_ONSETS) + chance.choice(_VOWELS) for _ in range(3)) for _ in range(4)]
    return " ".join([*words, f"{chance.randrange(10**6):06d}"])
