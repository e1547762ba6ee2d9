"""Choosing the next token: pure tensor functions and one generator per request."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

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
        self._generator = torch.Generator().manual_seed(seed)

    @property
    def takes_largest(self) -> bool:
        """Whether the choice is nothing but the largest logit."""
        return self._params.temperature == 0.0 and self._params.repetition_penalty == 1.0

    def choose(self, logits: Tensor) -> int:
        """The next token.

        Args:
            logits: [V] float32 on the CPU, finite.
        """
        params = self._params
        if params.repetition_penalty != 1.0:
            logits = penalise(logits, sorted(self._seen), params.repetition_penalty)
        if params.temperature == 0.0:
            token = int(logits.argmax())
        else:
            scaled = (logits - logits.max()) / max(params.temperature, MIN_TEMPERATURE)  # at most 0: no overflow
            values, ids = shortlist(scaled, params.top_k, params.top_p)
            pick = torch.multinomial(torch.softmax(values, -1), 1, generator=self._generator)
            token = int(ids[pick])
        if params.repetition_penalty != 1.0:
            self._seen.add(token)
        return token


def penalise(logits: Tensor, seen: Sequence[int], penalty: float) -> Tensor:
    """Divide positive and multiply negative logits of seen tokens by ``penalty``; returns a new [V] tensor."""
    index = torch.tensor(seen, dtype=torch.long)
    chosen = logits[index]
    return logits.index_copy(0, index, torch.where(chosen > 0, chosen / penalty, chosen * penalty))


def shortlist(logits: Tensor, top_k: int, top_p: float) -> tuple[Tensor, Tensor]:
    """Candidates by falling logit: the ``top_k`` largest (0: all), of those the fewest whose probability reaches top_p.

    Args:
        logits: [V] float32, already divided by the temperature.

    Returns:
        Logits [N] float32 and their ids [N] int64, N >= 1.
    """
    size = logits.shape[0]
    if top_p >= 1.0 and not 0 < top_k < size:
        return logits, torch.arange(size)
    values, ids = logits.topk(top_k if 0 < top_k < size else size)
    before = torch.softmax(values, -1).cumsum(-1).roll(1)
    before[0] = 0.0
    kept = before < top_p
    kept[0] = True  # a top_p below the smallest float32 is 0 in the comparison
    return values[kept], ids[kept]


def choose_rows(logits: Tensor, samplers: Sequence[Sampler]) -> list[int | None]:
    """Choose a token for each row; None for a row that is not all finite: that row fails, no other does.

    Args:
        logits: [B, V] float32 on the CPU.
    """
    finite = cast("list[bool]", torch.isfinite(logits).all(-1).tolist())
    largest = cast("list[int]", logits.argmax(-1).tolist())
    return [
        None if not usable else best if sampler.takes_largest else sampler.choose(row)
        for usable, best, sampler, row in zip(finite, largest, samplers, logits, strict=True)
    ]
