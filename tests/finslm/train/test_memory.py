"""What a run frees goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import random, resource, torch
from finslm.train import memory
chance = random.Random(0)
kept = []
for _ in range(3000):
    kept.append(torch.ones(chance.randrange(1 << 18, 1 << 21)))
    if len(kept) > 8:
        kept.pop(chance.randrange(len(kept)))
if {trimmed}:
    assert memory.give_back()
live = sum(t.nbytes for t in kept)
pages = int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize()
print(live, pages)
"""


def memory_of(*, trimmed: bool) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(trimmed=trimmed)], capture_output=True, text=True, check=True, timeout=120
    )
    live, pages = map(int, done.stdout.split())
    return live, pages


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's")
def test_blocks_of_many_sizes_leave_no_holes():
    """Without it, more of the same work holds more memory: the check can fail."""
    live, pages = memory_of(trimmed=True)
    _, before = memory_of(trimmed=False)
    assert pages < before - 16e6, (live, pages, before)
