"""Two adapters that answer together: the mean of what they say is right more often than either."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from finslm.types import LabelScore

Probabilities = NDArray[np.float64]

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Partner:
    """The other one, on the card of the adapter that a task names.

    An adapter on another base errs elsewhere, and what both hold likely is likely so (a linear opinion pool: Stone
    1961, doi:10.1214/aoms/1177704873; as ensembles of networks: Lakshminarayanan et al. 2017, arXiv:1612.01474).

    Args:
        adapter: its name.
        sha256: fingerprint of its files; no other version of it answers here.
        weight: of the adapter's own probabilities; the rest is the partner's.
        temperature: the mean's logarithms are divided by it: a mean of calibrated scores is too modest.
    """

    adapter: str
    sha256: str
    weight: float
    temperature: float

    def check(self) -> None:
        """Raise ValueError when a field is out of range."""
        if not _DIGEST.fullmatch(self.sha256) or not self.adapter:
            raise ValueError("partner: the name of an adapter and 64 hex digits of its fingerprint are wanted")
        if not 0 < self.weight < 1:
            raise ValueError(f"partner: weight must be between 0 and 1, got {self.weight}")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"partner: temperature must be above 0, got {self.temperature}")

    def pooled(self, own: Probabilities, other: Probabilities) -> Probabilities:
        """The same for many texts at once: [N, labels], labels in one order; rows sum to 1."""
        mixed: Probabilities = (self.weight * own + (1 - self.weight) * other) ** (1 / self.temperature)
        pooled: Probabilities = mixed / mixed.sum(-1, keepdims=True)
        return pooled

    def together(self, own: Sequence[LabelScore], other: Sequence[LabelScore]) -> list[LabelScore]:
        """The labels by falling probability of both; they have the same ones."""
        others = {score.label: score.score for score in other}
        mixed = {
            score.label: (self.weight * score.score + (1 - self.weight) * others[score.label]) ** (1 / self.temperature)
            for score in own
        }
        whole = math.fsum(mixed.values())
        return sorted(
            (LabelScore(label, value / whole) for label, value in mixed.items()), key=lambda each: -each.score
        )
