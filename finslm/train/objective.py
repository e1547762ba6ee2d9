"""What a classifier is trained to make small, row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from finslm.train.batches import Encoded, Encoder
from finslm.train.recipe import TeacherRecipe, TrainingRecipe

Forward = Callable[[Tensor, Tensor], Tensor]
"""From ids and attention mask [B, T] to logits [B, L] float32."""


@final
@dataclass(frozen=True, slots=True)
class Objective:
    """Cross-entropy; beside it what teachers say, and R-Drop, where the recipe wants them.

    Args:
        weights: how much a row of each label counts [L].
        judged: tokens of a row → the teachers' log-probabilities [L] of it, -inf for labels that they do not know.
    """

    training: TrainingRecipe
    encoder: Encoder
    weights: Tensor
    device: str
    teachers: TeacherRecipe | None = None
    judged: dict[tuple[int, ...], Tensor] = field(default_factory=dict)

    def losses(self, forward: Forward, rows: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
        """The loss of each row [B], and how much each counts in their mean [B]."""
        ids, mask, labels = self.encoder.tensors(rows, self.device)
        mask = _cut(mask, self.training.cutoff)
        if not self.training.consistency:
            logits = forward(ids, mask)
            return self._taught(self._labelled(logits, labels), logits, rows), self.weights[labels]
        # One pass over the rows twice: dropout differs, and it costs less than two passes.
        first, second = forward(torch.cat([ids, ids]), torch.cat([mask, mask])).chunk(2)
        both = [self._taught(self._labelled(logits, labels), logits, rows) for logits in (first, second)]
        apart = _divergence(first, second) * self.weights[labels]
        return (both[0] + both[1]) / 2 + self.training.consistency * apart, self.weights[labels]

    def _labelled(self, logits: Tensor, labels: Tensor) -> Tensor:
        smoothing = self.training.label_smoothing
        return functional.cross_entropy(
            logits, labels, weight=self.weights, label_smoothing=smoothing, reduction="none"
        )

    def _taught(self, losses: Tensor, logits: Tensor, rows: Sequence[Encoded]) -> Tensor:
        if self.teachers is None:
            return losses
        known = [i for i, (tokens, label) in enumerate(rows) if self._judges(tokens, label)]
        if not known:
            return losses
        said = torch.stack([self.judged[tuple(rows[i][0])] for i in known]).to(self.device)
        share = torch.zeros_like(losses)
        share[known] = self.teachers.weight
        taught = torch.zeros_like(losses)
        taught[known] = _distillation(logits[known], said, self.teachers.temperature)
        return (1 - share) * losses + share * taught

    def _judges(self, tokens: list[int], label: int) -> bool:
        said = self.judged.get(tuple(tokens))
        return said is not None and bool(said[label] > -torch.inf)


def _cut(mask: Tensor, share: float) -> Tensor:
    """Hide this share of the tokens [B, T], never a row's first."""
    if not share:
        return mask
    kept = torch.rand(mask.shape) >= share
    kept[:, 0] = True
    return mask * kept.to(mask)


def _divergence(one: Tensor, other: Tensor) -> Tensor:
    """[B]: mean of the two Kullback-Leibler divergences."""
    p, q = (functional.log_softmax(logits, dim=-1) for logits in (one, other))
    return ((p.exp() - q.exp()) * (p - q)).sum(-1) / 2


def _distillation(logits: Tensor, said: Tensor, temperature: float) -> Tensor:
    """[B]: cross-entropy to the teachers' softened probabilities, over the labels they know, times temperature squared.

    The square keeps its gradient as large as that of the labels (Hinton et al. 2015, section 2).
    """
    known = said > -torch.inf
    target = torch.softmax(said / temperature, dim=-1)
    scores = functional.log_softmax((logits / temperature).masked_fill(~known, -torch.inf), dim=-1)
    return -(target * scores.masked_fill(~known, 0.0)).sum(-1) * temperature**2
