"""What the client raises: one class a gRPC status, filled from the ``google.rpc.Status`` details."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

DETAILS_KEY: Final = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A broken rule: the field's path in the request, and the rule."""

    field: str
    description: str


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class ClientError(Exception):
    """A call failed.

    Attributes:
        status: the gRPC status.
        reason: the documented reason (``ErrorReason`` without its prefix); empty when the error is
            not the service's own, for example when no server was reached.
        field_violations: broken rules of an invalid request.
        retry_after_s: seconds after which another try is worth it; None when the server said nothing.
        request_id: id of the call, for the platform team and the audit log.
    """

    def __init__(
        self,
        message: str,
        *,
        status: grpc.StatusCode,
        reason: str = "",
        field_violations: tuple[FieldViolation, ...] = (),
        retry_after_s: float | None = None,
        request_id: str = "",
    ) -> None:
        said = f"{status.name}{f' ({reason})' if reason else ''}: {message}"
        # An id that is none was the caller's own word: messages end up in logs.
        super().__init__(f"{said} [request {request_id}]" if _ID.fullmatch(request_id) else said)
        self.status = status
        self.reason = reason
        self.field_violations = field_violations
        self.retry_after_s = retry_after_s
        self.request_id = request_id


class InvalidArgumentError(ClientError):
    """INVALID_ARGUMENT: the request breaks a rule."""


class NotFoundError(ClientError):
    """NOT_FOUND: the task, model, adapter, record or session does not exist."""


class UnauthenticatedError(ClientError):
    """UNAUTHENTICATED: no token, or a wrong one."""


class PermissionDeniedError(ClientError):
    """PERMISSION_DENIED: this caller may not do this."""


class ResourceExhaustedError(ClientError):
    """RESOURCE_EXHAUSTED: quota used up, server full, or message too large."""


class DeadlineExceededError(ClientError):
    """DEADLINE_EXCEEDED: the call took longer than its timeout."""


class UnavailableError(ClientError):
    """UNAVAILABLE: no server reached, or a part of it cannot work now; retries were in vain."""


class FailedPreconditionError(ClientError):
    """FAILED_PRECONDITION: personal data was left after redaction, so nothing was answered."""


class AbortedError(ClientError):
    """ABORTED: the model's answer did not match the schema; another try may."""


class CancelledError(ClientError):
    """CANCELLED: the call was cancelled."""


class DataLossError(ClientError):
    """DATA_LOSS: the audit log does not match its own hashes."""


class InternalError(ClientError):
    """INTERNAL: a fault of the server."""


_CLASSES: Final[Mapping[grpc.StatusCode, type[ClientError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
    grpc.StatusCode.ABORTED: AbortedError,
    grpc.StatusCode.CANCELLED: CancelledError,
    grpc.StatusCode.DATA_LOSS: DataLossError,
    grpc.StatusCode.INTERNAL: InternalError,
}


def error_of(failed: Any, request_id: str) -> ClientError:
    """Make the error of a failed call (``grpc.RpcError`` with the call's status and metadata)."""
    code: grpc.StatusCode = failed.code()
    trailing = dict(failed.trailing_metadata() or ())
    fields: dict[str, Any] = {"request_id": request_id}
    for detail in Status.FromString(trailing.get(DETAILS_KEY, b"")).details:
        fields |= _fields_of(detail)
    return _CLASSES.get(code, ClientError)(failed.details() or "no details", status=code, **fields)


def _fields_of(detail: Any) -> dict[str, Any]:
    info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
    if detail.Unpack(info):
        return {"reason": info.reason, "request_id": info.metadata["request_id"]}
    if detail.Unpack(bad):
        return {"field_violations": tuple(FieldViolation(v.field, v.description) for v in bad.field_violations)}
    if detail.Unpack(retry):
        return {"retry_after_s": retry.retry_delay.ToTimedelta().total_seconds()}
    return {}
