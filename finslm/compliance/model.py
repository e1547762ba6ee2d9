"""The compliance report as data. Its JSON is the report; the page is a view of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

REPORT_VERSION = 2
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
    system: str = ""
    """The bank's name for what the log is of; empty when it was not given."""
    environment: str = ""
    log_begins: str | None = None
    """Time of the oldest record that is in the log."""


class Query(_Part):
    """What was selected, in words that can be done by hand, and the SHA-256 of those words."""

    text: str
    sha256: str
    tenant: str = ""
    """The tenant that the body is of; empty: all."""
    standards: tuple[str, ...] = ()
    """Ids of the standards whose control tables are drawn."""


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
    records_pruned: int = 0
    """Records of the period that are gone, and that a RETENTION_PRUNED event accounts for."""
    records_of_tenant: int | None = None
    """Among them, those of the query's tenant; None when the report is of all tenants."""
    records_of_service: int | None = None
    """Among them, events that belong to no tenant (starts, keys, clock); None when the report is of all."""
    records_by_kind: Mapping[str, int]
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


class Cosignature(_Part):
    """That a witness saw the tree at a time and found it consistent with all it had seen before."""

    name: str
    time: str
    """RFC 3339, UTC."""


class Witnesses(_Part):
    """Cosignatures of the checkpoint. ``policy`` is empty when no witness policy was given."""

    policy: str = ""
    """SHA-256 of the witness policy that was applied."""
    quorum: bool = False
    cosigned_size: int | None = None
    """Records of the checkpoint that was cosigned; None when there is none."""
    cosignatures: tuple[Cosignature, ...] = ()


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
    by_tenant: tuple[Tally, ...]
    by_method: tuple[Tally, ...]
    by_task: tuple[Tally, ...]
    by_status: Mapping[str, int]
    with_principal: int
    """Calls whose caller proved who it is."""
    with_redactor: int
    """Answered calls that name the redactor and the policy in force."""


class Entities(_Part):
    """Pieces of personal or confidential data that were found in the calls of the period."""

    total: int
    calls_with_any: int
    by_type: Mapping[str, int]
    by_action: Mapping[str, int]
    in_answers: Mapping[str, int]
    """What the guard found in answers, by ``kind.TYPE.action``."""


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


class Denial(_Part):
    """Calls that were denied since the caller may not, or did not prove who it is."""

    principal: str
    method: str
    status: str
    calls: int


class Incident(_Part):
    """Something failed and the service gave no answer, or the process ended without saying so."""

    kind: str
    """The reason of the calls, ``RESTART_WITHOUT_STOP``, or the event."""
    count: int
    first_index: int
    first_time: str
    last_index: int
    last_time: str


class Event(_Part):
    """Something the operator did or the process went through."""

    index: int
    time: str
    event: str
    details: Mapping[str, str]
    tenant: str = ""


class Clock(_Part):
    """What CLOCK_CHECKED events say: how far the machine's clock was from its reference."""

    checks: int = 0
    unsynchronised: int = 0
    unreadable: int = 0
    """Events whose figures are not numbers."""
    largest_offset_us: int | None = None
    """The largest absolute offset, microseconds."""
    largest_error_us: int | None = None
    last_time: str | None = None


class Egress(_Part):
    """What EGRESS_CHECKED events say: whether the service could reach anything outside."""

    by_result: Mapping[str, int] = {}
    last_result: str | None = None
    last_time: str | None = None


class Retention(_Part):
    """What was pruned in the period, and which legal holds were in force at its end."""

    prunings: int = 0
    records_pruned: int = 0
    holds: tuple[str, ...] = ()
    """Ids; set at any time before the end of the period and not lifted by then."""


class Deviation(_Part):
    """A record that somebody must explain."""

    kind: Literal["NO_OUTCOME", "OUTCOME_WITHOUT_INTENT", "TIME_OUT_OF_ORDER"]
    index: int
    time: str
    request_id: str
    principal: str
    method: str


Status = Literal["evidenced", "partly", "not evidenced", "the bank's own"]


class Control(_Part):
    """What one rule asks, what of it this report evidences, and what the bank must do itself."""

    id: str
    asks: str
    status: Status
    found: str
    """The figures that the status was computed from."""
    section: str
    """Id of the section that has them; empty for what is the bank's own."""
    bank: str


class Standard(_Part):
    """The control table of one standard."""

    id: str
    name: str
    note: str
    controls: tuple[Control, ...]


class Report(_Part):
    """The whole report. Same log and same arguments give the same bytes."""

    report_version: int = REPORT_VERSION
    report_id: str
    """From the query, the trees and all arguments; two reports with one id are the same report."""
    source: Source
    period_from: str
    period_to: str
    """Exclusive. Both RFC 3339 in UTC."""
    generated_at: str
    generated_by: str
    query: Query
    evidence: Evidence
    witnesses: Witnesses
    calls: Calls
    entities: Entities
    in_force: tuple[InForce, ...]
    refusals: tuple[Refusal, ...]
    denials: tuple[Denial, ...]
    incidents: tuple[Incident, ...]
    clock: Clock
    egress: Egress
    retention: Retention
    events_by_name: Mapping[str, int]
    events: tuple[Event, ...]
    """In the order of the log, at most 1,000 of a name; CLOCK_CHECKED and EGRESS_CHECKED are only summed up."""
    deviations: tuple[Deviation, ...]
    """The first 1,000 of each kind."""
    deviations_by_kind: Mapping[str, int]
    standards: tuple[Standard, ...]

    def to_json(self) -> str:
        """The report as JSON, two spaces indented, with a final newline."""
        return self.model_dump_json(indent=2) + "\n"
