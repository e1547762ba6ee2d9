"""One audit record: its fields, their rules and its canonical bytes.

Every string field has a pattern without spaces or is one of a fixed set, so free text cannot enter a
record, whatever the caller of this module does. The canonical bytes (RFC 8785) are what is hashed.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, final

import rfc8785

from finslm.types import FinishReason

VERSION: Final = 1
"""Version of the record schema."""

MAX_RECORD_BYTES: Final = 16_384
"""Longest canonical form, bytes. Far below the 64 KiB of a C2SP tlog-tiles entry."""

MAX_INT: Final = 2**53 - 1
"""Largest integer that RFC 8785 (I-JSON, RFC 7493) carries without loss."""

MAX_ENTRIES: Final = 128
"""Most keys of one of the count maps and of ``details``."""

STATUSES: Final = frozenset(
    {
        *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
        *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE"),
        *("UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
    }
)
"""The gRPC status names (google.rpc.Code)."""


class Kind(enum.StrEnum):
    """What a record tells."""

    INTENT = "INTENT"
    """A call was admitted; durable before any work on it."""
    OUTCOME = "OUTCOME"
    """How a call ended; durable before its reply."""
    EVENT = "EVENT"
    """Something the operator did or the process went through, e.g. ``SERVER_STARTED``."""


_NO_COUNTS: Final[Mapping[str, int]] = MappingProxyType({})
_NO_DETAILS: Final[Mapping[str, str]] = MappingProxyType({})


@final
@dataclass(frozen=True, slots=True)
class Record:
    """What happened, without a word of what was said.

    Fields at their default are left out of the canonical form. ``time`` is empty until the log
    stamps it. ``principal``, ``tenant``, ``task`` and the names must be the operator's words
    (known principals, known tasks), never an identifier that the caller made up.

    Raises:
        ValueError: a field breaks its rule. The message names the field and never its value.
    """

    kind: Kind
    time: str = ""
    """RFC 3339, UTC, microseconds: ``2026-01-31T23:59:59.000001Z``. Set by the log."""
    request_id: str = ""
    """UUID of the call."""
    principal: str = ""
    tenant: str = ""
    method: str = ""
    """``InferenceService/Generate``."""
    task: str = ""
    model_name: str = ""
    model_digest: str = ""
    adapter_name: str = ""
    adapter_digest: str = ""
    policy_digest: str = ""
    redactor_digest: str = ""
    entity_counts: Mapping[str, int] = field(default_factory=lambda: _NO_COUNTS)
    """Pieces found, by type."""
    action_counts: Mapping[str, int] = field(default_factory=lambda: _NO_COUNTS)
    """Pieces replaced, by what was done with them."""
    answer_counts: Mapping[str, int] = field(default_factory=lambda: _NO_COUNTS)
    """Findings of the guard in the answer, by ``KIND.TYPE.ACTION``: ``leaks.IBAN_CODE.refuse``."""
    input_chars: int | None = None
    output_chars: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    duration_ms: int | None = None
    """From decoding the request to this record, milliseconds."""
    status: str = ""
    """gRPC status name."""
    reason: str = ""
    """``ErrorInfo.reason`` when the status is not OK."""
    finish_reason: str = ""
    abstained: bool | None = None
    """Of an OUTCOME: nothing was answered, since it was not found; False: it was. None where nobody asks so."""
    intent_index: int | None = None
    """Of an OUTCOME: index of its INTENT. None when the call was refused before one was written."""
    event: str = ""
    details: Mapping[str, str] = field(default_factory=lambda: _NO_DETAILS)
    """Of an EVENT: short facts from the operator's side (a version, a count, a digest)."""
    version: int = VERSION

    def __post_init__(self) -> None:
        for name, rule in _RULES.items():
            if not rule(getattr(self, name)):
                raise ValueError(f"audit record: field {name} breaks its rule; see docs/audit-log.md")
        for name in _MAPS:  # own the maps: a frozen record must not change through its caller's dict
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        _check_kind(self)

    def canonical(self) -> bytes:
        """Canonical JSON of this record (RFC 8785), UTF-8; the leaf that is hashed.

        Raises:
            ValueError: longer than :data:`MAX_RECORD_BYTES`.
        """
        data = rfc8785.dumps(_to_json(self))
        if len(data) > MAX_RECORD_BYTES:
            raise ValueError(f"audit record: {len(data)} bytes, limit {MAX_RECORD_BYTES}; send fewer counts")
        return data


def parse(data: bytes) -> Record:
    """Read the canonical form back; ``parse(r.canonical()) == r`` and nothing else is accepted.

    Raises:
        ValueError: not JSON, an unknown field, a broken rule, or not the canonical form.
    """
    if len(data) > MAX_RECORD_BYTES:
        raise ValueError(f"audit record: {len(data)} bytes, limit {MAX_RECORD_BYTES}")
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("audit record: not JSON") from None
    if not isinstance(tree, dict) or not tree.keys() <= _FIELDS or not _is_kind(tree.get("kind")):
        raise ValueError("audit record: not an object of known fields and kind")
    record = Record(**(tree | {"kind": Kind(tree["kind"])}))
    if record.canonical() != data:
        raise ValueError("audit record: not in canonical form")
    return record


