"""The seam below the step loop: whatever computes the model's next numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from finslm.engine.states import Hidden
from finslm.engine.tagging import Scores
from finslm.types import LabelScore

Logits = NDArray[np.float32]


@final
@dataclass(frozen=True, slots=True)
class Part:
    """What one sequence adds to a step.

    Args:
        tokens: fed now, at least one.
        past: how many tokens of the sequence are in the cache already.
        blocks: the sequence's cache blocks in order, at least those that ``past`` and ``tokens`` take.
        wanted: for how many of the last tokens the logits are wanted.
        adapter: key of an adapter that writes; empty: the base alone.
    """

    tokens: Sequence[int] = field(repr=False)
    past: int
    blocks: Sequence[int]
    wanted: int
    adapter: str = ""


class PreparedAdapter(Protocol):
    """An adapter that has been read and checked, ready for :meth:`Runner.adopt`."""

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        ...


class Runner(Protocol):
    """Computes one step for several sequences at once; called by one thread only."""

    @property
    def max_positions(self) -> int:
        """The model's own window, tokens."""
        ...

    @property
    def vocabulary(self) -> int:
        """Tokens the model knows: width of the logits."""
        ...

    @property
    def block_tokens(self) -> int:
        """Tokens in a block of the cache."""
        ...

    @property
    def block_bytes(self) -> int:
        """Memory of a block, bytes."""
        ...

    def reserve(self, blocks: int) -> None:
        """Make the cache, once, before the first step."""
        ...

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy blocks of the cache, each from the first to the second of a pair; no block is in both places."""
        ...

    def step(self, parts: Sequence[Part]) -> Logits:
        """Feed all parts; logits [sum of wanted, V] in the order of the parts, valid until the next step."""
        ...

    def classify(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[list[LabelScore]]:
        """Labels, by falling probability, of each adapter's key and text; the adapters may differ."""
        ...

    def prepare(self, key: str, folder: Path) -> PreparedAdapter:
        """Read an adapter, on any thread, while steps go on; it is not used yet.

        Args:
            key: what :attr:`Part.adapter` will say.
            folder: as peft writes it, with an :class:`finslm.engine.adapters.AdapterCard`.

        Raises:
            ConfigError: damaged, trained on other weights, or of a kind that this runner does not compute.
        """
        ...

    def adopt(self, prepared: PreparedAdapter) -> None:
        """Let steps use an adapter that this runner prepared."""
        ...

    def forget(self, key: str) -> None:
        """Free an adapter that no step will use any more."""
        ...


@runtime_checkable
class TagsTokens(Protocol):
    """What a runner does besides that has an encoder: see :mod:`finslm.engine.tagging`."""

    def tag(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[Scores]:
        """Logits [tokens, labels] of each adapter's key and window, the marks at its ends left out."""
        ...


@runtime_checkable
class ReadsTexts(Protocol):
    """What a runner does besides whose encoder reads without an adapter: see :mod:`finslm.engine.states`."""

    def read(self, texts: Sequence[Sequence[int]]) -> list[Hidden]:
        """Last hidden states [tokens, hidden] of each text, its marks included."""
        ...
