"""One step of training: in the ordinary way, or with a guarantee for each row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, final

from torch import Tensor, nn

from finslm.train import batches
from finslm.train.batches import Encoded
from finslm.train.privacy.accounting import NoisePlan, spent
from finslm.train.privacy.gradients import PrivateGradient, in_parts
from finslm.train.privacy.noise import KeyedStream

AT_ONCE: Final = 32
"""Rows whose own gradients are in memory at the same time."""

Losses = Callable[[Sequence[Encoded]], tuple[Tensor, Tensor]]
"""From rows to the loss of each [B], and how much each counts in their mean [B]."""


class Stepper(Protocol):
    """Leaves gradients where the optimizer takes them."""

    steps_an_epoch: int

    def epoch(self, number: int) -> list[list[int]]:
        """The batches of an epoch, as positions of rows; ``number`` counts from 0."""
        ...

    def gradient(self, step: int, rows: Sequence[Encoded]) -> float:
        """Set the gradients for a batch; return its mean loss. ``step`` counts from 0 over the whole run."""
        ...

    def state(self, steps: int) -> dict[str, Any]:
        """For the checkpoint after so many steps."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        ...


@final
class PlainSteps:
    """Every row once in an epoch; the mean loss of a batch; gradients clipped to length 1."""

    def __init__(self, model: nn.Module, rows: Sequence[Encoded], size: int, losses: Losses) -> None:
        self._model, self._rows, self._size, self._losses = model, rows, size, losses
        self.steps_an_epoch = math.ceil(len(rows) / size)

    def epoch(self, number: int) -> list[list[int]]:  # noqa: ARG002 - the order is that of the random state
        """Shuffled batches, by :mod:`random`."""
        return batches.shuffled(self._rows, self._size)

    def gradient(self, step: int, rows: Sequence[Encoded]) -> float:  # noqa: ARG002 - nothing depends on it
        """Of the batch's mean loss."""
        losses, weights = self._losses(rows)
        loss = losses.sum() / weights.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([p for p in self._model.parameters() if p.requires_grad], 1.0)
        return float(loss.detach())

    def state(self, steps: int) -> dict[str, Any]:  # noqa: ARG002 - there is none
        """Nothing."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing."""


@final
class PrivateSteps:
    """DP-SGD: rows drawn independently for each step, their gradients clipped one by one, noise added to the sum."""

    def __init__(
        self,
        model: nn.Module,
        rows: Sequence[Encoded],
        plan: NoisePlan,
        losses: Losses,
        *,
        epochs: int,
        stream: KeyedStream,
    ) -> None:
        self._model, self._rows, self._losses = model, rows, losses
        self.plan, self.stream = plan, stream
        self.steps_an_epoch = plan.steps // epochs
        self._gradient: PrivateGradient | None = None

    def epoch(self, number: int) -> list[list[int]]:
        """As many draws as there are steps in an epoch: a row may be in none of them, or in several."""
        first = number * self.steps_an_epoch
        return [
            sorted(self.stream.sample(step, len(self._rows), self.plan.sample_rate), key=self._length)
            for step in range(first, first + self.steps_an_epoch)
        ]

    def gradient(self, step: int, rows: Sequence[Encoded]) -> float:
        """The noisy mean of the clipped gradients."""
        if self._gradient is None:
            self._gradient = PrivateGradient(self._model, self.plan, self.stream, len(self._rows))
        total = 0.0
        for part in in_parts(rows, AT_ONCE):
            losses = self._losses(part)[0]
            self._gradient.add(losses)
            total += float(losses.detach().sum())
        self._gradient.finish(step)
        return total / max(1, len(rows))

    def state(self, steps: int) -> dict[str, Any]:
        """The key of the noise, what it is added by, and what has been spent."""
        plan = self.plan
        return {
            "noise_key": self.stream.key.hex(),
            "noise_plan": plan.as_dict(),
            "epsilon_spent": spent(plan.noise_multiplier, plan.sample_rate, steps, plan.delta),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Draw on from the same stream."""
        self.stream.key = bytes.fromhex(state["noise_key"])

    def _length(self, row: int) -> int:
        return len(self._rows[row][0])
