"""The compliance report as data. Its JSON is the report; the page is a view of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

REPORT_VERSION = 1
"""Version of this schema."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """Which log this is drawn from, and with what."""

    origin: str
    public_key: str
    """C2SP vkey that the checkpoint was verified with."""
    tool: str
    tool_version: str


class Query(_Part):
    """What was selected, in words that can be done by hand, and the SHA-256 of those words."""

    text: str
    sha256: str


class Tree(_Part):
    """The log at a moment: its size in records and its root hash (RFC 9162), hex."""

    size: int
    root_hash: str


class Check(_Part):
    """One test of completeness or integrity, with what was wanted and what was got."""

    name: str
    passed: bool
    detail: str


class Evidence(_Part):
    """What makes the figures believable to somebody who does not believe us."""

    tree_at_start: Tree
    tree_at_end: Tree
    tree_now: Tree
    consistency_start_to_end: tuple[str, ...]
    consistency_end_to_now: tuple[str, ...]
    """RFC 9162 consistency proofs, hex; empty where they are trivial (from 0, or between equal sizes)."""
    checkpoint_size: int
    checkpoint_root_hash: str
    first_index: int | None
    last_index: int | None
    records_expected: int
    """Tree size at the end less tree size at the start."""
    records_counted: int
    """Records whose time lies in the period."""
    records_by_kind: Mapping[str, int]
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


class Tally(_Part):
    """Calls of one group, by how they ended."""

    name: str
    calls: int = 0
    answered: int = 0
    refused: int = 0
    failed: int = 0


class Calls(_Part):
    """Calls that ended in the period: one for each OUTCOME record."""

    total: Tally
    blocked_answers: int
    """Among those answered: the answer was judged unsafe and withheld."""
    prompt_tokens: int
    completion_tokens: int
    input_chars: int
    output_chars: int
    duration_ms_p50: int | None
    duration_ms_p95: int | None
    duration_ms_max: int | None
    over_time: tuple[Tally, ...]
    """By hour, day, month or year; ``name`` is the beginning of its RFC 3339 time."""
    by_principal: tuple[Tally, ...]
    by_method: tuple[Tally, ...]
    by_task: tuple[Tally, ...]
    by_status: Mapping[str, int]


class Entities(_Part):
    """Pieces of personal or confidential data that were found in the calls of the period."""

    total: int
    calls_with_any: int
    by_type: Mapping[str, int]
    by_action: Mapping[str, int]


class InForce(_Part):
    """A model, adapter, policy or redactor, and from when to when records of the period name it."""

    kind: Literal["model", "adapter", "policy", "redactor"]
    name: str
    digest: str
    first_index: int
    first_time: str
    last_index: int
    last_time: str
    records: int


class Refusal(_Part):
    """Calls that were not answered, by why."""

    status: str
    reason: str
    calls: int


class Event(_Part):
    """Something the operator did or the process went through."""

    index: int
    time: str
    event: str
    details: Mapping[str, str]


class Deviation(_Part):
    """A record that somebody must explain."""

    kind: Literal["NO_OUTCOME", "OUTCOME_WITHOUT_INTENT", "TIME_OUT_OF_ORDER"]
    index: int
    time: str
    request_id: str
    principal: str
    method: str


class Report(_Part):
    """The whole report. Same log and same arguments give the same bytes."""

    report_version: int = REPORT_VERSION
    source: Source
    period_from: str
    period_to: str
    """Exclusive. Both RFC 3339 in UTC."""
    generated_at: str
    generated_by: str
    query: Query
    evidence: Evidence
    calls: Calls
    entities: Entities
    in_force: tuple[InForce, ...]
    refusals: tuple[Refusal, ...]
    events: tuple[Event, ...]
    deviations: tuple[Deviation, ...]

    def to_json(self) -> str:
        """The report as JSON, two spaces indented, with a final newline."""
        return self.model_dump_json(indent=2) + "\n"
