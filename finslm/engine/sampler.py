"""Choosing the next token: pure functions on arrays and one generator per request."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finslm.engine.runner import Logits
from finslm.types import SamplingParams

MIN_TEMPERATURE = 1e-6
"""Divisor of the logits at least: below it float32 overflows, and the choice is the largest logit long before."""


def _entropy() -> int:
    return secrets.randbits(63)


class Sampler:
    """The choices of one request. Its randomness is its own, so who shares the batch does not change the text.

    Logits of a row still differ in the last bits with the size of the batch; a seed therefore
    repeats a text wherever no two candidates are that close.

    Args:
        params: checked parameters.
        prompt: ids of the prompt; they count for the repetition penalty, as in Keskar et al. 2019
            (arXiv:1909.05858).
        entropy: where the seed comes from when ``params.seed`` is None.
    """

    def __init__(self, params: SamplingParams, prompt: Sequence[int], entropy: Callable[[], int] = _entropy) -> None:
        self._params = params
        self._seen: set[int] = set(prompt) if params.repetition_penalty != 1.0 else set()
        seed = entropy() if params.seed is None else params.seed
        self._generator = np.random.Generator(np.random.Philox(seed))

    @property
    def takes_largest(self) -> bool:
        """Whether the choice is nothing but the largest logit."""
        return self._params.temperature == 0.0 and self._params.repetition_penalty == 1.0

    def choose(self, logits: Logits) -> int:
        """The next token.

        Args:
            logits: [V] finite.
        """
        params = self._params
        if params.repetition_penalty != 1.0:
            logits = penalise(logits, sorted(self._seen), params.repetition_penalty)
        if params.temperature == 0.0:
            token = int(logits.argmax())
        else:
            scaled = (logits - logits.max()) / max(params.temperature, MIN_TEMPERATURE)  # at most 0: no overflow
            shares, ids = shortlist(scaled, params.top_k, params.top_p)
            token = int(ids[_drawn(shares, self._generator.random())])
        if params.repetition_penalty != 1.0:
            self._seen.add(token)
        return token


def penalise(logits: Logits, seen: Sequence[int], penalty: float) -> Logits:
    """Divide positive and multiply negative logits of seen tokens by ``penalty``; returns a new [V] array."""
    changed = logits.copy()
    chosen = logits[list(seen)]
    changed[list(seen)] = np.where(chosen > 0, chosen / penalty, chosen * penalty)
    return changed


def shortlist(logits: Logits, top_k: int, top_p: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Candidates by falling logit: the ``top_k`` largest (0: all), of those the fewest whose probability reaches top_p.

    Args:
        logits: [V] already divided by the temperature, the largest 0.

    Returns:
        Their shares of the probability [N], which sum to 1, and their ids [N], N >= 1. Equal logits stand in the
        order of their ids.
    """
    size = logits.shape[0]
    if 0 < top_k < size:
        least = np.partition(logits, size - top_k)[size - top_k]
        ids = np.flatnonzero(logits >= least)
    else:
        ids = np.arange(size)
    order = np.argsort(-logits[ids], kind="stable")
    ids = ids[order][: top_k if 0 < top_k < size else size]
    shares = np.exp(logits[ids].astype(np.float64))
    shares /= shares.sum()
    if top_p < 1.0:
        kept = 1 + int(np.searchsorted(np.cumsum(shares)[:-1], top_p, side="left"))
        ids, shares = ids[:kept], shares[:kept] / shares[:kept].sum()
    return shares, ids


def _drawn(shares: NDArray[np.float64], uniform: float) -> int:
    """The place at which the sum of the shares passes ``uniform``, which is in [0, 1)."""
    return min(int(np.searchsorted(np.cumsum(shares), uniform, side="right")), len(shares) - 1)


def choose_rows(logits: Logits, samplers: Sequence[Sampler]) -> list[int | None]:
    """Choose a token for each row; None for a row that is not all finite: that row fails, no other does.

    Args:
        logits: [B, V].
    """
    largest: NDArray[Any] = logits.argmax(-1)  # of a row with NaN, the place of the NaN
    rows = np.arange(len(logits))
    usable = np.isfinite(logits[rows, largest]) & np.isfinite(logits.min(-1))
    return [
        None if not fine else int(best) if sampler.takes_largest else sampler.choose(row)
        for fine, best, sampler, row in zip(usable, largest, samplers, logits, strict=True)
    ]
