"""How much noise a guarantee costs, and what guarantee the noise that was added gives.

DP-SGD (Abadi et al. 2016, arXiv:1607.00133): each row's gradient is clipped, noise is added to the sum, and each row
is in a step with a probability that all steps share. The accountant is Opacus': numerical composition of privacy loss
(Gopi et al. 2021, arXiv:2106.02848). Two data sets are neighbours if one has one row more.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final, final

import numpy as np

from finslm.errors import ConfigError

_ACCOUNTANT: Final = "prv"


@final
@dataclass(frozen=True, slots=True)
class NoisePlan:
    """What a run does in each of its steps.

    Args:
        epsilon: that all steps together reach, with ``delta``.
        noise_multiplier: standard deviation of the noise, in units of the clipping norm.
        sample_rate: probability of a row to be in a step.
        steps: how many there are.
        max_grad_norm: to which a row's gradient is clipped, over all trained parameters together.
    """

    epsilon: float
    delta: float
    noise_multiplier: float
    sample_rate: float
    steps: int
    max_grad_norm: float

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {**asdict(self), "accountant": "Opacus, privacy loss distributions (PRV)"}


@lru_cache(maxsize=32)
def plan(epsilon: float, delta: float, max_grad_norm: float, *, rows: int, batch: int, steps: int) -> NoisePlan:
    """The least noise that keeps within ``epsilon`` at ``delta``.

    Args:
        epsilon, delta: the guarantee.
        max_grad_norm: to which a row's gradient is clipped.
        rows: to train on.
        batch: rows of a step, on average.
        steps: of the whole run.

    Raises:
        ConfigError: delta is not below 1 / rows, or the batch is larger than the data.
    """
    from opacus.accountants.utils import get_noise_multiplier

    if delta * rows >= 1:
        raise ConfigError(
            f"privacy.delta {delta} is not below 1 / {rows} training rows: it would allow to publish one of them"
        )
    if batch > rows:
        raise ConfigError(f"training.batch_size {batch} is more than the {rows} training rows")
    rate = batch / rows
    with _no_word_of_bounds():
        noise = get_noise_multiplier(
            target_epsilon=epsilon, target_delta=delta, sample_rate=rate, steps=steps, accountant=_ACCOUNTANT
        )
    return NoisePlan(spent(noise, rate, steps, delta), delta, float(noise), rate, steps, max_grad_norm)


@lru_cache(maxsize=256)
def spent(noise_multiplier: float, sample_rate: float, steps: int, delta: float) -> float:
    """The epsilon of so many steps, at ``delta``."""
    from opacus.accountants import create_accountant

    if steps == 0:
        return 0.0
    accountant = create_accountant(mechanism=_ACCOUNTANT)
    accountant.history = [(noise_multiplier, sample_rate, steps)]
    with _no_word_of_bounds():
        return float(accountant.get_epsilon(delta=delta))


@contextmanager
def _no_word_of_bounds() -> Iterator[None]:
    """Opacus takes a first, loose bound by another accountant, and that one warns that it is loose."""
    with warnings.catch_warnings(), np.errstate(divide="ignore"):  # log(1 - 1) where a step takes every row
        warnings.filterwarnings("ignore", message="Optimal order is the")
        yield
