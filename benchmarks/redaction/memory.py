"""Does memory stay flat? The redactor's resident memory while documents go through it, no two of them the same."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from redaction import Redactor

_SAMPLES = 20
_WARM = 0.1
"""Share of the documents after which growth counts: caches and the allocator's pools have filled by then."""


def measure(redactor: Redactor, texts: Sequence[str], count: int) -> dict[str, Any]:
    """Analyze ``count`` documents as a stream; resident memory in MiB at even distances."""
    every = max(1, count // _SAMPLES)
    sizes = [
        _resident_mib()
        for number, _ in enumerate(redactor.analyze_stream(_documents(texts, count)), 1)
        if number % every == 0
    ]
    warm = sizes[int(len(sizes) * _WARM) :]
    return {
        "documents": count,
        "mib": [round(size, 1) for size in sizes],
        "growth_mib": round(warm[-1] - warm[0], 1),
        "growth_bytes_per_document": round((warm[-1] - warm[0]) * 2**20 / (count * (1 - _WARM)), 1),
    }


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _documents(texts: Sequence[str], count: int) -> Iterator[str]:
    """Texts with a number of their own and words in another order, so that nothing remembered fits twice."""
    rng = random.Random(1)
    for number in range(count):
        words = rng.choice(texts).split(" ")
        at = rng.randrange(len(words))
        yield " ".join([*words[at:], *words[:at], f"case {number}", f"{rng.randrange(10**9):09}"])
