"""How the clients send and read: channel options, request id, metadata, health, streams."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2

from finslm.rpc import results
from finslm.rpc.calls import RpcCall
from finslm.rpc.client_errors import ClientError, error_of
from finslm.rpc.client_texts import check_text
from finslm.rpc.context import PACKAGE, RECEIPT_KEY, REQUEST_ID_KEY
from finslm.rpc.results import Receipt
from finslm.v1 import inference_pb2

DEFAULT_TIMEOUT_S: Final = 60.0
"""A call without ``timeout_s`` ends after this, seconds."""

_SERVICE_CONFIG: Final = {
    "methodConfig": [
        {
            "name": [
                {"service": f"{PACKAGE}.{s}Service"} for s in ("Inference", "Redaction", "Model", "Audit", "Feedback")
            ],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS to the server; with ``cert_file`` and ``key_file`` the client proves itself too (mTLS).

    ``server_name`` is the name expected in the server's certificate where it is not the host's.
    """

    ca_file: str | Path | None = None
    cert_file: str | Path | None = None
    key_file: str | Path | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises:
            OSError: one is not readable.
        """
        ca, key, cert = (
            None if f is None else Path(f).read_bytes() for f in (self.ca_file, self.key_file, self.cert_file)
        )
        return grpc.ssl_channel_credentials(ca, key, cert)


HEALTH_PATH: Final = "/grpc.health.v1.Health/Check"


class Sender:
    """What both clients share: where to, as whom, for how long."""

    def __init__(self, token: str | None, timeout_s: float) -> None:
        self._metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        self._timeout_s = timeout_s

    def _arguments(self, timeout_s: float | None) -> dict[str, Any]:
        return {"timeout": self._timeout_s if timeout_s is None else timeout_s, "metadata": self._metadata}


class _Pieces:
    """What has arrived of a streamed answer."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._texts: list[str] = []
        self._summary: inference_pb2.GenerateSummary | None = None
        self._result: results.Generated | None = None

    @property
    def result(self) -> results.Generated:
        """The whole answer, with its receipt, once the stream has ended; a blocked one has no text.

        Raises:
            RuntimeError: it has not ended, or ended early: what arrived is not an answer.
        """
        if self._result is None:
            raise RuntimeError("the stream has not ended with a summary: iterate it to its end first")
        return self._result

    def _take(self, message: Any) -> str | None:
        if message.WhichOneof("event") == "summary":
            self._summary = message.summary
            return None
        self._texts.append(message.text_delta)
        return str(message.text_delta)

    def _end(self, trailing: Any) -> None:
        if self._summary is None:
            message = "the stream ended without a summary: what arrived is not a whole answer"
            raise ClientError(message, status=grpc.StatusCode.UNKNOWN, request_id=self._request_id)
        meta = meta_of(trailing, self._request_id)
        text = "" if self._summary.finish_reason == inference_pb2.FINISH_REASON_BLOCKED else "".join(self._texts)
        self._result = results.generated(self._summary, text, meta)


class GenerateStream(_Pieces):
    """Pieces of an answer (``for piece in stream``); afterwards ``result`` is the whole."""

    def __init__(self, rpc: Any, request_id: str) -> None:
        super().__init__(request_id)
        self._rpc = rpc

    def __iter__(self) -> Iterator[str]:
        try:
            for message in self._rpc:
                if (piece := self._take(message)) is not None:
                    yield piece
        except grpc.RpcError as error:
            raise error_of(error, self._request_id) from None
        finally:
            self._rpc.cancel()  # of no effect once it has ended; a loop left early ends it here
        self._end(self._rpc.trailing_metadata())

    def cancel(self) -> None:
        """Stop the answer; the server frees its place at once."""
        self._rpc.cancel()


class AsyncGenerateStream(_Pieces):
    """Pieces of an answer (``async for piece in stream``); afterwards ``result`` is the whole."""

    def __init__(self, rpc: Any, request_id: str) -> None:
        super().__init__(request_id)
        self._rpc = rpc

    async def __aiter__(self) -> AsyncIterator[str]:
        try:
            async for message in self._rpc:
                if (piece := self._take(message)) is not None:
                    yield piece
            trailing = await self._rpc.trailing_metadata()
        except grpc.RpcError as error:
            raise error_of(error, self._request_id) from None
        finally:
            self._rpc.cancel()
        self._end(trailing)

    def cancel(self) -> None:
        """Stop the answer; the server frees its place at once."""
        self._rpc.cancel()


def channel_options(tls: Tls | None) -> list[tuple[str, Any]]:
    """Retries of what is safe to try again, and no way around the bank's network."""
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.enable_http_proxy", 0),  # the way to the server is inside the bank; a proxy is a way out
    ]
    if tls is not None and tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return options


def path_of(call: RpcCall[Any]) -> str:
    """Return the HTTP/2 path of a call."""
    return f"/{PACKAGE}.{call.method}"


def identify(call: RpcCall[Any], request_id: str | None) -> str:
    """Give the request its id, the same for every try.

    Raises:
        InvalidArgumentError: the id is no text that can be sent.
    """
    check_text("request_id", request_id)
    request: Any = call.request
    request.request_id = request_id or str(uuid.uuid4())
    return str(request.request_id)


def codec_of(call: RpcCall[Any]) -> dict[str, Any]:
    """Return the serializer and deserializer of a call."""
    return {
        "request_serializer": type(call.request).SerializeToString,
        "response_deserializer": call.response_type.FromString,
    }


def health_request(service: str) -> health_pb2.HealthCheckRequest:
    """Return the message that asks for the health of a service.

    Raises:
        InvalidArgumentError: its name is no text that can be sent.
    """
    check_text("service", service)
    return health_pb2.HealthCheckRequest(service=service)


HEALTH_CODEC: Final[Mapping[str, Any]] = {
    "request_serializer": health_pb2.HealthCheckRequest.SerializeToString,
    "response_deserializer": health_pb2.HealthCheckResponse.FromString,
}


def health_name(answer: Any) -> str:
    """Return the name of a health status."""
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def meta_of(trailing: Any, request_id: str) -> Mapping[str, Any]:
    """Return what every result has, from the trailing metadata."""
    values = dict(trailing or ())
    receipt = values.get(RECEIPT_KEY)
    return {
        "request_id": values.get(REQUEST_ID_KEY, request_id),
        "receipt": None if receipt is None else Receipt.parse(receipt),
    }
