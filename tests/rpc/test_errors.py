"""The table from error to status has no gaps, and what it says is documented."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

from finslm import errors
from finslm.errors import FieldViolation, FinslmError
from finslm.rpc.errors import INTERNAL_MESSAGE, STATUS, code_of, reason_of, status_of
from finslm.v1 import common_pb2

DOCUMENTED = {name.removeprefix("ERROR_REASON_") for name in common_pb2.ErrorReason.keys()}
NOT_IN_TREE = {
    "UNSPECIFIED",
    "MALFORMED_MESSAGE",
    "UNKNOWN_FIELDS",
    "EMPTY_TEXT",
    "TEXT_TOO_LONG",
    "WRONG_TASK_KIND",
    "UNKNOWN_PLACEHOLDER",
    "LABELS_MISSING",
    "LABELS_NOT_TAKEN",
    "LABELS_HOLD_PERSONAL_DATA",
    "BAD_GRAMMAR",
    "GRAMMAR_HOLDS_PERSONAL_DATA",
    "UNKNOWN_LABEL",
}
"""Reasons that a part gives an InvalidRequest, so no class has them."""


def subclasses(cls: type[FinslmError]) -> Iterator[type[FinslmError]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def make(cls: type[FinslmError], message: str) -> FinslmError:
    if cls in (errors.QuotaExceeded, errors.Overloaded):
        return cls(message, retry_after_s=1.5)
    if cls is errors.AuditCorrupt:
        return cls(message, index=41)
    return cls(message)


TREE = sorted(set(subclasses(FinslmError)), key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
class TestEveryClass:
    def test_is_covered_by_the_table_itself_not_by_the_last_resort(self, cls: type[FinslmError]) -> None:
        assert any(base in STATUS for base in cls.__mro__)

    def test_has_a_documented_reason(self, cls: type[FinslmError]) -> None:
        assert reason_of(make(cls, "m")) in DOCUMENTED

    def test_says_reason_domain_and_request_id(self, cls: type[FinslmError]) -> None:
        status, info = status_of(make(cls, "m"), "the-id"), ErrorInfo()
        assert status.details[0].Unpack(info)
        assert (info.domain, info.metadata["request_id"]) == ("finslm", "the-id")
        assert info.reason == (cls.reason if code_of(make(cls, "m")) is not grpc.StatusCode.INTERNAL else "INTERNAL")


def test_every_documented_reason_exists() -> None:
    """The enum in common.proto promises nothing that cannot be sent."""
    assert DOCUMENTED == {cls.reason for cls in TREE if cls is not errors.ConfigError} | {"INTERNAL"} | NOT_IN_TREE


def test_a_new_subclass_takes_the_status_of_the_nearest_class() -> None:
    class Odd(errors.DeadlineTooShort):
        pass

    assert code_of(Odd("m")) is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("error", [ValueError("4111"), errors.ConfigError("4111"), FinslmError("4111")])
def test_what_is_not_for_the_wire_says_internal_error_only(error: Exception) -> None:
    status = status_of(error, "id")
    assert (status.code, status.message) == (13, INTERNAL_MESSAGE)
    assert b"4111" not in status.SerializeToString()


def test_field_violations_travel_as_bad_request_and_stay_below_the_trailer_limit() -> None:
    violations = [FieldViolation(f"field{i}", "x" * 1000) for i in range(50)]
    status, bad = status_of(errors.InvalidRequest("m" * 5000, *violations), "id"), BadRequest()
    assert status.details[1].Unpack(bad)
    assert bad.field_violations[0].field == "field0"
    assert len(bad.field_violations) == 16
    short = status_of(errors.InvalidRequest("m", *(FieldViolation("a.b", "must be 1") for _ in range(50))), "id")
    assert short.ByteSize() < 8192


@pytest.mark.parametrize("cls", [errors.QuotaExceeded, errors.Overloaded])
def test_retry_after_travels_as_retry_info(cls: type[FinslmError]) -> None:
    status, retry = status_of(make(cls, "m"), "id"), RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1500


def test_audit_corrupt_names_the_record() -> None:
    info = ErrorInfo()
    assert status_of(errors.AuditCorrupt("m", index=41), "id").details[0].Unpack(info)
    assert info.metadata["index"] == "41"
