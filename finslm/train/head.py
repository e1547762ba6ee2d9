"""Where a head begins: as a linear model of the untuned base's features."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn


def fit(features: Tensor, labels: Tensor, count: int, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Weight [L, hidden] and bias [L] of a logistic regression.

    Args:
        features: [N, hidden], each of ``length``.
        labels: [N].
        count: of labels.
        length: of the features; the regression sees them at length 1.
    """
    from sklearn.linear_model import LogisticRegression

    scaled = (features / length).cpu().double().numpy()
    fitted = LogisticRegression(C=20, max_iter=1000).fit(scaled, labels.cpu().numpy())
    weight, bias = fitted.coef_ / length, fitted.intercept_
    if count == 2:  # one row, for the second label
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias


@torch.no_grad()
def begin_with(named: Iterable[tuple[str, nn.Parameter]], weight: np.ndarray, bias: np.ndarray) -> None:
    """Copy them into the head, which is ``score`` among a model's named parameters."""
    for name, parameter in named:
        if "score" in name:
            parameter.copy_(torch.tensor(weight if name.endswith("weight") else bias))
