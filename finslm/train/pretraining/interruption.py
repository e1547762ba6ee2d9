"""Ctrl-C and SIGTERM end a run between two steps, so that its checkpoint is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final

from finslm.errors import ConfigError


class Interrupted(ConfigError):
    """The run was told to stop, and its checkpoint is written."""


@final
class Stop:
    """Whether a signal came."""

    def __init__(self) -> None:
        self.signal: str | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Remember the first one; a second one of the same kind ends the process as it always did."""
        self.signal = signal.Signals(number).name
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Catch SIGINT and SIGTERM for a while; in a thread that is not the main one they stay as they are."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kept = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
