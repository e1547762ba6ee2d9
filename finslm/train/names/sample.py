"""A text and what is in it: what every maker of training text returns."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """A labelled text.

    Args:
        text: the text.
        spans: start, end (code points, half open) and type; sorted, without overlaps.
    """

    text: str
    spans: tuple[tuple[int, int, str], ...]
