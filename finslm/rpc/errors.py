"""From an error of the tree to the status that the caller gets: one table, the nearest class wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from finslm import errors

DOMAIN: Final = "finslm"
"""``ErrorInfo.domain`` of every error of ours."""

INTERNAL_MESSAGE: Final = "internal error"

MAX_MESSAGE_CHARS: Final = 512
MAX_VIOLATIONS: Final = 16
"""Status details travel in HTTP/2 trailers, and peers cap those at 8 KiB by default."""

_Code = grpc.StatusCode

STATUS: Final[Mapping[type[errors.FinslmError], grpc.StatusCode]] = {
    errors.InvalidRequest: _Code.INVALID_ARGUMENT,
    errors.NotFound: _Code.NOT_FOUND,
    errors.Unauthenticated: _Code.UNAUTHENTICATED,
    errors.PermissionDenied: _Code.PERMISSION_DENIED,
    errors.QuotaExceeded: _Code.RESOURCE_EXHAUSTED,
    errors.Overloaded: _Code.RESOURCE_EXHAUSTED,
    errors.DeadlineExceeded: _Code.DEADLINE_EXCEEDED,
    errors.Unavailable: _Code.UNAVAILABLE,
    errors.KeyDestroyed: _Code.FAILED_PRECONDITION,
    errors.ValueNotReplaced: _Code.FAILED_PRECONDITION,
    errors.ResidualPII: _Code.FAILED_PRECONDITION,
    errors.ConsentMissing: _Code.FAILED_PRECONDITION,
    errors.FeedbackOff: _Code.FAILED_PRECONDITION,
    errors.FeedbackFull: _Code.RESOURCE_EXHAUSTED,
    errors.InvalidOutput: _Code.ABORTED,
    errors.AuditCorrupt: _Code.DATA_LOSS,
    errors.VaultTampered: _Code.DATA_LOSS,
    errors.ConfigError: _Code.INTERNAL,
}


def code_of(error: BaseException) -> grpc.StatusCode:
    """Return the status of ``error``: that of the nearest class in :data:`STATUS`, else INTERNAL."""
    return next((STATUS[c] for c in type(error).__mro__ if c in STATUS), _Code.INTERNAL)


def reason_of(error: BaseException) -> str:
    """Return the documented reason (``ErrorReason`` without its prefix)."""
    if code_of(error) is _Code.INTERNAL or not isinstance(error, errors.FinslmError):
        return errors.FinslmError.reason
    return getattr(error, "reason_override", None) or error.reason


def verdict_of(error: BaseException) -> tuple[str, str]:
    """Return status name and reason, as an audit record has them."""
    return code_of(error).name, reason_of(error)


def status_of(error: BaseException, request_id: str) -> Status:
    """Build the ``google.rpc.Status`` (AIP-193) that tells the caller of ``error``.

    Only errors of the tree speak for themselves; of anything else the caller learns the request id.
    """
    code = code_of(error)
    info = ErrorInfo(reason=reason_of(error), domain=DOMAIN, metadata={"request_id": request_id})
    if isinstance(error, errors.AuditCorrupt):
        info.metadata["index"] = str(error.index)
    message = INTERNAL_MESSAGE if code is _Code.INTERNAL else str(error)[:MAX_MESSAGE_CHARS]
    status = Status(code=code.value[0], message=message)
    for detail in (info, *_details(error)):
        status.details.add().Pack(detail)
    return status


def _details(error: BaseException) -> list[Message]:
    if isinstance(error, errors.InvalidRequest) and error.violations:
        return [_bad_request(error)]
    if isinstance(error, errors.QuotaExceeded | errors.Overloaded):
        delay = Duration()
        delay.FromMilliseconds(max(0, round(error.retry_after_s * 1000)))
        return [RetryInfo(retry_delay=delay)]
    return []


def _bad_request(error: errors.InvalidRequest) -> BadRequest:
    bad = BadRequest()
    for violation in error.violations[:MAX_VIOLATIONS]:
        bad.field_violations.add(field=violation.field, description=violation.description[:MAX_MESSAGE_CHARS])
    return bad
