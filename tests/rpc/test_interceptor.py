"""No text of an exception reaches the caller or a log, whenever it is raised; cancellation frees what it held."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import pytest
import structlog

from finslm import errors
from finslm.client import AbortedError, ClientError, InternalError, ResourceExhaustedError
from finslm.rpc.client_errors import error_of

CANARY = "4111-1111-1111-1111"


class OddError(Exception):
    """Its repr shows its text, as most do."""


def raised() -> BaseException:
    """An exception with text in its message, its cause and its note."""
    error = OddError(f"bad card {CANARY}")
    error.__cause__ = ValueError(CANARY)
    error.add_note(CANARY)
    return error


async def drain(client: Any, text: str = "one two three") -> list[str]:
    pieces: list[str] = []
    try:
        async for piece in client.generate_stream(text):
            pieces.append(piece)
    except ClientError as error:
        error.pieces = pieces  # type: ignore[attr-defined]
        raise
    return pieces


@pytest.fixture
def everything_said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Any:
    """All that any logger, stdout or stderr got."""
    caplog.set_level(logging.DEBUG)

    def said() -> str:
        out, err = capfd.readouterr()
        return "\n".join([caplog.text, out, err, *(repr(r.__dict__) for r in caplog.records)])

    return said


class TestCanary:
    async def test_unary(self, serve: Any, everything_said: Any) -> None:
        async with serve() as running:
            running.pipeline.failure = raised()
            async with running.client() as client:
                with pytest.raises(InternalError) as caught:
                    await client.generate("hello")
            error = caught.value
            assert (error.reason, "internal error" in str(error)) == ("INTERNAL", True)
            assert error.request_id == running.pipeline.calls[0].request_id
        text = everything_said()
        assert CANARY not in text + repr(error) + str(error.__dict__)
        assert "OddError" in text, "the log says what kind of error it was"
        assert "conftest.py" in text, "and where"

    @pytest.mark.parametrize("pieces", [0, 2])
    async def test_stream_before_and_after_the_first_message(
        self, serve: Any, everything_said: Any, pieces: int
    ) -> None:
        async with serve() as running:
            running.pipeline.failure = raised()
            running.pipeline.pieces_before_failure = pieces
            async with running.client() as client:
                with pytest.raises(InternalError) as caught:
                    await drain(client)
            assert len(caught.value.pieces) == pieces  # type: ignore[attr-defined]
            assert caught.value.reason == "INTERNAL"
            assert running.pipeline.closed_streams == 1
        assert CANARY not in everything_said() + repr(caught.value)

    async def test_raw_status_details_hold_no_text(self, serve: Any) -> None:
        """What a foreign client sees, byte by byte."""
        async with serve() as running:
            running.pipeline.failure = raised()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await running.send_bytes("/finslm.v1.RedactionService/Redact", b"\x12\x01a")
            seen = repr((caught.value.details(), caught.value.trailing_metadata(), caught.value.debug_error_string()))
            assert CANARY not in seen
            assert "OddError" not in seen

    async def test_a_failure_of_the_refusals_record_is_told_and_nothing_else(self, serve: Any) -> None:
        """No record, no answer: an invalid request is UNAVAILABLE while the log cannot be written."""
        async with serve() as running:
            await running.log.close()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await running.send_bytes("/finslm.v1.RedactionService/Redact", b"")
            assert error_of(caught.value, "").reason == "AUDIT_UNAVAILABLE"


async def test_errors_of_the_tree_keep_message_and_reason_after_the_first_message(serve: Any) -> None:
    async with serve() as running:
        running.pipeline.failure = errors.InvalidOutput("the answer is no JSON: try again")
        running.pipeline.pieces_before_failure = 1
        async with running.client() as client:
            with pytest.raises(AbortedError, match="no JSON") as caught:
                await drain(client)
        assert caught.value.reason == "INVALID_OUTPUT"


async def test_retry_after_reaches_the_client(serve: Any) -> None:
    async with serve() as running:
        running.pipeline.failure = errors.QuotaExceeded("quota used up", retry_after_s=2.5)
        async with running.client() as client:
            with pytest.raises(ResourceExhaustedError) as caught:
                await client.redact("a")
        assert (caught.value.reason, caught.value.retry_after_s) == ("QUOTA_EXCEEDED", 2.5)


async def test_a_cancelled_call_ends_its_work_and_is_counted_as_cancelled(serve: Any) -> None:
    async with serve() as running:
        running.pipeline.hold = asyncio.Event()
        running.pipeline.pieces_before_failure = 1
        async with running.client() as client:
            stream = client.generate_stream("one two")
            async for _ in stream:
                await running.pipeline.entered.wait()
                break
            stream.cancel()
        async with asyncio.timeout(5):
            while not running.pipeline.closed_streams:
                await asyncio.sleep(0.01)
        labels = {"method": "InferenceService/GenerateStream", "code": "CANCELLED"}
        async with asyncio.timeout(5):
            while running.metrics.registry.get_sample_value("finslm_requests_total", labels) != 1:
                await asyncio.sleep(0.01)


async def test_a_stream_that_nobody_reads_ends_when_its_caller_goes(serve: Any) -> None:
    """The generator is closed at once, also when it is the transport that waits and not the generator."""
    async with serve() as running:
        async with running.client() as client:
            stream = client.generate_stream(" ".join(["x" * 50] * 600))
            async for _ in stream:
                break
            stream.cancel()
            async with asyncio.timeout(5):
                while not running.pipeline.closed_streams:
                    await asyncio.sleep(0.01)


async def test_one_line_is_logged_for_each_call_with_known_fields_only(serve: Any) -> None:
    from finslm.telemetry.logs import ALLOWED

    with structlog.testing.capture_logs() as lines:
        async with serve() as running, running.client() as client:
            await client.redact(CANARY)
            with pytest.raises(ClientError):
                await client.redact("")
    done = [line for line in lines if line["event"] == "rpc_done"]
    assert [line["code"] for line in done] == ["OK", "INVALID_ARGUMENT"]
    assert all(set(line) - {"log_level"} <= ALLOWED for line in lines)
    assert CANARY not in repr(lines)
