"""Throughput on the same documents, in turns: ours with names, ours by patterns only, stock Presidio.

Turns, because a shared machine is now faster and now slower: each round times all of them, and the ratio
is the median over rounds. On two cores ours uses both (two processes, each with its share of the
documents); stock Presidio gets the same two processes.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

from benchmarks.redaction.systems import Find, ours, patterns_only, presidio

HOSTILE_CHARS = 20_000
HOSTILE_UNITS = (
    "a.",
    "1 ",
    "@a.",
    "<A_",
    "DE89 ",
    "4 1",
    "www.",
    "a@a.",
    "born 1-",
    "http://",
    "--",
    "7 7 7",
    "&#",
    "%41",
    "A",
    "aGVs",
)


@cache
def _system(name: str) -> Find:
    return {"ours": ours, "patterns": patterns_only, "presidio": presidio}[name]()


def _timed(name: str, texts: Sequence[str]) -> float:
    find = _system(name)
    start = time.perf_counter()
    find(texts)
    return time.perf_counter() - start


def throughput(texts: Sequence[str], *, rounds: int, presidio_texts: int) -> dict[str, Any]:
    """Characters per second of each system, on all cores, and the ratios to stock Presidio."""
    cores = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    speeds: dict[str, list[float]] = {"ours": [], "patterns": [], "presidio": []}
    samples = {  # each runs for about a second
        "ours": [*texts] * 2,
        "patterns": [*texts] * 16,
        "presidio": texts[:presidio_texts],
    }
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        for name, sample in samples.items():  # loads the models and warms up
            list(pool.map(_timed, [name] * cores, [sample[:50]] * cores))
        for _ in range(rounds):
            for name, sample in samples.items():
                start = time.perf_counter()
                list(pool.map(_timed, [name] * cores, [sample[n::cores] for n in range(cores)]))
                speeds[name].append(sum(map(len, sample)) / (time.perf_counter() - start))
    ratios = {
        name: [a / b for a, b in zip(speeds[name], speeds["presidio"], strict=True)] for name in ("ours", "patterns")
    }
    return {
        "processes": cores,
        "characters_per_s": {name: _spread(values) for name, values in speeds.items()},
        "times_presidio": {name: _spread(values) for name, values in ratios.items()},
    }


def latency_ms(find: Callable[[Sequence[str]], Any], text: str, *, times: int) -> dict[str, float]:
    """One text at a time, warm."""
    find([text])
    took = []
    for _ in range(times):
        start = time.perf_counter()
        find([text])
        took.append((time.perf_counter() - start) * 1e3)
    took.sort()
    return {"p50": round(took[len(took) // 2], 2), "p99": round(took[int(len(took) * 0.99)], 2)}


def hostile_ms(find: Callable[[Sequence[str]], Any]) -> dict[str, float]:
    """20 KB of each hostile unit repeated; milliseconds, best of three."""
    worst = {}
    for unit in HOSTILE_UNITS:
        text = unit * (HOSTILE_CHARS // len(unit))
        took = []
        for _ in range(3):
            start = time.perf_counter()
            find([text])
            took.append(time.perf_counter() - start)
        worst[unit] = round(min(took) * 1e3, 1)
    return worst


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
    }
