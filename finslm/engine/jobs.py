"""What waits, runs and ends in the engine."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from finslm.engine.blocks import Table
from finslm.engine.masks import MaskSource
from finslm.errors import FinslmError
from finslm.types import LabelScore, SamplingParams, TokenChunk


class State(enum.Enum):
    """Where a job is. ENDED is final: delivered, failed, expired or cancelled."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


Outcome = TokenChunk | Sequence[LabelScore] | FinslmError


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One request inside the engine.

    Args:
        tokens: the rendered prompt.
        deliver: hands an outcome to the caller's event loop; callable from any thread.
        deadline: in the engine's clock, seconds; None for none.
        tenant: for whom; tenants that wait get equal shares.
        priority: those with a higher one go first, whoever asks.
    """

    tokens: Sequence[int] = field(repr=False)
    deliver: Callable[[Outcome], None] = field(repr=False)
    deadline: float | None = None
    tenant: str = ""
    priority: int = 0
    state: State = State.WAITING
    cancelled: bool = False
    started_at: float = 0.0

    def expired(self, now: float) -> bool:
        """Whether its deadline has passed."""
        return self.deadline is not None and now >= self.deadline

    @property
    def size(self) -> int:
        """Tokens it may read and write."""
        return len(self.tokens)


@dataclass(slots=True, eq=False, kw_only=True)
class Generation(Job):
    """A job that writes.

    Args:
        params: checked parameters.
        lead: the prefill's text; ``lead_tokens`` says how many of the tokens are its own.
        root: where the names of its cache blocks begin, see :class:`finslm.engine.blocks.Namespaces`.
        adapter: name of the adapter that writes; empty: the base alone.
        masks: what narrows the answer.
        table: its cache blocks while it runs.
    """

    params: SamplingParams
    lead: str = field(default="", repr=False)
    lead_tokens: int = 0
    root: bytes = field(default=b"", repr=False)
    adapter: str = ""
    masks: Sequence[MaskSource] = field(default=(), repr=False)
    table: Table | None = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """Tokens it may read and write."""
        return len(self.tokens) + self.params.max_tokens

    @property
    def blocks(self) -> Table:
        """Its cache blocks, which a running job has."""
        if self.table is None:
            raise AssertionError("only a running generation has blocks")
        return self.table


@dataclass(slots=True, eq=False, kw_only=True)
class Classification(Job):
    """A job that is one prefill with the adapter of that name."""

    adapter: str
