"""The time that detection may take: set once per text, asked everywhere, and an error when it is used up.

A detector that is cut off and then reports success would pass on text that nobody looked at, so
running out of time always raises.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from redaction.errors import DetectionFailed

DEFAULT_BUDGET_S = 20.0
"""Time for one text when nothing else is said, seconds."""

_deadline: ContextVar[float | None] = ContextVar("redaction_deadline", default=None)


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """Give what runs inside ``seconds`` of time; a budget inside a budget can only be shorter."""
    outer, inner = _deadline.get(), time.monotonic() + seconds
    token = _deadline.set(inner if outer is None else min(outer, inner))
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining_s() -> float:
    """Seconds left, more than 0; :data:`DEFAULT_BUDGET_S` where no budget was set.

    Raises:
        DetectionFailed: the time is up.
    """
    deadline = _deadline.get()
    if deadline is None:
        return DEFAULT_BUDGET_S
    left = deadline - time.monotonic()
    if left <= 0:
        raise DetectionFailed("detection ran out of time; send a shorter text or allow it more time")
    return left
