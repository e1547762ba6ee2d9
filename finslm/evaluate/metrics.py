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


@final
@dataclass(frozen=True, slots=True)
class Outside:
    """How well texts that fit no label are told apart, by the confidence in the best label that there is.

    ``auroc`` is the probability that such a text is given less confidence than one in scope. ``recall`` is the share
    of them that is rejected at the threshold that rejects ``false_alarms`` of the texts in scope.
    """

    rows: int
    auroc: float
    threshold: float
    recall: float
    false_alarms: float

    def as_dict(self) -> dict[str, float | int]:
        """The figures by name."""
        return asdict(self)


def outside(inside: NDArray[np.float64], beyond: NDArray[np.float64], threshold: float) -> Outside:
    """Figures of confidences.

    Args:
        inside: [N] of texts in scope.
        beyond: [M] of texts out of scope.
        threshold: less confidence rejects a text; chosen on other rows than these.
    """
    from sklearn.metrics import roc_auc_score

    truth = np.r_[np.ones(len(inside)), np.zeros(len(beyond))]
    return Outside(
        rows=len(beyond),
        auroc=float(roc_auc_score(truth, np.r_[inside, beyond])),
        threshold=threshold,
        recall=float((beyond < threshold).mean()),
        false_alarms=float((inside < threshold).mean()),
    )


def coverage_curve(
    confidence: NDArray[np.float64], hits: NDArray[np.bool_], points: int = 20
) -> list[tuple[float, float]]:
    """Accuracy among the most confident share of the rows, for falling shares (El-Yaniv & Wiener 2010).

    Args:
        confidence: [N] of each row.
        hits: [N] whether it was right.
        points: how many shares; the first is all rows.

    Returns:
        (share, accuracy) pairs.
    """
    falling = hits[np.argsort(-confidence, kind="stable")]
    counts = [max(1, round(len(falling) * (points - i) / points)) for i in range(points)]
    return [(count / len(falling), float(falling[:count].mean())) for count in counts]


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
