"""Choosing the next token: pure array functions and one generator per request."""

from __future__ import annotations

import enum
import math
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, final

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

from finslm.types import SamplingParams

Logits = NDArray[np.float32]
Ids = NDArray[np.int64]
Mass = NDArray[np.float64]
Mask = NDArray[np.uint32]
"""Tokens that may be chosen: bit ``i % 32`` of word ``i // 32`` is token ``i``. A missing word allows nothing."""

MIN_TEMPERATURE: Final = 1e-6
"""Divisor of the logits at least: below it float32 overflows, and the choice is the largest logit long before."""

_LARGEST: Final = float(np.finfo(np.float32).max)
_NEVER: Final = -87.0
"""A token this far below the largest, in logits divided by the temperature, has a weight under 2e-38: none is drawn."""
_CUTS: Final = (-5.0, -10.0)
"""Where a shortlist ends, in the same unit, before all tokens are sorted. Comparing takes a tenth of the time of
``argpartition``, and a text's distribution is so steep that the first cut nearly always does."""
_ROUNDING: Final = 1e-6
"""Float32 logits give probabilities to about this much: what misses ``top_p`` or ``min_p`` by less has reached it."""


@final
class Failure(enum.Enum):
    """Why a row got no token."""

    NOT_FINITE = "not finite"
    """The model's numbers cannot be used: NaN or +inf among them, or all -inf."""
    NOTHING_ALLOWED = "nothing allowed"
    """The numbers are fine; the mask leaves no token, or only such that the model itself gives -inf."""


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen and how likely it was.

    Natural logarithms of the model's own probabilities: before mask, bias, penalties and temperature. They
    tell what the prompt says, so they stay in this process (see ``SamplingParams`` in inference.proto).

    Args:
        token: the id.
        logprob: its log probability.
        top: ids and log probabilities of the likeliest tokens by (falling logit, id), ``params.logprobs`` of them.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


def _entropy() -> int:
    return secrets.randbits(63)


@final
class Sampler:
    """The choices of one request. Its randomness is its own, so who shares the batch does not change the text.

    One number is drawn for each token that is sampled, none for a greedy one. Logits of a row still differ in the
    last bits with the size of the batch; a seed therefore repeats a text wherever no draw falls that close to the
    border of two candidates.

    Args:
        params: checked parameters.
        prompt: ids of the prompt; they count for the repetition penalty, as in Keskar et al. 2019
            (arXiv:1909.05858), and not for the presence and frequency penalties, as with OpenAI.
        entropy: where the seed comes from when ``params.seed`` is None.
    """

    def __init__(self, params: SamplingParams, prompt: Sequence[int], entropy: Callable[[], int] = _entropy) -> None:
        self.failure: Failure | None = None
        """Why the last choice was None; None after a choice."""
        self.choice: Choice | None = None
        """The last choice and its probabilities, where ``params.logprobs`` asks for them."""
        self._params = params
        self._repeats = params.repetition_penalty != 1.0
        self._counts = params.presence_penalty != 0.0 or params.frequency_penalty != 0.0
        self._known: set[int] = set(prompt) if self._repeats else set()
        self._seen: Ids = np.array(sorted(self._known), np.int64)
        self._written: Counter[int] = Counter()
        self._biased: Ids = np.array([token for token, _ in params.logit_bias], np.int64)
        self._bias: Logits = np.array([bias for _, bias in params.logit_bias], np.float32)
        self._random: Generator | None = None
        if params.temperature > 0.0:
            # Philox (Salmon et al. 2011) takes the seed as it is: no hashing that another numpy could do otherwise.
            self._random = Generator(Philox(key=entropy() if params.seed is None else params.seed))

    @property
    def takes_largest(self) -> bool:
        """Whether the choice is nothing but the largest logit that is allowed."""
        return self._random is None and not self._adjusts

    @property
    def _adjusts(self) -> bool:
        return self._repeats or self._counts or len(self._biased) > 0

    def choose(self, logits: Logits, mask: Mask | None = None, largest: int | None = None) -> int | None:
        """The next token; None when there is none, and then :attr:`failure` says why.

        Args:
            logits: [V] float32; not changed. -inf is a token that the model rules out.
            mask: tokens allowed, applied before anything else; None for all.
            largest: where the row has its maximum, if that is known.
        """
        self.failure = self.choice = None
        best = int(logits.argmax()) if largest is None else largest
        if not math.isfinite(logits[best]):  # NaN counts as the largest
            self.failure = Failure.NOT_FINITE
            return None
        if not self.takes_largest or (mask is not None and not _allows(mask, best)):
            adjusted = self._adjusted(logits, mask)
            best = int(adjusted.argmax())
            if adjusted[best] == -np.inf:
                self.failure = Failure.NOTHING_ALLOWED
                return None
            if self._random is not None:
                best = draw(adjusted, self._params, self._random.random())
        self.take(best)
        if self._params.logprobs:
            self.choice = explain(logits, best, self._params.logprobs)
        return best

    def take(self, token: int) -> None:
        """Count a token as written. :meth:`choose` does; for one that the answer got without being asked for it."""
        if self._counts:
            self._written[token] += 1
        if self._repeats and token not in self._known:
            self._known.add(token)
            self._seen = np.append(self._seen, token)

    def _adjusted(self, logits: Logits, mask: Mask | None) -> Logits:
        """Logits after mask, bias and penalties, in the order in which vLLM applies them; new unless nothing changes.

        OpenAI: of a token written c times, ``c * frequency_penalty + (c > 0) * presence_penalty`` is subtracted.
        """
        if mask is not None:
            logits = masked(logits, mask)
        elif self._adjusts:
            logits = logits.copy()
        params = self._params
        if len(self._biased):
            known = self._biased < len(logits)  # others are refused where the vocabulary is known: no reason to die
            logits[self._biased[known]] += self._bias[known]
        if self._repeats:
            logits[self._seen] = penalised(logits[self._seen], params.repetition_penalty)
        if self._written:
            ids = np.fromiter(self._written, np.int64, len(self._written))
            counts = np.fromiter(self._written.values(), np.float32, len(self._written))
            logits[ids] -= params.presence_penalty + params.frequency_penalty * counts
        return logits


