"""Classification metrics, with intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one classifier on one test set; intervals are 95 % bootstrap percentiles over rows."""

    rows: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float
    top3: float | None
    calibration_error: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        """The figures by name."""
        return asdict(self)


def score(
    predicted: Labels,
    truth: Labels,
    probabilities: Probabilities | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Scores:
    """Score predictions.

    Args:
        predicted: [N] label ids.
        truth: [N] label ids.
        probabilities: [N, L], rows sum to 1; gives top-3 accuracy and calibration error.
    """
    hits = predicted == truth
    draws = np.random.default_rng(seed).integers(0, len(hits), (resamples, len(hits)))
    low, high = np.percentile(hits[draws].mean(1), [2.5, 97.5])
    top3 = calibration = None
    if probabilities is not None:
        top3 = float((np.argsort(-probabilities, 1)[:, :3] == truth[:, None]).any(1).mean())
        calibration = expected_calibration_error(probabilities, truth)
    return Scores(len(hits), float(hits.mean()), float(low), float(high), macro_f1(predicted, truth), top3, calibration)


def macro_f1(predicted: Labels, truth: Labels) -> float:
    """Mean over the labels in ``truth`` of each label's F1."""
    f1 = []
    for label in np.unique(truth):
        true_positive = int(((predicted == label) & (truth == label)).sum())
        wrong = int(((predicted == label) ^ (truth == label)).sum())
        f1.append(2 * true_positive / (2 * true_positive + wrong))
    return float(np.mean(f1))


def expected_calibration_error(probabilities: Probabilities, truth: Labels, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017, arXiv:1706.04599)."""
    confidence, hits = probabilities.max(1), probabilities.argmax(1) == truth
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[which == b].mean() - hits[which == b].mean()) * (which == b).mean()
        for b in range(bins)
        if (which == b).any()
    ]
    return float(sum(gaps))
