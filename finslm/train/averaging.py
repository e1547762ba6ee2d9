"""A moving average of the trained weights, which is kept instead of the last step's.

Averages of the weights along the way generalise better than their end, at no cost when served (Polyak and Juditsky
1992; Izmailov et al. 2018, arXiv:1803.05407; as exponential average, Tarvainen and Valpola 2017, arXiv:1703.01780).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, final

import torch
from torch import Tensor, nn

_WARM: Final = 10
"""Early on, the average is of the steps there have been: after step n its decay is at most (1 + n) / (10 + n)."""


@final
class WeightAverage:
    """Exponential moving average of a model's trainable parameters.

    Args:
        model: whose parameters with ``requires_grad`` are averaged.
        decay: share of the old average that each step keeps; None: no average, and everything here does nothing.
    """

    def __init__(self, model: nn.Module, decay: float | None) -> None:
        self._trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._decay, self._steps = decay, 0
        self._average = {} if decay is None else {name: p.detach().clone() for name, p in self._trained.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        if self._decay is None:
            return
        self._steps += 1
        share = 1 - min(self._decay, (1 + self._steps) / (_WARM + self._steps))
        for name, average in self._average.items():
            average.lerp_(self._trained[name].detach(), share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within, the model has the average; after it, what training goes on from."""
        trained = {name: self._trained[name].detach().clone() for name in self._average}
        self.put()
        try:
            yield
        finally:
            self._copy(trained)

    def put(self) -> None:
        """Leave the average in the model: training is over."""
        self._copy(self._average)

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return dict(self._average)

    def restore(self, average: dict[str, Tensor], steps: int) -> None:
        """Go on from a checkpoint's, which was written after so many steps."""
        self._steps = steps
        for name, kept in self._average.items():
            kept.copy_(average[name])

    @torch.no_grad()
    def _copy(self, weights: dict[str, Tensor]) -> None:
        for name, weight in weights.items():
            self._trained[name].data.copy_(weight)
