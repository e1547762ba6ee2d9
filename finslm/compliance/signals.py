"""What this log can be asked for the controls tables: each signal is a status and the figure it was computed from.

A signal says what stands in the log, never that a rule is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Literal, final

from finslm.compliance.gather import Gathered
from finslm.compliance.happenings import EGRESS_PASSED, RESTART
from finslm.compliance.model import Calls, Entities, Evidence, InForce, Witnesses
from finslm.compliance.tallies import in_force

Holds = Literal["yes", "partly", "no"]
CHANGES: Final = ("POLICY_CHANGED", "MODEL_PROMOTED", "MODEL_RETIRED", "ADAPTER_CHANGED", "MODEL_STAGES_RESET")
ERASURES: Final = ("VAULT_ERASED", "VAULT_EXPIRED", "SUBJECT_ERASED", "FEEDBACK_ERASED", "FEEDBACK_EXPIRED")
KEY_EVENTS: Final = ("KEY_ROTATED", "VAULT_REWRAPPED")
LOG_ACCESS: Final = ("REPORT_DRAWN", "LOG_EXPORTED", "LOG_SEARCHED", "SUBJECT_SEARCHED")
RETENTION_EVENTS: Final = ("RETENTION_PRUNED", "HOLD_SET", "HOLD_LIFTED")


@final
@dataclass(frozen=True, slots=True)
class Found:
    """How far a signal holds, and the figure."""

    holds: Holds
    figure: str


@final
@dataclass(frozen=True, slots=True)
class Basis:
    """What signals are computed from."""

    gathered: Gathered
    evidence: Evidence
    calls: Calls
    entities: Entities
    witnesses: Witnesses

    @property
    def in_force(self) -> tuple[InForce, ...]:
        """Models, adapters, policies and redactors that records of the period name."""
        return in_force(self.gathered.versions)

    def passed(self, *names: str) -> bool:
        """Whether these checks passed."""
        known = {check.name: check.passed for check in self.evidence.checks}
        return all(known[name] for name in names)

    def events(self, *names: str) -> int:
        """How many events of these names the period has."""
        return sum(self.gathered.happenings.by_name[name] for name in names)


def _complete(basis: Basis) -> Found:
    e = basis.evidence
    ok = e.records_counted > 0 and basis.passed("No record of the period is missing")
    return Found(_yes(ok), f"{_n(e.records_counted, 'record')} counted, {e.records_expected:,} by tree size")


def _intact(basis: Basis) -> Found:
    names = (
        *("Every record matches its hash", "The log only grew during the period", "The log only grew since"),
        "The signed checkpoint covers the period",
    )
    now = basis.evidence.tree_now.size
    return Found(
        _yes(basis.passed(*names)),
        f"{_n(now, 'record matches its hash', 'records match their hashes')} and the signed checkpoint",
    )


def _no_text(basis: Basis) -> Found:
    ok = basis.passed("Every record matches its hash")
    now = basis.evidence.tree_now.size
    return Found(_yes(ok), f"{_n(now, 'record')} read by a schema that has no field for text")


def _calls_recorded(basis: Basis) -> Found:
    total = basis.calls.total.calls
    return Found(_yes(total > 0), f"{_n(total, 'call')} with time, caller, method, status and size")


def _named(basis: Basis) -> Found:
    named, answered = basis.calls.with_principal, basis.calls.total.answered
    nameless = sum(row.answered for row in basis.calls.by_principal if row.name == "(none)")
    holds: Holds = "no" if not answered else "yes" if not nameless else "partly"
    return Found(holds, f"{_n(named, 'call')} with a proven caller; {nameless:,} answered without one")


def _paired(basis: Basis) -> Found:
    open_, stray = (basis.gathered.odd[kind] for kind in ("NO_OUTCOME", "OUTCOME_WITHOUT_INTENT"))
    if not basis.calls.total.calls:
        return Found("no", "no calls in the period")
    holds: Holds = "yes" if not open_ and not stray else "partly"
    return Found(holds, f"{_n(open_, 'call')} without outcome, {_n(stray, 'outcome')} without call")


def _denials(basis: Basis) -> Found:
    statuses = basis.calls.by_status
    denied = statuses.get("PERMISSION_DENIED", 0) + statuses.get("UNAUTHENTICATED", 0)
    return Found(_yes(denied > 0), f"{_n(denied, 'denied call')} on record")


def _start_stop(basis: Basis) -> Found:
    starts, stops = basis.events("SERVER_STARTED"), basis.events("SERVER_STOPPED")
    crashed = sum(row.count for row in basis.gathered.incidents.rows() if row.kind == RESTART)
    before = basis.gathered.happenings.started_before
    figure = f"{_n(starts, 'start')}, {_n(stops, 'stop')}, {_n(crashed, 'start')} without a stop before"
    if not starts:
        return Found(_yes(bool(before)), f"running since {before[:19]}Z" if before else "no start in the log")
    return Found("partly" if crashed else "yes", figure)


def _clock(basis: Basis) -> Found:
    clock = basis.gathered.happenings.clock
    if not clock.checks:
        return Found("no", "clock offsets are not recorded")
    bad, steps = clock.unsynchronised + clock.unreadable, basis.events("CLOCK_STEPPED")
    holds: Holds = "no" if bad >= clock.checks else "partly" if bad or steps else "yes"
    offset = "unknown" if clock.largest_offset_us is None else f"{clock.largest_offset_us:,} \u00b5s"
    return Found(
        holds,
        f"{_n(clock.checks, 'check')}, {bad:,} not synchronised, largest offset {offset}, set {_n(steps, 'time')}",
    )


def _clock_order(basis: Basis) -> Found:
    back = basis.gathered.odd["TIME_OUT_OF_ORDER"]
    return Found(_yes(not back and basis.evidence.records_counted > 0), f"{_n(back, 'record')} stamped out of order")


def _failed_closed(basis: Basis) -> Found:
    rows = [row for row in basis.gathered.incidents.rows() if row.kind != RESTART]
    count = sum(row.count for row in rows)
    return Found(_yes(count > 0), f"{_n(count, 'time')} no answer was given since a part failed or text was not safe")


def _redaction(basis: Basis) -> Found:
    answered, versioned, entities = basis.calls.total.answered, basis.calls.with_redactor, basis.entities
    holds: Holds = "no" if not versioned else "yes" if versioned == answered else "partly"
    pieces = f"{_n(entities.total, 'piece')} found, {sum(entities.by_action.values()):,} replaced"
    return Found(holds, f"{versioned:,} of {answered:,} answered calls name their redactor and policy; {pieces}")


def _guarded(basis: Basis) -> Found:
    blocked, found = basis.calls.blocked_answers, sum(basis.entities.in_answers.values())
    return Found(_yes(blocked + found > 0), f"{_n(blocked, 'answer')} withheld, {_n(found, 'finding')} in answers")


def _models(basis: Basis) -> Found:
    models = [row for row in basis.in_force if row.kind == "model"]
    return Found(_yes(bool(models)), f"{_n(len(models), 'model digest')}, from first to last use")


def _approvals(basis: Basis) -> Found:
    promoted = [row for row in basis.gathered.happenings.listed if row.event == "MODEL_PROMOTED"]
    signed = sum(row.details.get("signed") == "yes" for row in promoted)
    holds: Holds = "no" if not promoted else "yes" if signed == len(promoted) else "partly"
    return Found(holds, f"{_n(len(promoted), 'promotion')} on record, {signed:,} signed")


def _egress(basis: Basis) -> Found:
    egress = basis.gathered.happenings.egress
    if not egress.by_result:
        return Found("no", "egress checks are not recorded")
    checks, passed = sum(egress.by_result.values()), sum(egress.by_result.get(name, 0) for name in EGRESS_PASSED)
    holds: Holds = "yes" if passed == checks else "partly" if passed else "no"
    return Found(holds, f"{_n(checks, 'egress check')}, {passed:,} passed")


def _witnessed(basis: Basis) -> Found:
    seen = basis.witnesses
    if not seen.policy:
        return Found("no", "no witness policy given")
    return Found(
        _yes(seen.quorum), f"{_n(len(seen.cosignatures), 'cosignature')}, {'quorum' if seen.quorum else 'no quorum'}"
    )


def _retention(basis: Basis) -> Found:
    kept = basis.gathered.happenings.retention()
    return Found(
        _yes(basis.evidence.records_counted > 0 and basis.passed("No record of the period is missing")),
        f"{_n(kept.prunings, 'pruning')} on record, of {_n(kept.records_pruned, 'record')}; "
        f"{_n(len(kept.holds), 'legal hold')}",
    )


def _history(basis: Basis, days: int) -> Found:
    begins = basis.gathered.log_begins
    if begins is None:
        return Found("no", "the log is empty")
    kept = (datetime.fromisoformat(basis.gathered.end) - datetime.fromisoformat(begins)).days
    return Found(
        "yes" if kept >= days else "partly", f"the log goes back to {begins[:10]}, {max(0, kept):,} of {days:,} days"
    )


def _events(basis: Basis, names: tuple[str, ...], one: str, many: str = "") -> Found:
    count = basis.events(*names)
    return Found(_yes(count > 0), f"{_n(count, one, many)} on record")


def _n(count: int, one: str, many: str = "") -> str:
    """``1 call``, ``2 calls``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _yes(holds: bool) -> Holds:  # noqa: FBT001 - the one argument says what it is
    return "yes" if holds else "no"


