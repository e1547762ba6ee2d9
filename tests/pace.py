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


def cpu_s(call: Callable[[], object]) -> float:
    """CPU seconds of this thread for one call, the best of :data:`RUNS`, without the garbage collector."""
    took = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(RUNS):
            start = time.thread_time()
            call()
            took.append(time.thread_time() - start)
    finally:
        gc.enable()
    return min(took)


def assert_linear(run: Callable[[int], object], small: int = 20_000, large: int = 160_000) -> None:
    """Assert that ``run(size)`` takes time in proportion to ``size``.

    A square would take ``large / small`` times as much again; with the sizes given here 8 times.
    """
    first, last = cpu_s(lambda: run(small)), cpu_s(lambda: run(large))
    allowed = SLACK * large / small * max(first, _TICK_S)
    assert last < allowed, f"{small}: {first:.3f} s, {large}: {last:.3f} s, allowed {allowed:.3f} s"
