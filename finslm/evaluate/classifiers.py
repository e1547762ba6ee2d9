"""What a classifier is worth on a data set's test rows, beside what a linear model is worth on the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from finslm.evaluate.datasets.classification import OUT_OF_SCOPE
from finslm.evaluate.metrics import (
    Labels,
    Outside,
    Probabilities,
    Scores,
    coverage_curve,
    expected_calibration_error,
    outside,
    score,
)

FALSE_ALARMS: Final = 0.05
"""Share of the held-back texts in scope that the threshold of confidence rejects."""


@final
@dataclass(frozen=True, slots=True)
class Truth:
    """What the rows of a split are.

    Args:
        labels: that the classifier chooses from, in order.
        of: [N] number of each row's label; -1 where it is none of these.
        seen: rows whose text, letter case and spaces aside, was trained on.
    """

    labels: Sequence[str]
    of: Labels
    seen: frozenset[int] = frozenset()

    @property
    def inside(self) -> np.ndarray:
        """[N] whether a row is in scope."""
        rejected = self.labels.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in self.labels else -1
        inside: np.ndarray = (self.of >= 0) & (self.of != rejected)
        return inside

    def confidence(self, probabilities: Probabilities) -> np.ndarray:
        """[N] probability of the best label that is in scope."""
        kept = [i for i, label in enumerate(self.labels) if label != OUT_OF_SCOPE]
        best: np.ndarray = probabilities[:, kept].max(1)
        return best


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one classifier on one test split; texts out of scope count in ``outside`` only."""

    scores: Scores
    unseen: Scores
    """Without the rows that were seen in training."""
    outside: Outside | None
    """None where no test row is out of scope."""
    calibration_error: float
    """Over every row whose label can be chosen, that of out of scope included."""
    coverage: list[tuple[float, float]]
    """(share of the rows, accuracy) of the most confident ones."""

    def as_dict(self) -> dict[str, Any]:
        """The figures by name."""
        return {
            **self.scores.as_dict(),
            "calibration_error": self.calibration_error,
            "unseen": self.unseen.as_dict(),
            "outside": None if self.outside is None else self.outside.as_dict(),
            "coverage": self.coverage,
        }


def evaluate(test: Probabilities, truth: Truth, dev: Probabilities, dev_truth: Truth) -> Evaluation:
    """Score a classifier.

    Args:
        test, truth: probabilities [N, L] of the test rows, and what they are.
        dev, dev_truth: of the rows held back in training; the threshold of confidence is chosen on them.
    """
    inside = truth.inside
    chosen, of = test.argmax(1), truth.of
    unseen = inside & ~np.isin(np.arange(len(of)), list(truth.seen))
    known = of >= 0
    confidence = truth.confidence(test)
    threshold = float(np.quantile(dev_truth.confidence(dev)[dev_truth.inside], FALSE_ALARMS))
    return Evaluation(
        scores=score(chosen[inside], of[inside], test[inside]),
        unseen=score(chosen[unseen], of[unseen], test[unseen]),
        outside=None if inside.all() else outside(confidence[inside], confidence[~inside], threshold),
        calibration_error=expected_calibration_error(test[known], of[known]),
        coverage=coverage_curve(test[inside].max(1), (chosen == of)[inside]),
    )
