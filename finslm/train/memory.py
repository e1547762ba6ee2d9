"""Memory that a training run gives back.

Batches have other lengths each time. glibc's allocator learns from the first large tensors that are freed to keep blocks
of up to 32 MiB in its heap, where those of other sizes leave holes: a run on long texts grew from 2 to 9 GiB within the
hour. With a fixed threshold such blocks are mapped, and go back to the system when they are freed.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
"""Parameter of mallopt(3); once set, glibc moves it no more."""
_MAPPED_FROM: Final = 256 << 10
"""Bytes of a block that is mapped."""


def give_back() -> bool:
    """Fix the threshold for this process; whether its allocator has one. Costs a few page faults a step."""
    name = ctypes.util.find_library("c")
    mallopt = getattr(ctypes.CDLL(name), "mallopt", None) if name else None
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM) == 1
