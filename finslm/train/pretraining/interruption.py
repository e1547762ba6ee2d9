"""Ctrl-C and SIGTERM end a run between two steps, so that its checkpoint is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final


class Interrupted(Exception):
    """The run was told to stop, and its checkpoint is written. Nothing went wrong, so it is none of finslm's errors.

    Args:
        told: the signal.
        done: what was reached.
    """

    def __init__(self, told: signal.Signals, done: str) -> None:
        super().__init__(f"stopped by {told.name} after {done}; go on with --resume")
        self.exit_status = 128 + told
        """What shells expect of a process that a signal ended (POSIX.1-2024, 2.8.2)."""


@final
class Stop:
    """Whether a signal came."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Remember the first one; a second one of the same kind ends the process as it always did."""
        self.signal = signal.Signals(number)
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
