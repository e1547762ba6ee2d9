"""What the audit log knows of the stage log: each decision is on record, and no later start goes back behind it."""

from __future__ import annotations

from typing import Final, final

from finslm.audit import AuditLog
from finslm.audit.records import Kind, Record
from finslm.models.approval import Approval, check_follows
from finslm.models.stages import START, Entry, Head

SEEN: Final = "MODEL_STAGES"
"""Event that says how far the stage log went."""
_EVENTS: Final = {"approved": "MODEL_PROMOTED", "retired": "MODEL_RETIRED"}


@final
class Approving:
    """What is on record of the stage log.

    Args:
        log: open.
        approval: the stage log as it is at the start.
        reset: head of a stage log to accept although it does not go on from what is on record.

    Raises:
        ConfigError: decisions that are on record are gone.
    """

    def __init__(self, log: AuditLog, approval: Approval, reset: str = "") -> None:
        self._log = log
        self._seen = last_seen(log)
        head = approval.log.head
        self._given_up = self._seen if head.hash == reset and not approval.log.follows(self._seen) else None
        if self._given_up is not None:
            self._seen = Head(0, START)
        check_follows(approval.log, self._seen)

    async def record(self, approval: Approval) -> None:
        """Put on record what was decided since, and how far the stage log goes now.

        Raises:
            AuditUnavailable: the audit log cannot be written.
        """
        head = approval.log.head
        if self._given_up is not None:
            before, self._given_up = self._given_up, None
            await self._event("MODEL_STAGES_RESET", {"before": before.hash, "after": head.hash})
        elif head == self._seen:
            return
        for entry in approval.log.entries[self._seen.size :]:
            await self._event(_EVENTS[entry.decision.stage], _facts(entry))
        await self._event(SEEN, {"decisions": str(head.size), "head": head.hash})
        self._seen = head

    async def _event(self, name: str, details: dict[str, str]) -> None:
        await self._log.append(Record(kind=Kind.EVENT, event=name, details=details))


def last_seen(log: AuditLog) -> Head:
    """How far the stage log went when the audit log last told of it."""
    record = log.last_event(SEEN)
    return Head(0, START) if record is None else Head(int(record.details["decisions"]), record.details["head"])


def _facts(entry: Entry) -> dict[str, str]:
    decision = entry.decision
    facts = {
        "model": decision.model,
        "digest": decision.digest,
        "by": decision.by,
        "decided": decision.time,
        "decision": str(decision.index),
        "head": entry.hash,
        "signed": "yes" if entry.signature else "no",
    }
    return facts | ({"evaluation": decision.evaluation} if decision.evaluation else {})
