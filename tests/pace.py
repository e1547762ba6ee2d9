"""How the time of a call grows with its input: the only thing about time that a shared machine lets a test say."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

RUNS = 3
SLACK = 3.0
"""How much more than in proportion the time may grow: noise and caches, far from the factor of a square."""

_TICK_S = 0.01
"""Below this, time is all noise."""


def cpu_s(*calls: Callable[[], object], runs: int = RUNS) -> tuple[float, ...]:
    """CPU seconds of this thread for each of ``calls``, the best of ``runs``, without the garbage collector.

    The calls take turns, so that they share the noise, and none finds its own last result remembered.
    """
    took = [float("inf")] * len(calls)
    gc.disable()
    try:
        for _ in range(runs):
            for place, call in enumerate(calls):
                start = time.thread_time()
                call()
                took[place] = min(took[place], time.thread_time() - start)
    finally:
        gc.enable()
    return tuple(took)


def assert_linear(run: Callable[[int], object], small: int = 20_000, large: int = 160_000) -> None:
    """Assert that ``run(size)`` takes time in proportion to ``size``.

    A square would take ``large / small`` times as much again; with the sizes given here 8 times.
    """
    factor = SLACK * large / small
    if cpu_s(lambda: run(large), runs=1)[0] < factor * _TICK_S:  # then no run of ``small`` can forbid it
        return
    first, last = cpu_s(lambda: run(small), lambda: run(large))
    allowed = factor * max(first, _TICK_S)
    assert last < allowed, f"{small}: {first:.3f} s, {large}: {last:.3f} s, allowed {allowed:.3f} s"
