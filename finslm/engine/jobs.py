"""What waits, runs and ends in the engine."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from finslm.engine.blocks import Table
from finslm.engine.labels import ForkPlan, LabelTrie
from finslm.engine.masks import MaskSource
from finslm.engine.states import Hidden
from finslm.engine.tagging import Scores
from finslm.errors import FinslmError
from finslm.types import LabelScore, SamplingParams, TokenChunk

READ_AT_ONCE = 64
"""Tokens of a prompt that take about as long to read as one step of writing: a guess, for estimates of time."""


class State(enum.Enum):
    """Where a job is. ENDED is final: delivered, failed, expired or cancelled."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


Outcome = TokenChunk | Sequence[LabelScore] | Scores | Sequence[Hidden] | FinslmError


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

    @property
    def work(self) -> float:
        """Steps it may take part in, roughly; many tokens are read in one."""
        return 1 + self.size / READ_AT_ONCE


@dataclass(slots=True, eq=False, kw_only=True)
class Reading(Job):
    """A job whose prompt goes through the cache.

    Args:
        root: where the names of its cache blocks begin, see :class:`finslm.engine.blocks.Namespaces`.
        adapter: name of the adapter that writes; empty: the base alone.
        masks: what narrows the answer.
        table: its cache blocks while it runs.
    """

    root: bytes = field(default=b"", repr=False)
    adapter: str = ""
    masks: Sequence[MaskSource] = field(default=(), repr=False)
    table: Table | None = field(default=None, repr=False)

    def room(self, block_tokens: int) -> int:  # noqa: ARG002 - some take whole blocks
        """Tokens of cache that it may need."""
        return self.size

    @property
    def blocks(self) -> Table:
        """Its cache blocks, which a running job has."""
        if self.table is None:
            raise AssertionError("only a running job has blocks")
        return self.table

    @property
    def unread(self) -> int:
        """Tokens of the prompt that are not in the cache yet."""
        return max(0, len(self.tokens) - self.blocks.past)


@dataclass(slots=True, eq=False, kw_only=True)
class Generation(Reading):
    """A job that writes.

    Args:
        params: checked parameters.
        lead: the prefill's text; ``lead_tokens`` says how many of the tokens are its own.
    """

    params: SamplingParams
    lead: str = field(default="", repr=False)
    lead_tokens: int = 0

    @property
    def size(self) -> int:
        """Tokens it may read and write."""
        return len(self.tokens) + self.params.max_tokens

    @property
    def work(self) -> float:
        """Steps it may take part in."""
        return self.params.max_tokens + len(self.tokens) / READ_AT_ONCE


@dataclass(slots=True, eq=False, kw_only=True)
class Scoring(Reading):
    """A job that says how likely the prompt makes each label.

    Args:
        trie: the labels.
        forks: how they are fed once the prompt is read.
        wave: which of the waves is next.
    """

    trie: LabelTrie = field(repr=False)
    forks: ForkPlan = field(repr=False)
    wave: int = 0

    @property
    def size(self) -> int:
        """Tokens it reads: prompt and labels."""
        return len(self.tokens) + sum(self.forks.tokens)

    def room(self, block_tokens: int) -> int:
        """Tokens of cache: each path of a wave has blocks of its own."""
        return self.forks.blocks * block_tokens

    @property
    def wave_tokens(self) -> int:
        """Tokens of the next wave."""
        return self.forks.tokens[self.wave]


@dataclass(slots=True, eq=False, kw_only=True)
class Classification(Job):
    """A job that is one prefill with the adapter of that name."""

    adapter: str


@dataclass(slots=True, eq=False, kw_only=True)
class Tagging(Classification):
    """One that is told the scores of each token's labels."""


@dataclass(slots=True, eq=False, kw_only=True)
class Encoding(Classification):
    """One that is told what the encoder makes of some texts; ``tokens`` are those of all of them.

    Args:
        texts: token ids of each.
    """

    texts: Sequence[Sequence[int]] = field(repr=False)