Signal = Callable[[Basis], Found]
SIGNALS: Final[dict[str, tuple[str, Signal]]] = {
    "complete": ("completeness", _complete),
    "intact": ("completeness", _intact),
    "no_text": ("completeness", _no_text),
    "calls_recorded": ("calls", _calls_recorded),
    "callers_named": ("calls", _named),
    "calls_paired": ("completeness", _paired),
    "denials": ("denials", _denials),
    "start_stop": ("events", _start_stop),
    "clock": ("clock", _clock),
    "clock_order": ("completeness", _clock_order),
    "failed_closed": ("incidents", _failed_closed),
    "redaction": ("entities", _redaction),
    "guarded": ("entities", _guarded),
    "models": ("in-force", _models),
    "approvals": ("changes", _approvals),
    "changes": (
        "changes",
        partial(
            _events, names=CHANGES, one="change of model, adapter or policy", many="changes of model, adapter or policy"
        ),
    ),
    "erasures": ("erasures", partial(_events, names=ERASURES, one="erasure")),
    "keys": ("keys", partial(_events, names=KEY_EVENTS, one="key rotation")),
    "vault_keys": (
        "keys",
        partial(
            _events, names=("VAULT_REWRAPPED",), one="change of the vault's keys", many="changes of the vault's keys"
        ),
    ),
    "exports": (
        "reports",
        partial(_events, names=("LOG_EXPORTED",), one="export of the log", many="exports of the log"),
    ),
    "log_access": (
        "reports",
        partial(_events, names=LOG_ACCESS, one="report, export or search", many="reports, exports and searches"),
    ),
    "searches": (
        "searches",
        partial(_events, names=("SUBJECT_SEARCHED",), one="data-subject search", many="data-subject searches"),
    ),
    "egress": ("egress", _egress),
    "witnessed": ("witnesses", _witnessed),
    "retention": ("retention", _retention),
    "history_6_months": ("retention", partial(_history, days=183)),
    "history_1_year": ("retention", partial(_history, days=365)),
    "history_3_years": ("retention", partial(_history, days=1_096)),
    "history_5_years": ("retention", partial(_history, days=1_827)),
    "history_6_years": ("retention", partial(_history, days=2_192)),
}
"""By the name that ``controls.yaml`` uses: the section of the report that has the figure, and how it is computed."""
