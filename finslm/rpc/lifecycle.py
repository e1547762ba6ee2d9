"""Health and reflection: what platforms ask of a gRPC server beside its own services.

Health follows the gRPC Health Checking Protocol: the empty name and each service by name are
NOT_SERVING until the engine has loaded, and NOT_SERVING again before the first call is refused on
the way down. Health is never counted against the limit of calls in progress, so a full server is
not a dead one.
"""

from __future__ import annotations

from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from finslm.v1 import audit_pb2, feedback_pb2, inference_pb2, models_pb2, redaction_pb2

SERVICES: Final = tuple(
    service.full_name
    for file in (audit_pb2, feedback_pb2, inference_pb2, models_pb2, redaction_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)
"""Full names of the services of ``finslm.v1``."""


class Health:
    """The health service of one server."""

    def __init__(self) -> None:
        self._servicer: Any = health.aio.HealthServicer()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register it with a server that has not started."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def not_serving(self) -> None:
        """Say of every service that it does not serve yet."""
        await self._set(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def serving(self) -> None:
        """Say of every service that it serves."""
        await self._set(health_pb2.HealthCheckResponse.SERVING)

    async def drain(self) -> None:
        """Say of every service that it does not serve, for good: later changes are ignored."""
        await self._servicer.enter_graceful_shutdown()

    async def _set(self, status: int) -> None:
        for name in ("", *SERVICES):
            await self._servicer.set(name, status)


def add_reflection(server: grpc.aio.Server) -> None:
    """Serve the descriptors of all services, for tools such as ``buf curl`` and grpcurl."""
    reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
