"""How fast each way of computing is on this machine, measured where the step loop meets the runner."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, final

import numpy as np

from finslm.config import EngineSettings
from finslm.engine.loading import load_runner
from finslm.engine.runner import Part, Runner

PROMPT_TOKENS: Final = 256
"""Read before the first step, so that attention has something to look at."""
_FEWEST_STEPS, _MOST_STEPS, _SECONDS = 5, 60, 1.5
"""Steps of one figure: until the time is over, and never fewer than that many."""


@final
@dataclass(frozen=True, slots=True)
class Way:
    """One way to compute: settings ``engine.runner``, ``engine.weights`` and ``engine.threads``."""

    runner: str
    weights: str
    threads: int


@final
@dataclass(frozen=True, slots=True)
class Figure:
    """Tokens a second: the median of the steps, and the quarters below and above it."""

    median: float
    low: float
    high: float


@final
@dataclass(frozen=True, slots=True)
class Speed:
    """One line of the table: reading a prompt, and writing with so many answers at once."""

    way: Way
    load_s: float
    reading: Figure
    writing: dict[int, Figure]


def ways(cpus: int) -> list[Way]:
    """All that a processor can do, on one thread and on all of them."""
    kinds = (("openvino", "int8"), ("openvino", "float32"), ("torch", "bfloat16"), ("torch", "float32"))
    return [Way(runner, weights, threads) for runner, weights in kinds for threads in sorted({1, cpus})]


def measure(folder: Path, chosen: Sequence[Way], rows: Sequence[int]) -> Iterator[Speed]:
    """Load each way in turn and time its steps.

    Args:
        folder: model folder.
        chosen: what to measure.
        rows: answers that are written at once.

    Raises:
        ConfigError: the folder cannot be used by a way.
    """
    for way in chosen:
        settings = EngineSettings(runner=way.runner, weights=way.weights)
        begun = time.perf_counter()
        runner = load_runner(folder, (), settings, way.threads, pad_id=lambda: 0)
        load_s = time.perf_counter() - begun
        steps = _Steps(runner, max(rows))
        yield Speed(way, load_s, _rate(PROMPT_TOKENS, steps.read), {n: _rate(n, partial(steps.write, n)) for n in rows})
        del runner, steps
        gc.collect()


@final
class _Steps:
    """Steps over the same prompt, whose blocks all answers share; behind it each has its own."""

    def __init__(self, runner: Runner, rows: int) -> None:
        self._runner = runner
        self._shared = -(-PROMPT_TOKENS // runner.block_tokens)
        self._own = -(-(_MOST_STEPS + 1) // runner.block_tokens)
        runner.reserve(self._shared + self._own * rows)
        self._tokens = np.random.default_rng(0).integers(0, runner.vocabulary, PROMPT_TOKENS).tolist()

    def read(self, _: int) -> None:
        self._runner.step([Part(self._tokens, 0, list(range(self._shared)), 1)])

    def write(self, rows: int, done: int) -> None:
        self._runner.step([Part(self._tokens[:1], PROMPT_TOKENS + done, self._blocks(row), 1) for row in range(rows)])

    def _blocks(self, row: int) -> list[int]:
        begin = self._shared + row * self._own
        return [*range(self._shared), *range(begin, begin + self._own)]


def _rate(tokens: int, step: Callable[[int], object]) -> Figure:
    step(0)  # the first time a shape comes, memory for it is taken
    rates: list[float] = []
    until = time.perf_counter() + _SECONDS
    while len(rates) < _FEWEST_STEPS or (len(rates) < _MOST_STEPS - 1 and time.perf_counter() < until):
        begun = time.perf_counter()
        step(len(rates) + 1)
        rates.append(tokens / (time.perf_counter() - begun))
    low, median, high = statistics.quantiles(rates, n=4)
    return Figure(median, low, high)
