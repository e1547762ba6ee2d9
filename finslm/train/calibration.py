"""The temperature that makes a classifier's probabilities mean what they say (Guo et al. 2017, arXiv:1706.04599)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from finslm.train.privacy.noise import KeyedStream

_MOST: Final = 5.0
"""A row's loss counts for at most this where the choice is private, nats: so much can one row change."""
_CHOICES: Final = 41
"""Temperatures that a private choice is made from: fewer than without, for noise can win anywhere."""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature that minimises negative log-likelihood, by search over a log grid.

    Args:
        logits: [N, L] float32 of rows the model was not trained on.
        labels: [N] int64.
    """
    grid = torch.logspace(-1, 1, 201)
    losses = torch.stack([functional.cross_entropy(logits / t, labels) for t in grid])
    return round(float(grid[losses.argmin()]), 4)


def private_temperature(logits: Tensor, labels: Tensor, epsilon: float, stream: KeyedStream) -> float:
    """The same by the exponential mechanism (McSherry & Talwar 2007), ``epsilon``-differentially private in the rows.

    A row more or less changes each sum of losses by at most its bound, and all in one direction: so half of the usual
    noise is enough.
    """
    grid = torch.logspace(-1, 1, _CHOICES)
    losses = torch.stack(
        [functional.cross_entropy(logits / t, labels, reduction="none").clamp(max=_MOST).double().sum() for t in grid]
    )
    noisy = -losses * epsilon / _MOST + torch.from_numpy(stream.gumbel(_CHOICES))
    return round(float(grid[noisy.argmax()]), 4)
