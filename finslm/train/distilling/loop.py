"""The steps of a run, and the state between them."""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, final

import torch
from torch import nn

from finslm.errors import ConfigError
from finslm.train import memory
from finslm.train.checkpoints import Checkpoint
from finslm.train.distilling.encoding import Explainable
from finslm.train.distilling.recipe import DistilRecipe
from finslm.train.distilling.student import Student
from finslm.train.pretraining.interruption import Interrupted, Stop, stop_on_signals

CHECKPOINT: Final = "checkpoint"
"""File of the run folder."""
CHECKPOINT_S: Final = 300.0
"""How often the checkpoint is written, seconds, when the caller does not say."""
_WINDOW: Final = 4
"""Batches whose rows are sorted by length together: little padding, still a shuffled order."""

Progress = Callable[[int, int, float], None]
"""Called after each step with the step, the number of steps and the label loss of late."""


@final
class Loop:
    """Trains a student on labels and rationales.

    What step N reads and how far it goes depends on the recipe, the rows and N alone, so a run that goes on from a
    checkpoint does the very same steps as one that was never stopped.

    Args:
        student: it is changed.
        rows: to train on.
        recipe: how.
        out: folder of the checkpoint.
        base: SHA-256 of the base's weights: a checkpoint is of that base.
    """

    def __init__(
        self,
        student: Student,
        rows: Sequence[Explainable],
        recipe: DistilRecipe,
        out: Path,
        *,
        base: str = "",
        checkpoint_s: float = CHECKPOINT_S,
    ) -> None:
        self._student, self._recipe, self._how = student, recipe, recipe.training
        self._labels = [student.encoder.label(row) for row in rows]
        self._rationales = [student.encoder.rationale(row) if recipe.weight else None for row in rows]
        self._an_epoch = math.ceil(len(rows) / self._how.batch_size)
        self.steps = max(self._how.epochs * self._an_epoch, self._how.min_steps)
        self._learned = [p for p in student.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._learned, lr=self._how.learning_rate, weight_decay=self._how.weight_decay, betas=(0.9, 0.98)
        )
        self._scheduler = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._rate)
        self._checkpoint = Checkpoint(out / CHECKPOINT, student.model, self._optimizer, self._scheduler)
        self._checkpoint_s = checkpoint_s
        self._identity = f"{recipe.model_dump_json()} on rows {_digest(rows)}, base {base}"
        self.done = 0
        self.seconds = 0.0
        """In steps; checkpoints are not counted."""
        self.label_losses: list[float] = []
        """Of each step, nats a token."""
        self.rationale_losses: list[float] = []
        """The same; 0 where no row of the batch has a rationale."""

    @property
    def resumable(self) -> bool:
        """Whether there is a checkpoint."""
        return self._checkpoint.exists

    def resume(self) -> None:
        """Go on from the checkpoint.

        Raises:
            ConfigError: there is none, it is damaged, or another recipe's or of other rows.
        """
        state = self._checkpoint.read(self._identity)
        self.done, self.seconds = state["step"], state["seconds"]
        self.label_losses, self.rationale_losses = state["label_losses"], state["rationale_losses"]

    def run(self, progress: Progress) -> None:
        """Do the steps that are left.

        Raises:
            Interrupted: by SIGINT or SIGTERM; the checkpoint is written.
            ConfigError: the loss is no number any more, or the checkpoint cannot be written.
        """
        self._student.model.train()
        with stop_on_signals() as stop:
            saved = time.monotonic()
            while self.done < self.steps:
                self._one_step()
                progress(self.done, self.steps, sum(self.label_losses[-20:]) / len(self.label_losses[-20:]))
                if stop.signal or self.done == self.steps or time.monotonic() - saved >= self._checkpoint_s:
                    self._save()
                    saved = time.monotonic()
                self._end_if_told(stop)
        self._student.model.train(mode=False)

    def forget(self) -> None:
        """Delete the checkpoint."""
        self._checkpoint.delete()

    def batch(self, step: int) -> list[int]:
        """Positions of the rows that a step reads, from 0; from epoch to epoch in another order."""
        chance = random.Random(f"{self._recipe.seed} {step // self._an_epoch}")  # noqa: S311 - repeatable, no secret
        order, size = list(range(len(self._labels))), self._how.batch_size
        chance.shuffle(order)
        window = size * _WINDOW
        order = [i for k in range(0, len(order), window) for i in sorted(order[k : k + window], key=self._length)]
        batches = [order[k : k + size] for k in range(0, len(order), size)]
        chance.shuffle(batches)
        return batches[step % self._an_epoch]

    def _length(self, row: int) -> int:
        return len(self._labels[row].prompt)

    def _one_step(self) -> None:
        begun = time.monotonic()
        self._optimizer.zero_grad()
        chosen = self.batch(self.done)
        label = self._student.loss([self._labels[i] for i in chosen])
        label.backward()  # type: ignore[no-untyped-call]
        rationale = self._learn_rationales(chosen)
        loss = float(label.detach())
        if not math.isfinite(loss + rationale):
            raise ConfigError(f"step {self.done + 1}: the loss is no number: lower training.learning_rate")
        nn.utils.clip_grad_norm_(self._learned, 1.0)
        self._optimizer.step()
        self._scheduler.step()
        memory.now_and_then()
        self.label_losses.append(loss)
        self.rationale_losses.append(rationale)
        self.done += 1
        self.seconds += time.monotonic() - begun

    def _learn_rationales(self, chosen: Sequence[int]) -> float:
        """Add the gradient of the rationale loss, weighed; return the loss as it is."""
        rows = [row for i in chosen if (row := self._rationales[i]) is not None]
        if not rows:
            return 0.0
        loss = self._student.loss(rows)
        (self._recipe.weight * loss).backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / max(1.0, self._how.warmup_share * self.steps))
        return warm * max(0.02, 0.5 * (1 + math.cos(math.pi * step / self.steps)))

    def _save(self) -> None:
        self._checkpoint.write(
            {
                "recipe": self._identity,
                "step": self.done,
                "seconds": self.seconds,
                "label_losses": self.label_losses,
                "rationale_losses": self.rationale_losses,
                "python_rng": random.getstate(),
            }
        )

    def _end_if_told(self, stop: Stop) -> None:
        if stop.signal:
            raise Interrupted(stop.signal, f"step {self.done} of {self.steps}")


def _digest(rows: Sequence[Explainable]) -> str:
    whole = json.dumps([[row.text, row.label, row.rationale] for row in rows])
    return hashlib.sha256(whole.encode()).hexdigest()
