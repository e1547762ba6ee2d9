"""A step's gradient of DP-SGD: each row's own, clipped, summed, with noise, over the rows that are expected."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

import torch
from torch import Tensor, nn

from finslm.errors import ConfigError
from finslm.train.privacy.accounting import NoisePlan
from finslm.train.privacy.noise import KeyedStream

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_TINY: Final = 1e-12


@final
class PrivateGradient:
    """Gathers rows' gradients, and puts the noisy mean where the optimizer looks for it.

    Opacus computes a gradient for each row of a batch; what is done with them stands here.

    Args:
        model: whose trained parameters are meant; all of them must take part, in layers that Opacus knows.
        plan: clipping and noise.
        stream: of the noise.
        rows: to train on.
    """

    def __init__(self, model: nn.Module, plan: NoisePlan, stream: KeyedStream, rows: int) -> None:
        from opacus.grad_sample.grad_sample_module import GradSampleHooks

        self._plan, self._stream = plan, stream
        self._expected = plan.sample_rate * rows
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._hooks: Any = GradSampleHooks(model, loss_reduction="sum", strict=False)
        self._sums = [torch.zeros_like(p, dtype=torch.float64) for p in self._parameters]

    def add(self, losses: Tensor) -> None:
        """Clip and add the gradients of some rows.

        Args:
            losses: [B], each of one row alone; computed in training mode.

        Raises:
            ConfigError: a trained parameter has no gradient for each row, its layer is of a kind that cannot; or a
                gradient is not a number.
        """
        with _no_word_of_hooks():
            losses.sum().backward()  # type: ignore[no-untyped-call]
        own = [self._taken(p, len(losses)) for p in self._parameters]
        norms = torch.stack([each.reshape(len(each), -1).norm(dim=1) for each in own]).norm(dim=0)
        if not torch.isfinite(norms).all():
            raise ConfigError("a row's gradient is not a number: lower training.learning_rate")
        factors = (self._plan.max_grad_norm / (norms + _TINY)).clamp(max=1.0)
        for total, each in zip(self._sums, own, strict=True):
            total += torch.einsum("n,n...->...", factors, each)

    def finish(self, step: int) -> None:
        """Set the gradients: (sum + noise) / expected rows; and begin anew."""
        deviation = self._plan.noise_multiplier * self._plan.max_grad_norm
        noise = torch.from_numpy(self._stream.normal(step, sum(p.numel() for p in self._parameters))) * deviation
        parts = torch.split(noise, [p.numel() for p in self._parameters])
        for parameter, total, part in zip(self._parameters, self._sums, parts, strict=True):
            noisy = total + part.view_as(parameter).to(total.device)
            parameter.grad = (noisy / self._expected).to(parameter.dtype)
            total.zero_()

    def close(self) -> None:
        """Take Opacus' hooks off the model."""
        self._hooks.cleanup()

    @staticmethod
    def _taken(parameter: nn.Parameter, rows: int) -> Tensor:
        own = getattr(parameter, "grad_sample", None)
        if not isinstance(own, Tensor) or own.shape != (rows, *parameter.shape):
            raise ConfigError(
                "a trained parameter has no gradient for each row: its layer takes no part, or Opacus does not know it"
            )
        parameter.grad_sample = None  # type: ignore[attr-defined]
        parameter.grad = None
        return own.float()


@contextmanager
def _no_word_of_hooks() -> Iterator[None]:
    """Torch warns that the first layers' inputs need no gradient; theirs is not wanted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        yield


def in_parts(rows: Sequence[T], most: int) -> Iterable[Sequence[T]]:
    """Some rows at a time: each row's gradient takes as much memory as the trained parameters."""
    return (rows[start : start + most] for start in range(0, len(rows), most))
