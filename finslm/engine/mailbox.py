"""From the worker thread to one caller's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from finslm.engine.jobs import Outcome
from finslm.errors import DeadlineExceeded, FinslmError

DEADLINE_MESSAGE = "the deadline passed before the answer was complete: allow more time or ask for fewer tokens"


class Mailbox:
    """Made on the caller's event loop; :meth:`put` may be called from any thread."""

    def __init__(self, deadline: float | None, clock: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Outcome] = asyncio.Queue()
        self._deadline, self._clock = deadline, clock

    def put(self, outcome: Outcome) -> None:
        """Hand over; what comes for a loop that has ended has no reader and is dropped."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, outcome)

    async def get(self) -> Outcome:
        """The next outcome.

        Raises:
            DeadlineExceeded: the deadline came first, even if the worker is busy with a long step.
            FinslmError: the job failed with it.
        """
        wait_s = None if self._deadline is None else max(0.0, self._deadline - self._clock())
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes in the moment of an outcome.
            async with asyncio.timeout(wait_s):
                outcome = await self._queue.get()
        except TimeoutError:
            raise DeadlineExceeded(DEADLINE_MESSAGE) from None
        if isinstance(outcome, FinslmError):
            raise outcome
        return outcome