def utc_stamp(moment: datetime) -> str:
    """``moment`` as the records write it. ``moment`` must be aware."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _to_json(record: Record) -> dict[str, str | int | dict[str, str | int]]:
    tree: dict[str, str | int | dict[str, str | int]] = {}
    for name in _FIELDS:
        value = getattr(record, name)
        if name in _MAPS:
            value = dict(value)
        if value is not None and value != "" and value != {}:
            tree[name] = value
    return tree


def _check_kind(record: Record) -> None:
    """The fields that a kind must and must not carry."""
    is_event = record.kind is Kind.EVENT
    call = bool(record.request_id and record.method)
    if is_event != bool(record.event) or (not is_event and (not call or record.details)):
        raise ValueError(f"audit record: {record.kind} carries event and details, or request_id and method: not both")
    if (record.kind is Kind.OUTCOME) != bool(record.status):
        raise ValueError("audit record: status belongs to an OUTCOME, and only there")
    ended = {"intent_index": record.intent_index, "abstained": record.abstained}
    if record.kind is not Kind.OUTCOME and (wrong := [name for name, value in ended.items() if value is not None]):
        raise ValueError(f"audit record: {wrong[0]} belongs to an OUTCOME")


def _text(pattern: str) -> Callable[[object], bool]:
    """Empty, or the whole string matches."""
    matches = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: isinstance(value, str) and (value == "" or matches(value) is not None)


def _one_of(known: frozenset[str]) -> Callable[[object], bool]:
    """Empty, or one of these."""
    return lambda value: isinstance(value, str) and (value == "" or value in known)


def _is_kind(value: object) -> bool:
    return isinstance(value, str) and value in frozenset(Kind)


def _is_time(value: object) -> bool:
    if not _TIME_FORM(value):
        return False
    try:
        return value == "" or datetime.fromisoformat(str(value)) is not None
    except ValueError:
        return False


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_INT  # bool is an int to isinstance


def _is_count_or_none(value: object) -> bool:
    return value is None or _is_count(value)


def _map_of(key: str, is_value: Callable[[object], bool]) -> Callable[[object], bool]:
    is_key = re.compile(key, re.ASCII).fullmatch

    def rule(value: object) -> bool:
        if not isinstance(value, Mapping) or len(value) > MAX_ENTRIES:
            return False
        return all(isinstance(k, str) and is_key(k) is not None and is_value(v) for k, v in value.items())

    return rule


_TIME_FORM = _text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_NAME = _text(r"[a-z0-9][a-z0-9._-]{0,63}")
_DIGEST = _text(r"[0-9a-f]{64}")
_UPPER_SNAKE = _text(r"[A-Z][A-Z0-9_]{0,63}")
_RULES: Final[dict[str, Callable[[object], bool]]] = {
    "kind": lambda value: isinstance(value, Kind),
    "time": _is_time,
    "request_id": _text(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "principal": _NAME,
    "tenant": _NAME,
    "method": _text(r"[A-Z][A-Za-z0-9]{0,63}/[A-Z][A-Za-z0-9]{0,63}"),
    "task": _NAME,
    "model_name": _NAME,
    "model_digest": _DIGEST,
    "adapter_name": _NAME,
    "adapter_digest": _DIGEST,
    "policy_digest": _DIGEST,
    "redactor_digest": _DIGEST,
    "entity_counts": _map_of(r"[A-Z][A-Z0-9_]{0,63}", _is_count),
    "action_counts": _map_of(r"[A-Za-z][A-Za-z0-9_]{0,31}", _is_count),
    "answer_counts": _map_of(r"[a-z]{1,16}\.[A-Z][A-Z0-9_]{0,63}\.[a-z]{1,16}", _is_count),
    "input_chars": _is_count_or_none,
    "output_chars": _is_count_or_none,
    "prompt_tokens": _is_count_or_none,
    "completion_tokens": _is_count_or_none,
    "duration_ms": _is_count_or_none,
    "status": _one_of(STATUSES),
    "reason": _UPPER_SNAKE,
    "finish_reason": _one_of(frozenset(FinishReason)),
    "abstained": lambda value: value is None or type(value) is bool,
    "intent_index": _is_count_or_none,
    "event": _UPPER_SNAKE,
    "details": _map_of(r"[a-z][a-z0-9_]{0,31}", _text(r"[A-Za-z0-9._:/+@=-]{1,128}")),
    "version": lambda value: type(value) is int and value == VERSION,
}
_MAPS: Final = ("entity_counts", "action_counts", "answer_counts", "details")
_FIELDS: Final = frozenset(f.name for f in fields(Record))
