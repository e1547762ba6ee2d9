"""The steps of a run, and the state between them."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from finslm.errors import ConfigError
from finslm.train import memory
from finslm.train.checkpoints import Checkpoint
from finslm.train.pretraining import heldout, packing, schedule
from finslm.train.pretraining.heldout import HeldOut
from finslm.train.pretraining.interruption import Interrupted, Stop, stop_on_signals
from finslm.train.pretraining.network import next_token_logits, products
from finslm.train.pretraining.packing import Packed, Windows
from finslm.train.pretraining.recipe import PretrainRecipe

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

CHECKPOINT: Final = "checkpoint"
"""File of the run folder."""
CHECKPOINT_S: Final = 300.0
"""How often the checkpoint is written, seconds, when the caller does not say."""

Progress = Callable[[int, int, float], None]
"""Called after each step with the step, the number of steps and the mean loss of late."""


@final
class Loop:
    """Trains a network on packed documents.

    What step N reads and how far it goes depends on the recipe and N alone, so a run that goes on from a checkpoint
    does the very same steps as one that was never stopped.

    Args:
        network: float32; it is moved to ``device``.
        packed: documents.
        recipe: how.
        out: folder of the checkpoint.
        end: the token that ends a document.
    """

    def __init__(
        self,
        network: LlamaForCausalLM,
        packed: Packed,
        recipe: PretrainRecipe,
        out: Path,
        *,
        end: int,
        device: str = "cpu",
        checkpoint_s: float = CHECKPOINT_S,
    ) -> None:
        self.network, self.device = network.to(device), device  # type: ignore[arg-type]
        self._packed, self._recipe, self._how = packed, recipe, recipe.training
        self._apart = end if self._how.attention == "within" else None
        self._windows = packing.count(packed.train, self._how.window)
        self._per_step = self._how.batch_windows * self._how.accumulation
        self.steps = max(1, self._how.tokens // (self._per_step * self._how.window))
        self._optimizer = torch.optim.AdamW(
            _groups(network.named_parameters(), self._how.weight_decay),
            lr=schedule.peak(recipe),
            betas=(0.9, 0.95),
            fused=True,
        )
        self._scheduler = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: schedule.rate(self._how, min(step, self.steps - 1), self.steps)
        )
        self._checkpoint = Checkpoint(out / CHECKPOINT, network, self._optimizer, self._scheduler)
        self._checkpoint_s = checkpoint_s
        self.done = 0
        self.losses: list[float] = []
        """Of each step, nats a token."""
        self.evaluations: list[dict[str, float]] = []
        """Scores of the held-out documents by step; the first is before any step."""
        self.seconds = 0.0
        """In steps; scoring and checkpoints are not counted."""

    @property
    def tokens(self) -> int:
        """Trained on so far."""
        return self.done * self._per_step * self._how.window

    def resume(self) -> None:
        """Go on from the checkpoint.

        Raises:
            ConfigError: there is none, it is damaged, or another recipe's.
        """
        state = self._checkpoint.read(self._recipe.model_dump_json())
        self.done, self.seconds = state["step"], state["seconds"]
        self.losses, self.evaluations = state["losses"], state["evaluations"]

    def run(self, progress: Progress) -> None:
        """Do the steps that are left.

        Raises:
            Interrupted: by SIGINT or SIGTERM; the checkpoint is written.
            ConfigError: the loss is no number any more, or the checkpoint cannot be written.
        """
        self.network.train()
        if not self.evaluations:
            self._evaluate()
        with stop_on_signals() as stop:
            saved = time.monotonic()
            while self.done < self.steps:
                self._one_step()
                progress(self.done, self.steps, float(np.mean(self.losses[-20:])))
                if self._is_due():
                    self._evaluate()
                if stop.signal or self.done == self.steps or time.monotonic() - saved >= self._checkpoint_s:
                    self._save()
                    saved = time.monotonic()
                self._end_if_told(stop)

    def score(self) -> HeldOut:
        """Score the held-out documents."""
        return heldout.score(
            self.network,
            self._packed.held_out,
            text_bytes=self._packed.facts["held_out_bytes"],
            window=self._how.window,
            batch_windows=self._how.batch_windows,
            apart=self._apart,
            precision=self._how.precision,
            device=self.device,
        )

    def batch(self, place: int) -> Windows:
        """The windows of the forward pass at a place of the run; from epoch to epoch in another order."""
        size = self._how.batch_windows
        wanted = np.arange(place * size, (place + 1) * size)
        chosen = [
            packing.order(self._recipe.seed, int(epoch), self._windows)[
                wanted[wanted // self._windows == epoch] % self._windows
            ]
            for epoch in np.unique(wanted // self._windows)
        ]
        return packing.windows(self._packed.train, np.concatenate(chosen), self._how.window)

    def _one_step(self) -> None:
        begun = time.monotonic()
        self._optimizer.zero_grad()
        parts = [self._backward(self.done * self._how.accumulation + n) for n in range(self._how.accumulation)]
        loss = float(torch.stack(parts).sum())
        if not math.isfinite(loss):
            raise ConfigError(
                f"step {self.done + 1}: the loss is {loss}: lower training.learning_rate or lengthen the warm-up"
            )
        nn.utils.clip_grad_norm_(self.network.parameters(), self._how.clip)
        self._optimizer.step()
        self._scheduler.step()
        memory.now_and_then()
        self.losses.append(loss)
        self.done += 1
        self.seconds += time.monotonic() - begun

    def _backward(self, place: int) -> Tensor:
        """Add the gradient of one forward pass, and return its share of the step's loss."""
        ids, targets = self.batch(place)
        with products(self._how.precision, self.device):
            logits = next_token_logits(self.network, ids.to(self.device), apart=self._apart)
        loss = functional.cross_entropy(logits.flatten(0, 1).float(), targets.to(self.device).flatten())
        loss = loss / self._how.accumulation
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _is_due(self) -> bool:
        """Whether a point of the curve of held-out documents falls on this step."""
        points = min(self._how.evaluations, self.steps)
        return self.done * points // self.steps > (self.done - 1) * points // self.steps

    def _evaluate(self) -> None:
        self.evaluations.append({"step": self.done, **self.score().as_dict()})

    def _save(self) -> None:
        self._checkpoint.write(
            {
                "recipe": self._recipe.model_dump_json(),
                "step": self.done,
                "seconds": self.seconds,
                "losses": self.losses,
                "evaluations": self.evaluations,
                "python_rng": random.getstate(),
            }
        )

    def _end_if_told(self, stop: Stop) -> None:
        if stop.signal:
            raise Interrupted(stop.signal, f"step {self.done} of {self.steps}")


def _groups(parameters: Iterable[tuple[str, nn.Parameter]], decay: float) -> list[dict[str, Any]]:
    """Matrices shrink, norms do not."""
    found = [parameter for _, parameter in parameters]
    return [
        {"params": [p for p in found if p.dim() >= 2], "weight_decay": decay},
        {"params": [p for p in found if p.dim() < 2], "weight_decay": 0.0},
    ]
