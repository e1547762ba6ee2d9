"""Memory that a training run gives back.

Batches have other lengths each time, so what they free leaves holes of other sizes in glibc's heap: a run on long texts
grew from 2 to 9 GiB within the hour. Mapping every large block instead costs more time in the kernel than the training
takes. Now and then the holes are given back.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import time
from typing import Final

EVERY_S: Final = 30.0
"""How often, seconds; the pages that are needed again cost a fault each."""
_last = 0.0


def give_back() -> bool:
    """Give back to the system what the allocator holds and nobody uses; False where the allocator is not glibc's."""
    name = ctypes.util.find_library("c")
    trim = getattr(ctypes.CDLL(name), "malloc_trim", None) if name else None
    if trim is not None:
        trim(0)
    return trim is not None


def now_and_then() -> None:
    """:func:`give_back`, if the last time is long ago. For a loop to call after each step."""
    global _last
    if time.monotonic() - _last >= EVERY_S:
        give_back()
        _last = time.monotonic()
