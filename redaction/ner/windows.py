"""Long input in overlapping windows, so that cost stays linear and no window is cut off."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """Items ``start`` to ``end`` are looked at; the verdict counts for ``own_start`` to ``own_end``."""

    start: int
    end: int
    own_start: int
    own_end: int


def plan(count: int, size: int, overlap: int) -> list[Window]:
    """Cover ``count`` items by windows of ``size``; each item is owned by the window in which it stands deepest.

    Raises:
        ValueError: ``overlap`` is not smaller than ``size``.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap {overlap} must be in [0, size {size})")
    windows: list[Window] = []
    start = own_start = 0
    while own_start < count:
        end = min(start + size, count)
        own_end = count if end == count else end - overlap // 2
        windows.append(Window(start, end, own_start, own_end))
        start, own_start = end - overlap, own_end
    return windows
