"""Errors become statuses here, and nowhere else; nothing of an uncaught exception reaches caller or log.

grpc.aio sends the text of an uncaught exception to the caller and logs it with its traceback, also
after the first message of a stream. The wrappers below leave it nothing to send.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import PurePath
from typing import Any, Final, NoReturn, Protocol

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from finslm.rpc.context import PACKAGE, REQUEST_ID_KEY, Rpc, begin
from finslm.rpc.errors import code_of, reason_of, status_of

_log = structlog.get_logger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[Any, Context], Awaitable[Any]]
Stream = Callable[[Any, Context], AsyncGenerator[Any, None]]


class Malformed:
    """Stands for a request whose bytes are not its message. It holds none of them."""


MALFORMED: Final = Malformed()


class RpcMetrics(Protocol):
    """What the interceptor counts."""

    def observe_rpc(self, method: str, code: str, duration_s: float, reason: str = "") -> None:
        """Count an RPC that ended with the status ``code`` (``OK``, ``INVALID_ARGUMENT``, ...), for a reason."""
        ...


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method of ``finslm.v1``: request id, status of errors, one log line, one count."""

    def __init__(self, metrics: RpcMetrics) -> None:
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the method's handler, wrapped; other packages (health, reflection) pass as they are."""
        handler: Any = await continuation(handler_call_details)
        path = handler_call_details.method
        if handler is None or not path.startswith(f"/{PACKAGE}."):
            return handler  # type: ignore[no-any-return]
        codec = {
            "request_deserializer": _tolerant(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary(handler.unary_unary, path), **codec)
        return grpc.unary_stream_rpc_method_handler(self._stream(handler.unary_stream, path), **codec)

    def _unary(self, behavior: Unary, path: str) -> Any:
        async def guarded(request: Any, context: Context) -> Any:
            return await self._guard(request, context, path, lambda: behavior(request, context))

        return guarded

    def _stream(self, behavior: Stream, path: str) -> Any:
        # A coroutine that writes, not a generator: a generator is left hanging where the caller
        # cancels between two messages, and with it the engine's slot.
        async def guarded(request: Any, context: Context) -> None:
            await self._guard(request, context, path, lambda: _write_all(behavior(request, context), context))

        return guarded

    async def _guard(self, request: Any, context: Context, path: str, work: Callable[[], Awaitable[Any]]) -> Any:
        rpc = begin(request, path)
        context.set_trailing_metadata(((REQUEST_ID_KEY, rpc.request_id),))
        started, code, reason = time.monotonic(), grpc.StatusCode.OK, ""
        try:
            return await work()
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 - the one place where every error ends
            code, reason = code_of(error), reason_of(error)
            await _abort(context, error, rpc)
        finally:
            duration_s = time.monotonic() - started
            self._metrics.observe_rpc(rpc.method, code.name, duration_s, reason)
            _log.info("rpc_done", request_id=rpc.request_id, method=rpc.method, code=code.name, duration_s=duration_s)


async def _write_all(messages: AsyncGenerator[Any, None], context: Context) -> None:
    try:
        async for message in messages:
            await context.write(message)
    finally:
        await messages.aclose()


async def _abort(context: Context, error: Exception, rpc: Rpc) -> NoReturn:
    code = code_of(error)
    if code is grpc.StatusCode.INTERNAL:
        _log.error(
            "rpc_failed",
            request_id=rpc.request_id,
            method=rpc.method,
            error_type=type(error).__name__,
            frames=_frames(error),
        )
    else:
        _log.info("rpc_refused", request_id=rpc.request_id, method=rpc.method, code=code.name, reason=reason_of(error))
    status = rpc_status.to_status(status_of(error, rpc.request_id))
    metadata = ((REQUEST_ID_KEY, rpc.request_id), *status.trailing_metadata)
    await context.abort(status.code, status.details, metadata)


def _frames(error: BaseException) -> list[str]:
    """Where it happened, without the exception's text and without source lines."""
    return [
        f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-12)
    ]


def _tolerant(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Hand on :data:`MALFORMED` where the bytes do not parse, so that the refusal is ours to word and record."""

    def parse(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return MALFORMED

    return parse
