"""One audit record: its fields, their rules and its canonical bytes.

Every string field has a pattern without spaces or is one of a fixed set, so free text cannot enter a
record, whatever the caller of this module does. The canonical bytes (RFC 8785) are what is hashed.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, final

from finslm.audit import schema
from finslm.audit.schema import MAX_INT, Choice, Constant, Count, Flag, Table, Text
from finslm.types import FinishReason

VERSION: Final = 1
"""Version of the record schema."""

MAX_RECORD_BYTES: Final = 16_384
"""Longest canonical form, bytes. Far below the 64 KiB of a C2SP tlog-tiles entry."""

STATUSES: Final = frozenset(
    {
        *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
        *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE"),
        *("UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
    }
)
"""The gRPC status names (google.rpc.Code)."""


_encoder: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_decode: Final = json.JSONDecoder().decode


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
@dataclass(frozen=True)
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
    subjects: str = ""
    """Of an OUTCOME: commitment to the data subjects that the call was about (:mod:`finslm.audit.subjects`), or
    empty."""
    event: str = ""
    details: Mapping[str, str] = field(default_factory=lambda: _NO_DETAILS)
    """Of an EVENT: short facts from the operator's side (a version, a count, a digest)."""
    version: int = VERSION

    def __post_init__(self) -> None:
        if not isinstance(self.kind, Kind):
            raise ValueError("audit record: field kind breaks its rule; see docs/audit-log.md")  # noqa: TRY004 - as all
        given = {name: value for name, value in self.__dict__.items() if value is not _ABSENT.get(name)}
        for name, value in given.items():
            if not FIELDS[name].allows(value):
                raise ValueError(f"audit record: field {name} breaks its rule; see docs/audit-log.md")
        if self.time and not _is_time(self.time):
            raise ValueError("audit record: field time is no moment of the calendar")
        for name in _MAPS:  # own the maps: a frozen record must not change through its caller's dict
            if name in given:
                object.__setattr__(self, name, MappingProxyType(dict(given[name])))
        _check_kind(self)

    @property
    def may_be_long(self) -> bool:
        """Whether it could be longer than :data:`MAX_RECORD_BYTES`: no other field than the tables can make it so."""
        return sum(len(getattr(self, name)) for name in _MAPS) > _SHORT_ENTRIES

    def canonical(self, time: str | None = None) -> bytes:
        """Canonical JSON of this record (RFC 8785), UTF-8; the leaf that is hashed.

        Args:
            time: stands for the record's own, in the form of :func:`utc_stamp`.

        Raises:
            ValueError: longer than :data:`MAX_RECORD_BYTES`.
        """
        tree = _to_json(self)
        if time is not None:
            tree["time"] = time
        data = _encode(tree)
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
    if not _GRAMMAR.fullmatch(data):
        raise ValueError("audit record: not an object of known fields that follow their rules")
    tree = _decode(data.decode())
    if not _is_canonical(tree, data):
        raise ValueError("audit record: not in canonical form")
    return _known_good(tree)


def _is_canonical(tree: dict[str, Any], data: bytes) -> bool:
    """Whether encoding ``tree`` gives ``data``, which matched the grammar.

    The grammar leaves open only whether the names in a table are in order and there once.
    """
    tables = [tree[name] for name in _MAPS if name in tree]
    ordered = all(list(table) == sorted(table) for table in tables)
    if ordered and data.count(b'":') == len(tree) + sum(map(len, tables)):
        return True
    return _encode(tree) == data  # a value that begins with a colon, or a name twice


def _known_good(tree: dict[str, Any]) -> Record:
    """The record of a tree that matched the grammar: what no pattern says is checked here, and nothing twice.

    An audit of a million records reads them all: making each through ``__init__`` would take three times as long.
    """
    tables = [tree[name] for name in _MAPS if name in tree]
    counts = [tree[name] for name in _COUNTS if name in tree]
    counts += [value for table in tables for value in table.values() if type(value) is int]
    if counts and max(counts) > MAX_INT:
        raise ValueError("audit record: a number is too large")
    if "time" in tree and not _is_time(tree["time"]):
        raise ValueError("audit record: field time is no moment of the calendar")
    if "kind" not in tree:
        raise ValueError("audit record: no kind")
    record = object.__new__(Record)
    record.__dict__.update(_ABSENT)
    record.__dict__.update(tree)
    record.__dict__["kind"] = _KINDS[tree["kind"]]
    for name in _MAPS:
        if name in tree:
            record.__dict__[name] = MappingProxyType(tree[name])
    _check_kind(record)
    return record


