"""(1) Does a request keep the rules of its message: unknown fields, protovalidate rules, text, limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import protovalidate
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from finslm.config import Settings
from finslm.errors import FieldViolation, InvalidRequest

_TEXTS: Final = ("text", "question", "document")
"""Fields whose text is looked at: it must not be blank, nor too long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that the operator sets, so no ``.proto`` can hold them."""

    max_text_chars: int
    max_new_tokens: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Take them from the settings."""
        return cls(settings.server.max_text_chars, settings.engine.max_new_tokens)


def check(request: Message, limits: Limits) -> None:
    """Refuse a request that breaks a documented rule.

    Raises:
        InvalidRequest: with reason UNKNOWN_FIELDS, INVALID_REQUEST, EMPTY_TEXT or TEXT_TOO_LONG. It
            names fields and rules, never a value.
    """
    _check_unknown_fields(request)
    if violations := [*_broken_rules(request), *_broken_limits(request, limits)]:
        fields = ", ".join(v.field or "the request" for v in violations)
        raise InvalidRequest(f"{len(violations)} broken rule(s) in: {fields}; see the field violations", *violations)
    for field in _TEXTS:
        if field in request.DESCRIPTOR.fields_by_name:
            _check_text(field, getattr(request, field), limits.max_text_chars)


def _check_unknown_fields(request: Message) -> None:
    unknown = sorted(set(_unknown_fields(request)))
    if unknown:
        violations = (FieldViolation(path, "this version of the API has no such field") for path in unknown)
        message = f"{len(unknown)} field(s) that this version of the API does not know: drop them or upgrade the server"
        raise InvalidRequest(message, *violations, reason="UNKNOWN_FIELDS")


def _unknown_fields(message: Message, prefix: str = "") -> Iterator[str]:
    unknown = UnknownFieldSet(message)
    yield from (f"{prefix}#{unknown[i].field_number}" for i in range(len(unknown)))
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for part in value if field.is_repeated else (value,):
            yield from _unknown_fields(part, f"{prefix}{field.name}.")


def _broken_rules(request: Message) -> Iterator[FieldViolation]:
    for violation in protovalidate.collect_violations(request):
        proto = violation.proto
        yield FieldViolation(_path(proto), proto.message or proto.rule_id or "breaks a rule")


def _path(violation: protovalidate.ViolationPb) -> str:
    if violation.field is None:
        return ""
    return ".".join(
        e.field_name + (f"[{e.subscript.value}]" if e.subscript is not None and e.subscript.field == "index" else "")
        for e in violation.field.elements
    )


def _broken_limits(request: Message, limits: Limits) -> Iterator[FieldViolation]:
    sampling = getattr(request, "sampling", None)
    if sampling is not None and sampling.max_tokens > limits.max_new_tokens:
        yield FieldViolation("sampling.max_tokens", f"must be less than or equal to {limits.max_new_tokens}")


def _check_text(field: str, text: str, limit: int) -> None:
    if len(text) > limit:
        rule = f"must be at most {limit} code points"
        message = f"{field} has {len(text)} code points, limit {limit}: send it in parts"
        raise InvalidRequest(message, FieldViolation(field, rule), reason="TEXT_TOO_LONG")
    if not text or text.isspace():
        rule = "must have at least one visible character"
        raise InvalidRequest(f"{field} {rule}", FieldViolation(field, rule), reason="EMPTY_TEXT")
