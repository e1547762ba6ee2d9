"""A run's state on disk, so that one that was interrupted goes on from the very step and ends the same."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, final

import torch
from torch import nn

from finslm.errors import ConfigError


@final
class Checkpoint:
    """One file. A new one is written beside the last and then put in its place: a crash leaves one whole.

    Args:
        file: where.
        model: whose trained parameters are kept.
        optimizer, scheduler: kept too.
    """

    def __init__(
        self,
        file: Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler,
    ) -> None:
        self._file, self._model = file, model
        self._kept: dict[str, Any] = {"optimizer": optimizer, "scheduler": scheduler}

    @property
    def exists(self) -> bool:
        """Whether there is one to go on from."""
        return self._file.is_file()

    def write(self, state: dict[str, Any]) -> None:
        """Write everything, with ``state`` of the caller's; ``python_rng`` is the state that :mod:`random` returns to.

        Raises:
            ConfigError: no room, or the folder cannot be written; the checkpoint there was is still there.
        """
        whole = {
            **state,
            **{name: part.state_dict() for name, part in self._kept.items()},
            "model": {name: p for name, p in self._model.named_parameters() if p.requires_grad},
            "torch_rng": torch.get_rng_state(),
        }
        new = self._file.with_name(self._file.name + ".new")
        try:
            with new.open("wb") as file:
                os.fchmod(file.fileno(), 0o600)  # it may hold the key of a private run's noise
                torch.save(whole, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._file)
        except (OSError, RuntimeError) as error:
            # torch reports a full disk as RuntimeError
            new.unlink(missing_ok=True)
            raise ConfigError(
                f"{self._file}: the checkpoint could not be written ({error}); make room and go on with --resume"
            ) from error

    def read(self, recipe: str) -> dict[str, Any]:
        """Put the state back, and return the caller's part of it.

        Args:
            recipe: what the run was told, its data included; a checkpoint of another is refused.

        Raises:
            ConfigError: there is none, it is damaged, or another recipe's.
        """
        try:
            state: dict[str, Any] = torch.load(self._file, weights_only=True)
        except FileNotFoundError:
            raise ConfigError(
                f"{self._file.parent} holds no checkpoint to resume from; start without --resume"
            ) from None
        except Exception as error:
            raise ConfigError(f"{self._file} is damaged ({type(error).__name__}); start without --resume") from error
        if state["recipe"] != recipe:
            raise ConfigError(
                f"{self._file} is of another recipe or other rows: give --out another folder, or the old ones"
            )
        for name, parameter in self._model.named_parameters():
            if parameter.requires_grad:
                parameter.data.copy_(state["model"][name])
        for name, part in self._kept.items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["torch_rng"])
        version, numbers, gauss = state["python_rng"]
        random.setstate((version, tuple(numbers), gauss))
        return state

    def delete(self) -> None:
        """Delete it, if there is one."""
        self._file.unlink(missing_ok=True)
