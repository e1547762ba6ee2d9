"""Two records around each call, also when it is cancelled at the worst moment."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from finslm.audit.calls import CallRecorder, Versions
from finslm.audit.records import Kind, Record
from finslm.errors import AuditUnavailable
from finslm.rpc.errors import verdict_of
from finslm.types import Call, ModelIdentity, Principal, Receipt


class SlowLog:
    """Writes when it is told to."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.may_write = asyncio.Event()
        self.broken = False

    async def append(self, record: Record) -> Receipt:
        await self.may_write.wait()
        if self.broken:
            raise AuditUnavailable("the disk is full")
        self.records.append(record)
        return Receipt(len(self.records) - 1, "0" * 64, len(self.records), "0" * 64)


def recorder(log: SlowLog) -> CallRecorder:
    return CallRecorder(log, Versions("a" * 64, "b" * 64, ModelIdentity("m", "c" * 64)), verdict_of)


def call(remaining_s: float = 60) -> Call:
    deadline = time.monotonic() + remaining_s
    return Call(str(uuid.uuid4()), Principal("desk"), "InferenceService/Generate", deadline)


async def work(log: SlowLog, made: Call, seconds: float = 0) -> None:
    async with recorder(log).record(made):
        await asyncio.sleep(seconds)


async def test_a_call_cancelled_while_its_intent_is_written_has_an_outcome() -> None:
    log = SlowLog()
    running = asyncio.ensure_future(work(log, call()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()  # once more, as a server that ends does
    await asyncio.sleep(0)
    assert not running.done()
    log.may_write.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [record.kind for record in log.records] == [Kind.INTENT, Kind.OUTCOME]
    assert (log.records[1].status, log.records[1].intent_index) == ("CANCELLED", 0)


async def test_a_call_cancelled_while_its_intent_fails_leaves_no_outcome() -> None:
    log = SlowLog()
    log.broken = True
    running = asyncio.ensure_future(work(log, call()))
    await asyncio.sleep(0)
    running.cancel()
    log.may_write.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert log.records == []


@pytest.mark.parametrize(("remaining_s", "status"), [(0.05, "DEADLINE_EXCEEDED"), (60, "CANCELLED")])
async def test_a_call_that_grpc_cancels_at_its_deadline_ended_by_it(remaining_s: float, status: str) -> None:
    log = SlowLog()
    log.may_write.set()
    running = asyncio.ensure_future(work(log, call(remaining_s), seconds=30))
    await asyncio.sleep(0.06)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (log.records[-1].status, log.records[-1].reason) == (status, status)
