"""Membership inference: can somebody who asks the model tell whether a row was trained on?

The attack of Yeom et al. 2018 (arXiv:1709.01604) says yes where the loss is low. A row may be easy for any model: the
calibrated attack (Watson et al. 2022, arXiv:2111.08440) says yes where the loss is lower than that of a reference
model that did not see the row. An area under the ROC curve of .5 is no better than guessing; what counts for a person
is how many members are found with next to no false alarm (Carlini et al. 2022, arXiv:2112.03570).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 500
"""Of the bootstrap interval."""


@final
@dataclass(frozen=True, slots=True)
class Attack:
    """How well members are told from others; the interval is of 95 %, bootstrap percentiles over both."""

    members: int
    others: int
    auc: float
    auc_low: float
    auc_high: float
    advantage: float
    """The largest true-positive rate less false-positive rate, over all thresholds."""
    found_at_1_percent: float
    """Members found where 1 % of the others are taken for members."""
    found_at_01_percent: float
    """The same at .1 %."""

    def as_dict(self) -> dict[str, Any]:
        """The figures by name."""
        return asdict(self)


def attack(members: NDArray[np.float64], others: NDArray[np.float64], *, seed: int = 0) -> Attack:
    """Score an attack.

    Args:
        members: [N] how much each row that was trained on looks like a member; higher is more.
        others: [M] of rows that were not.
        seed: of the bootstrap.
    """
    chance = np.random.default_rng(seed)
    drawn = [auc(chance.choice(members, len(members)), chance.choice(others, len(others))) for _ in range(RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    thresholds = np.unique(np.r_[members, others])
    advantage = float((_share_from(members, thresholds) - _share_from(others, thresholds)).max())
    return Attack(
        members=len(members),
        others=len(others),
        auc=auc(members, others),
        auc_low=float(low),
        auc_high=float(high),
        advantage=max(0.0, advantage),
        found_at_1_percent=_found(members, others, 0.01),
        found_at_01_percent=_found(members, others, 0.001),
    )


def auc(members: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Probability that a member scores higher than another row; a tie counts half (Mann-Whitney)."""
    ordered = np.sort(others)
    below, up_to = (np.searchsorted(ordered, members, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / len(others))


def _share_from(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the scores at each threshold or above."""
    shares: NDArray[np.float64] = 1 - np.searchsorted(np.sort(scores), thresholds, side="left") / len(scores)
    return shares


def _found(members: NDArray[np.float64], others: NDArray[np.float64], false_alarms: float) -> float:
    """Members above the lowest threshold that no more than this share of the others are above."""
    allowed = int(false_alarms * len(others))
    threshold = np.sort(others)[len(others) - 1 - allowed]
    return float((members > threshold).mean())
