"""How long records are kept, by class, and what may go: pieces at the beginning of the log, no record amid it.

A piece is a file, or as many rows of a database. Before anything goes, an EVENT ``RETENTION_PRUNED`` says what; the
hashes stay, so the tree, its checkpoints and every proof of a record that is still there hold as before. A legal hold
keeps what it names, whatever its age.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, final

from finslm.audit.records import Kind, Record, utc_stamp

HOLD_SET: Final = "HOLD_SET"
HOLD_LIFTED: Final = "HOLD_LIFTED"
STATE_EVENTS: Final = ("MODEL_STAGES", "POLICY_CHANGED")
"""Events whose last one says how things stand: it is told again before it would go."""


@final
@dataclass(frozen=True, slots=True)
class Retention:
    """Days that each class of records is kept; None: for ever."""

    calls_days: int | None = None
    """INTENT and OUTCOME of calls that were admitted: the books (SEC 17a-4: 3 to 6 years; NYDFS 500.6: 5)."""
    refusals_days: int | None = None
    """Calls that were refused before they were admitted: the security trail (NYDFS 500.6: 3 years; PCI DSS: 1)."""
    events_days: int | None = None
    """What the operator did."""

    def __bool__(self) -> bool:
        """Whether any record may ever go."""
        return None not in (self.calls_days, self.refusals_days, self.events_days)

    def days_of(self, record: Record) -> int | None:
        """How long a record is kept."""
        if record.kind is Kind.EVENT:
            return self.events_days
        refused = record.kind is Kind.OUTCOME and record.intent_index is None
        return self.refusals_days if refused else self.calls_days


@final
@dataclass(frozen=True, slots=True)
class Hold:
    """Records that must stay: those of a time, of one tenant or of all."""

    id: str
    time_from: str = ""
    time_to: str = ""
    tenant: str = ""

    def covers(self, record: Record) -> bool:
        """Whether a record is held."""
        in_time = record.time >= self.time_from and (not self.time_to or record.time < self.time_to)
        return in_time and (not self.tenant or record.tenant in ("", self.tenant))

    def details(self) -> dict[str, str]:
        """As its event has it."""
        named = {"hold": self.id, "from": self.time_from, "to": self.time_to, "tenant": self.tenant}
        return {name: value for name, value in named.items() if value}

    @classmethod
    def of(cls, details: Mapping[str, str]) -> Hold:
        """From the details of its event."""
        return cls(details.get("hold", ""), details.get("from", ""), details.get("to", ""), details.get("tenant", ""))


def holds_in_force(events: Iterable[Record]) -> dict[str, Hold]:
    """The holds that were set and not lifted, by id; ``events`` in the order of the log."""
    holds: dict[str, Hold] = {}
    for record in events:
        if record.event == HOLD_SET:
            holds[record.details.get("hold", "")] = Hold.of(record.details)
        elif record.event == HOLD_LIFTED:
            holds.pop(record.details.get("hold", ""), None)
    return holds


def may_go(record: Record, retention: Retention, holds: Iterable[Hold], now: datetime) -> bool:
    """Whether a record is past its time and not held."""
    days = retention.days_of(record)
    if days is None or record.time >= utc_stamp(now.astimezone(UTC) - timedelta(days=days)):
        return False
    return not any(hold.covers(record) for hold in holds)
