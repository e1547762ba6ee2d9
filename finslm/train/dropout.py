"""Dropout whose masks depend on the seed, the step and the part of the batch alone.

torch draws all masks from one generator of the process. Threads that compute parts of a batch side by side take
from it in the order in which they happen to run, so that two runs of one seed differ. Here each thread has its own.
"""

from __future__ import annotations

import threading
from typing import Final, final

import torch
from torch import Tensor, nn

_own: Final = threading.local()


def seed_thread(seed: int, step: int, part: int) -> None:
    """Begin this thread's masks anew, for a part of a step's batch."""
    _own.generator = torch.Generator().manual_seed(((seed * 1_000_003 + step) * 1_000_003 + part) % 2**63)


@final
class ThreadDropout(nn.Module):
    """As :class:`torch.nn.Dropout` (Srivastava et al. 2014), drawn from the thread's own generator."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: Tensor) -> Tensor:
        """``values`` of any shape; in training a share ``p`` of them is zero and the others are scaled up."""
        if not self.training or self.p == 0:
            return values
        kept = torch.empty_like(values).bernoulli_(1 - self.p, generator=_own.generator)
        return values * kept.div_(1 - self.p)


def per_thread(model: nn.Module) -> None:
    """Put :class:`ThreadDropout` in the place of each dropout of ``model``."""
    for name, child in list(model.named_children()):
        if isinstance(child, nn.Dropout):
            setattr(model, name, ThreadDropout(child.p))
        else:
            per_thread(child)