def choose_rows(
    logits: Logits, samplers: Sequence[Sampler], masks: Sequence[Mask | None] | None = None
) -> list[int | None]:
    """Choose a token for each row; None where there is none: that row fails, no other does.

    ``samplers[i].failure`` says whether the numbers were not finite or nothing was allowed.

    Args:
        logits: [B, V] float32; not changed.
        samplers: B of them, each once.
        masks: for each row the tokens allowed or None for all; None: all rows are free.
    """
    largest = cast("list[int]", logits.argmax(-1).tolist())
    per_row = [None] * len(largest) if masks is None else masks
    return [
        sampler.choose(row, mask, best)
        for row, sampler, mask, best in zip(logits, samplers, per_row, largest, strict=True)
    ]


def draw(logits: Logits, params: SamplingParams, uniform: float) -> int:
    """The candidate where the cumulative probability passes ``uniform``, by (falling logit, id).

    Args:
        logits: [V] float32 with a finite maximum; -inf is never drawn.
        params: with a temperature above 0.
        uniform: in [0, 1).
    """
    values, mass, total = candidates(logits, params, uniform)
    rank = min(int(mass.searchsorted(uniform * total, "right")), len(values) - 1)
    value = values[rank]
    equals_before = rank - int((values > value).sum())
    return int(np.flatnonzero(logits == value)[equals_before])


