"""What a report is asked for: the arguments, their rules, and the query in words."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, final

from finslm.audit.records import utc_stamp
from finslm.compliance.model import Query
from finslm.errors import FieldViolation, InvalidRequest

MAX_NAME_CHARS: Final = 64


@final
@dataclass(frozen=True, slots=True)
class Request:
    """Arguments of a report.

    Raises:
        InvalidRequest: the period is empty, reversed or not over yet, or a name is not one.
        ValueError: a time without a time zone.
    """

    from_: datetime
    to: datetime
    """Exclusive."""
    drawn_at: datetime
    """When it is drawn (now, or the time of an earlier drawing that is made again); ``to`` must not be after it."""
    drawn_by: str
    """Who draws it: 1 to 64 printable characters, as are ``system`` and ``environment`` when given."""
    system: str = ""
    environment: str = ""
    tenant: str = ""
    """Only this tenant's records are in the body; empty: all."""
    standards: tuple[str, ...] | None = None
    """Ids of the standards whose control tables are drawn; None: all."""

    def __post_init__(self) -> None:
        if any(moment.tzinfo is None for moment in (self.from_, self.to, self.drawn_at)):
            raise ValueError("times must be aware: give them a time zone")
        if self.from_ >= self.to:
            raise refusal(
                "to",
                f"the period ends ({_day(self.to)}) before it begins ({_day(self.from_)}): give the earlier time first",
            )
        if self.to > self.drawn_at:
            raise refusal(
                "to", f"the period ends at {_day(self.to)} and is not over: a report of it could not be complete"
            )
        check_name("generated_by", self.drawn_by)
        for field in ("system", "environment"):
            if value := getattr(self, field):
                check_name(field, value)

    def query(self, standards: tuple[str, ...]) -> Query:
        """What was selected, in words that can be followed by hand."""
        start, end = utc_stamp(self.from_), utc_stamp(self.to)
        whose = f'; the body has those with tenant "{self.tenant}" and EVENT records without tenant'
        text = (
            f'records of the log with "{start}" <= time < "{end}" (compared as strings), '
            "in the order of their index; a call is an OUTCOME record; nothing else is left out"
            f"{whose if self.tenant else ''}; control tables: {', '.join(standards) or 'none'}"
        )
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Query(text=text, sha256=digest, tenant=self.tenant, standards=standards)


def refusal(field: str, what: str) -> InvalidRequest:
    """The error for an argument that cannot be used."""
    return InvalidRequest(f"compliance report: {what}", FieldViolation(field, what))


def check_name(field: str, value: str) -> None:
    """Printable excludes control characters, line ends and the marks that reorder text (Unicode Cc, Cf, Zl, Zp)."""
    if not value.isprintable() or value != value.strip() or not 1 <= len(value) <= MAX_NAME_CHARS:
        raise refusal(field, f"{field}: a name of 1 to {MAX_NAME_CHARS} printable characters is wanted")


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
