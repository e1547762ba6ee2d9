"""From the worker to the caller: nothing may swallow a cancellation."""

from __future__ import annotations

import asyncio
import time

import pytest

from finslm.engine.mailbox import Mailbox
from finslm.errors import DeadlineExceeded, EngineUnavailable
from finslm.types import TokenChunk


async def test_a_cancellation_in_the_moment_of_a_chunk_is_not_swallowed() -> None:
    """asyncio.wait_for of Python 3.11 would return the chunk, and the answer go on without its caller."""
    mailbox = Mailbox(time.monotonic() + 30, time.monotonic)
    reading = asyncio.ensure_future(mailbox.get())
    await asyncio.sleep(0)
    mailbox.put(TokenChunk("a", 1, None))
    asyncio.get_running_loop().call_soon(reading.cancel)
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_outcomes_come_in_order_and_errors_are_raised() -> None:
    mailbox = Mailbox(None, time.monotonic)
    mailbox.put(TokenChunk("a", 1, None))
    mailbox.put(EngineUnavailable("failed"))
    assert await mailbox.get() == TokenChunk("a", 1, None)
    with pytest.raises(EngineUnavailable):
        await mailbox.get()


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.02])
async def test_the_deadline_ends_the_wait(seconds: float) -> None:
    with pytest.raises(DeadlineExceeded):
        await Mailbox(time.monotonic() + seconds, time.monotonic).get()
