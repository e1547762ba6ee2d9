"""What narrows an answer, token by token: any number of sources, and a token has to suit them all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Protocol

import numpy as np

from finslm.engine.sampler import Mask


class MaskSource(Protocol):
    """Follows one answer. Used by the engine's worker thread only."""

    def mask(self) -> Mask:
        """Which tokens the answer may go on with, or end with.

        Raises:
            FinslmError: it cannot be said; the request fails with it.
        """
        ...

    def take(self, token: int) -> None:
        """The answer went on with a token; never with one that ends it."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the answer is whole and nothing can follow."""
        ...

    def accepts(self, answer: str) -> bool:
        """Whether a text, prefill included, may be handed out as a whole answer."""
        ...


def combined(sources: Sequence[MaskSource]) -> Mask | None:
    """The tokens that all sources allow; None where there is no source.

    Raises:
        FinslmError: what a source raises.
    """
    if not sources:
        return None
    masks = [source.mask() for source in sources]
    words = min(map(len, masks))  # a missing word allows nothing
    return reduce(np.bitwise_and, [mask[:words] for mask in masks])