def candidates(logits: Logits, params: SamplingParams, uniform: float = 1.0) -> tuple[Logits, Mass, float]:
    """The logits of what may be drawn: always the first N tokens by (falling logit, id).

    In vLLM's order: divide by the temperature; keep what has at least ``min_p`` times the largest probability
    (Nguyen et al. 2024, arXiv:2407.01082); keep the ``top_k`` largest; of those the fewest whose probability
    reaches ``top_p`` (Holtzman et al. 2020, arXiv:1904.09751).

    Args:
        logits: [V] float32 with a finite maximum.
        params: with a temperature above 0.
        uniform: the list may end where the cumulative probability has passed this.

    Returns:
        Falling logits [N], N >= 1; their cumulative weight [N], the likeliest token having weight 1; the weight of
        all candidates, those included that were left off because of ``uniform``.
    """
    top_k = params.top_k if 0 < params.top_k < len(logits) else 0
    largest = logits.max()
    scaled = _scaled(logits, largest, params.temperature)
    weights: Logits = np.exp(scaled)
    floor = max(_NEVER, math.log(params.min_p) - _ROUNDING) if params.min_p > 0.0 else _NEVER
    total = _sum(weights if floor == _NEVER else weights[scaled >= floor])
    if top_k:
        ids = _first(scaled, floor, top_k)
    else:
        ids = _heaviest(scaled, floor, weights, total * (params.top_p if params.top_p < 1.0 else uniform))
    values = np.sort(logits[ids])[::-1]  # values alone: numpy sorts those several times as fast as their indices
    if top_k:
        values = values[:top_k]
    mass: Mass = np.exp(_scaled(values, largest, params.temperature)).cumsum(dtype=np.float64)
    if top_k:
        total = float(mass[-1])
    if params.top_p < 1.0:
        kept = int(mass.searchsorted(total * params.top_p * (1.0 - _ROUNDING))) + 1
        values, mass = values[:kept], mass[:kept]
        total = float(mass[-1])
    return values, mass, total


def _scaled(logits: Logits, largest: np.float32, temperature: float) -> Logits:
    """How far below the largest, divided by the temperature; at most 0, so no weight overflows."""
    with np.errstate(over="ignore"):  # a difference too large for float32 is -inf, which is right
        return cast(Logits, (logits - largest) / np.float32(max(temperature, MIN_TEMPERATURE)))


def _first(scaled: Logits, floor: float, count: int) -> Ids:
    """At least the ``count`` largest of those above the floor; more where that is cheaper, and where some are equal."""
    ids = np.flatnonzero(scaled >= max(floor, _CUTS[0]))
    if len(ids) < count and floor < _CUTS[0]:
        ids = np.flatnonzero(scaled >= max(floor, float(np.partition(scaled, -count)[-count])))
    return ids


def _heaviest(scaled: Logits, floor: float, weights: Logits, reach: float) -> Ids:
    """At least so many of the largest above the floor that their weight exceeds ``reach``; else all of those."""
    for cut in _CUTS:
        ids = np.flatnonzero(scaled >= max(floor, cut))
        if cut <= floor or _sum(weights[ids]) > reach:
            return ids
    return np.flatnonzero(scaled >= floor)


def masked(logits: Logits, mask: Mask) -> Logits:
    """A new [V] that is -inf where the mask has no bit."""
    if not len(mask):  # of no bytes at all, unpackbits makes an array that it leaves uninitialised
        return np.full_like(logits, -np.inf)
    words = mask.astype("<u4", copy=False).view(np.uint8)
    allowed = np.unpackbits(words, count=len(logits), bitorder="little").view(np.bool_)
    return np.where(allowed, logits, np.float32(-np.inf))


def penalised(logits: Logits, penalty: float) -> Logits:
    """Divide positive and multiply negative logits by ``penalty``; returns a new [N] float32, finite where it was."""
    exact = logits.astype(np.float64)  # in float32 a large logit could overflow
    moved = np.where(exact > 0, exact / penalty, exact * penalty)
    bounded = np.where(np.isneginf(exact), exact, np.clip(moved, -_LARGEST, _LARGEST))
    return cast(Logits, bounded.astype(np.float32))


def explain(logits: Logits, token: int, count: int) -> Choice:
    """How likely the token was, and the ``count`` likeliest ones; fewer if the model rules out the rest.

    Args:
        logits: [V] float32 as the model gave them, with a finite maximum.
        token: what was chosen.
        count: at least 1.
    """
    largest = float(logits.max())
    with np.errstate(over="ignore"):
        total = largest + math.log(_sum(np.exp(logits - np.float32(largest))))
    left = logits.copy()
    best: list[tuple[int, float]] = []
    while len(best) < count and (value := float(left[at := int(left.argmax())])) > -np.inf:
        best.append((at, value - total))
        left[at] = -np.inf
    return Choice(token, float(logits[token]) - total, tuple(best))


def _allows(mask: Mask, token: int) -> bool:
    return token >> 5 < len(mask) and bool(int(mask[token >> 5]) >> (token & 31) & 1)


def _sum(values: NDArray[Any]) -> float:
    return float(values.sum(dtype=np.float64))
