"""Blocks of the cache: whatever happens in whatever order, a sequence reads its own tokens and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from finslm.engine.blocks import BlockPool, Namespaces, Table

SIZE, COUNT = 4, 12
ROOTS = [Namespaces(b"s" * 32).root(tenant, "model", adapter) for tenant in "ab" for adapter in ("", "x")]
FEW = st.lists(st.integers(0, 1), min_size=1, max_size=20)
"""Of two tokens only, so that prompts often begin alike."""

Content = tuple[bytes, tuple[int, ...], bool]
"""What a block holds: whose it is, all tokens up to its end, and whether its numbers are spoiled."""


@dataclass(eq=False)
class Running:
    """A sequence and what it should find."""

    root: bytes
    prompt: list[int]
    room: int
    table: Table
    spoiled: bool = False


class Cache(RuleBasedStateMachine):
    """A pool, and beside it what a cache would hold in each block."""

    running: Bundle[Running] = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.pool = BlockPool(COUNT, SIZE)
        self.memory: dict[int, Content] = {}
        self.open: list[Running] = []

    @rule(target=running, root=st.sampled_from(ROOTS), prompt=FEW, more=st.integers(0, 9))
    def start(self, root: bytes, prompt: list[int], more: int) -> object:
        before = self.pool.available
        table = self.pool.open(prompt, len(prompt) + more, root)
        if table is None:
            # What it would have found again may have been among the free ones.
            assert before < self.pool.blocks_for(len(prompt) + more)
            assert self.pool.available == before
            return multiple()
        assert len(table.blocks) == self.pool.blocks_for(len(prompt) + more)
        assert table.past == table.reused < len(prompt)
        for place in range(table.reused // SIZE):
            assert self.memory[table.blocks[place]] == (root, tuple(prompt[: (place + 1) * SIZE]), False)
        run = Running(root, prompt, len(prompt) + more, table)
        self.open.append(run)
        return run

    @rule(run=running, tokens=st.integers(1, 7), spoiled=st.booleans())
    def feed(self, run: Running, tokens: int, spoiled: bool) -> None:
        """The next tokens of the prompt or the answer go into the cache."""
        past = run.table.past
        tokens = min(tokens, run.room - past)
        if run not in self.open or not tokens:
            return
        whole = [*run.prompt, *[7] * run.room]
        run.spoiled = run.spoiled or spoiled
        for at in range(past, past + tokens):
            block = run.table.blocks[at // SIZE]
            assert all(block not in other.table.blocks for other in self.open if other is not run)  # it is written now
            self.memory[block] = (run.root, tuple(whole[: at + 1]), run.spoiled)
        self.pool.advance(run.table, tokens)
        if run.spoiled:  # as the step loop does: what was fed counts, then the numbers are looked at
            self.end(run)

    @rule(run=consumes(running))
    def finish(self, run: Running) -> None:
        """It has its answer, or nobody waits for it any more."""
        if run in self.open:
            self.end(run)

    def end(self, run: Running) -> None:
        self.pool.close(run.table, discard=run.spoiled)
        self.open.remove(run)

    @invariant()
    def no_block_is_lost_or_there_twice(self) -> None:
        held = {block for run in self.open for block in run.table.blocks}
        assert self.pool.available + len(held) == COUNT
        assert all(len(set(run.table.blocks)) == len(run.table.blocks) for run in self.open)
        assert self.pool.kept <= COUNT


Cache.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCache = Cache.TestCase


def test_after_all_have_gone_everything_is_free_and_the_beginning_is_found() -> None:
    pool, prompt = BlockPool(4, SIZE), list(range(10))
    first = pool.open(prompt, 16, ROOTS[0])
    assert first is not None
    assert pool.open(prompt, 16, ROOTS[0]) is None
    pool.advance(first, 10)
    pool.close(first)
    assert (pool.available, pool.kept) == (4, 2)
    again = pool.open(prompt, 16, ROOTS[0])
    assert again is not None
    assert again.reused == 8


def test_the_longest_unused_goes_first() -> None:
    pool = BlockPool(3, SIZE)
    for start in (0, 10, 20):
        table = pool.open([start] * SIZE, SIZE, ROOTS[0])
        assert table is not None
        pool.advance(table, SIZE)
        pool.close(table)
    for start, reused in ((0, SIZE), (20, SIZE), (0, SIZE), (10, 0)):  # the first one takes the block of 10
        again = pool.open([start] * SIZE + [1], SIZE + 1, ROOTS[0])
        assert again is not None
        assert again.reused == reused
        pool.close(again)


def test_a_secret_that_is_short_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        Namespaces(b"short")


@pytest.mark.parametrize(
    ("left", "right"),
    [(("ab", "c", ""), ("a", "bc", "")), (("a", "b", "c"), ("a", "bc", "")), (("a", "b", ""), ("b", "a", ""))],
)
def test_no_two_owners_have_one_root(left: tuple[str, str, str], right: tuple[str, str, str]) -> None:
    names = Namespaces()
    assert names.root(*left) != names.root(*right)
    assert names.root(*left) == names.root(*left)
    assert names.root(*left) != Namespaces().root(*left)  # another process has another secret
