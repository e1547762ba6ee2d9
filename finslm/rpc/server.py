"""The gRPC server: the listener, its limits, its services, and how it starts and stops."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog

from finslm.access.principals import Authenticator
from finslm.access.readers import AuditReaders
from finslm.config import ServerSettings, Settings
from finslm.errors import ConfigError
from finslm.rpc.gate import Gate
from finslm.rpc.interceptor import ErrorInterceptor, RpcMetrics
from finslm.rpc.lifecycle import Health, add_reflection
from finslm.rpc.servicers.audit import AuditServicer
from finslm.rpc.servicers.feedback import FeedbackServicer
from finslm.rpc.servicers.inference import InferenceServicer
from finslm.rpc.servicers.models import ModelServicer
from finslm.rpc.servicers.redaction import RedactionServicer
from finslm.rpc.tls import server_credentials
from finslm.v1 import audit_pb2_grpc, feedback_pb2_grpc, inference_pb2_grpc, models_pb2_grpc, redaction_pb2_grpc

if TYPE_CHECKING:
    from finslm.audit import AuditLog
    from finslm.pipeline import Pipeline

_log = structlog.get_logger(__name__)

BACKSTOP_FACTOR: Final = 4
"""grpc refuses, without a reason, at this many times ``max_concurrent_rpcs``; the gate refuses before, with one."""

BACKSTOP_MARGIN: Final = 64
"""And never below this many, so that health checks get through to a small server."""


class Server:
    """Serves ``finslm.v1``, health and, where the settings say so, reflection.

    The order of a start is: :meth:`start` (the port is open, health says NOT_SERVING), load the
    engine, :meth:`ready`. The order of a stop is in :meth:`stop`.
    """

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        authenticator: Authenticator,
        audit_log: AuditLog,
        metrics: RpcMetrics,
    ) -> None:
        self._settings = settings.server
        self._health = Health()
        self._port = 0
        limit = settings.server.max_concurrent_rpcs
        self._server = grpc.aio.server(
            interceptors=[ErrorInterceptor(metrics)],
            options=_options(settings.server),
            maximum_concurrent_rpcs=limit * BACKSTOP_FACTOR + BACKSTOP_MARGIN,
        )
        gate = Gate(settings, pipeline, authenticator)
        inference_pb2_grpc.add_InferenceServiceServicer_to_server(InferenceServicer(gate, pipeline), self._server)
        redaction_pb2_grpc.add_RedactionServiceServicer_to_server(RedactionServicer(gate, pipeline), self._server)
        models_pb2_grpc.add_ModelServiceServicer_to_server(ModelServicer(gate, pipeline), self._server)
        audit_pb2_grpc.add_AuditServiceServicer_to_server(
            AuditServicer(gate, pipeline, audit_log, AuditReaders(settings.audit.readers)), self._server
        )
        feedback_pb2_grpc.add_FeedbackServiceServicer_to_server(FeedbackServicer(gate, pipeline), self._server)
        self._health.add_to(self._server)
        if settings.server.reflection:
            add_reflection(self._server)

    @property
    def port(self) -> int:
        """The port listened on; 0 before :meth:`start`."""
        return self._port

    async def start(self) -> None:
        """Open the port and write ``port_file``; health says NOT_SERVING.

        Raises:
            ConfigError: the address is taken or not this machine's, or a TLS file is not usable.
        """
        try:
            self._port = self._bind()
        except ConfigError:
            await self._server.stop(None)  # give back what grpc holds already
            raise
        await self._health.not_serving()
        await self._server.start()
        address = _address(self._settings.host, self._port)
        if self._settings.port_file is not None:
            _write_whole(self._settings.port_file, f"{address}\n")
        _log.info("listening", address=address)

    async def ready(self) -> None:
        """Say SERVING: the engine has loaded."""
        await self._health.serving()

    async def failed(self) -> None:
        """Say NOT_SERVING: a part has failed for good, and the platform should start a new process."""
        await self._health.not_serving()

    async def stop(self, grace_s: float | None = None) -> None:
        """Say NOT_SERVING, refuse new calls, let those in progress end for ``grace_s``, cancel the rest.

        Args:
            grace_s: seconds; ``server.grace_s`` when None.
        """
        await self._health.drain()
        await self._server.stop(self._settings.grace_s if grace_s is None else grace_s)
        if self._settings.port_file is not None:
            self._settings.port_file.unlink(missing_ok=True)

    async def wait_closed(self) -> None:
        """Return when the server has stopped."""
        await self._server.wait_for_termination()

    def _bind(self) -> int:
        address = _address(self._settings.host, self._settings.port)
        credentials = server_credentials(self._settings)
        try:
            if credentials is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, credentials)
        except RuntimeError:
            raise ConfigError(f"cannot listen on {address}: it is taken, or no address of this machine") from None


def _options(settings: ServerSettings) -> Sequence[tuple[str, Any]]:
    return (
        # Two processes on one port would share its calls in silence; a second one must fail instead.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
    )


def _address(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets: grpc reads ``::1:8080`` as another address, on port 443."""
    bare = ":" in host and not host.startswith(("[", "unix:"))
    return f"[{host}]:{port}" if bare else f"{host}:{port}"


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees nothing or everything."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)