def utc_stamp(moment: datetime) -> str:
    """``moment`` as the records write it. ``moment`` must be aware."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a record's JSON; ``finslm audit schema`` prints it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "finslm audit record",
        "type": "object",
        "required": ["kind", "version"],
        "properties": {name: kind.json_schema() for name, kind in sorted(FIELDS.items())},
        "additionalProperties": False,
    }


def _encode(tree: Mapping[str, Any]) -> bytes:
    """RFC 8785 for what records have: ASCII names and strings without escapes, whole numbers, no fractions."""
    return _encoder.encode(tree).encode()


def _to_json(record: Record) -> dict[str, Any]:
    tree = {name: value for name, value in record.__dict__.items() if value is not None and value != ""}
    for name in _MAPS:
        if tree[name]:
            tree[name] = dict(tree[name])
        else:
            del tree[name]
    return tree


def _check_kind(record: Record) -> None:
    """The fields that a kind must and must not carry."""
    is_event = record.kind is Kind.EVENT
    call = bool(record.request_id and record.method)
    if is_event != bool(record.event) or (not is_event and (not call or record.details)):
        raise ValueError(f"audit record: {record.kind} carries event and details, or request_id and method: not both")
    if (record.kind is Kind.OUTCOME) != bool(record.status):
        raise ValueError("audit record: status belongs to an OUTCOME, and only there")
    if record.kind is not Kind.OUTCOME:
        for name in _OF_OUTCOMES:
            if getattr(record, name) not in (None, ""):
                raise ValueError(f"audit record: {name} belongs to an OUTCOME")


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value) is not None
    except ValueError:
        return False


_NAME = Text(r"[a-z0-9][a-z0-9._-]{0,63}")
_DIGEST = Text(r"[0-9a-f]{64}")
_UPPER_SNAKE = Text(r"[A-Z][A-Z0-9_]{0,63}")
FIELDS: Final[Mapping[str, schema.Kind]] = {
    "kind": Choice(Kind),
    "time": Text(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d\.\d{6}Z"),
    "request_id": Text(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "principal": _NAME,
    "tenant": _NAME,
    "method": Text(r"[A-Z][A-Za-z0-9]{0,63}/[A-Z][A-Za-z0-9]{0,63}"),
    "task": _NAME,
    "model_name": _NAME,
    "model_digest": _DIGEST,
    "adapter_name": _NAME,
    "adapter_digest": _DIGEST,
    "policy_digest": _DIGEST,
    "redactor_digest": _DIGEST,
    "entity_counts": Table(r"[A-Z][A-Z0-9_]{0,63}"),
    "action_counts": Table(r"[A-Za-z][A-Za-z0-9_]{0,31}"),
    "answer_counts": Table(r"[a-z]{1,16}\.[A-Z][A-Z0-9_]{0,63}\.[a-z]{1,16}"),
    "input_chars": Count(),
    "output_chars": Count(),
    "prompt_tokens": Count(),
    "completion_tokens": Count(),
    "duration_ms": Count(),
    "status": Choice(STATUSES),
    "reason": _UPPER_SNAKE,
    "finish_reason": Choice(FinishReason),
    "abstained": Flag(),
    "intent_index": Count(),
    "subjects": _DIGEST,
    "event": _UPPER_SNAKE,
    "details": Table(r"[a-z][a-z0-9_]{0,31}", Text(r"[A-Za-z0-9._:/+@=-]{1,128}")),
    "version": Constant(VERSION),
}
"""The rule of each field of :class:`Record`."""

_MAPS: Final = ("entity_counts", "action_counts", "answer_counts", "details")
_SHORT_ENTRIES: Final = 60
"""Entries of tables, of at most 166 bytes each, that fit beside the 4 KiB of all other fields."""
_COUNTS: Final = tuple(name for name, kind in FIELDS.items() if isinstance(kind, Count))
_OF_OUTCOMES: Final = ("intent_index", "abstained", "subjects")
_KINDS: Final = {kind.value: kind for kind in Kind}
_GRAMMAR: Final = schema.object_grammar(FIELDS, frozenset({"version"}))
_ABSENT: Final[Mapping[str, Any]] = {
    f.name: f.default_factory() if callable(f.default_factory) else f.default
    for f in fields(Record)
    if f.name != "kind"
}
