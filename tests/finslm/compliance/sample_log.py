"""A month of a bank's log, as the service would write it: about 3,000 records, the same each time (but for its key)."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from finslm.audit import AuditLog, Kind, Record

ORIGIN = "bank.example/finslm/prod"
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
DRAWN = datetime(2026, 4, 2, 8, 30, tzinfo=UTC)
SEED = 20260301
PRINCIPALS = {
    "loan-desk": ("retail", ("summarise", "extract-terms"), 34),
    "kyc-onboarding": ("retail", ("extract-party", "classify-risk"), 26),
    "complaints": ("retail", ("classify-topic", "summarise"), 14),
    "trade-surveillance": ("markets", ("classify-risk", "answer"), 15),
    "research-assist": ("markets", ("summarise", "answer"), 9),
    "treasury-ops": ("treasury", ("extract-terms",), 6),
}
TYPES = (("PERSON", 30), ("IBAN_CODE", 17), ("DATE_TIME", 12), ("ORGANIZATION", 11), ("PHONE_NUMBER", 8))
TYPES += (("EMAIL_ADDRESS", 7), ("CREDIT_CARD", 5), ("US_SSN", 3), ("ACCOUNT_NUMBER", 6), ("LOCATION", 5))
METHODS = {"summarise": "Generate", "answer": "Answer", "classify-risk": "Classify", "classify-topic": "Classify"}
REFUSALS = (
    ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", 14),
    ("INVALID_ARGUMENT", "TEXT_TOO_LONG", 9),
    ("PERMISSION_DENIED", "PERMISSION_DENIED", 8),
    ("FAILED_PRECONDITION", "RESIDUAL_PII", 5),
    ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", 6),
    ("UNAVAILABLE", "DETECTOR_FAILED", 3),
    ("UNAVAILABLE", "ENGINE_UNAVAILABLE", 4),
    ("ABORTED", "INVALID_OUTPUT", 4),
    ("CANCELLED", "CANCELLED", 5),
)
Step = tuple[datetime, Record]


def digest(name: str) -> str:
    """A digest that stands for a file of this name."""
    return hashlib.sha256(name.encode()).hexdigest()


def event(name: str, tenant: str = "", **details: str) -> Record:
    """An EVENT record."""
    return Record(Kind.EVENT, event=name, tenant=tenant, details=details)


def write(folder: Path, steps: list[Step]) -> Path:
    """A log with these records, each stamped with its time."""
    times = iter([time for time, _ in steps])

    async def run() -> None:
        log = AuditLog.open(folder, origin=ORIGIN, checkpoint_interval_s=3600, clock=lambda: next(times))
        await asyncio.gather(*(log.append(record) for _, record in steps))
        await log.close()

    asyncio.run(run())
    return folder


def month(calls: int = 1400) -> list[Step]:
    """The records of the month, one day before and one after, in the order of the log."""
    rng = random.Random(SEED)
    steps = [*_events(rng)]
    moments = sorted(_moment(rng) for _ in range(calls))
    timeline = [(time, "call", number) for number, time in enumerate(moments)]
    timeline += [(time, "event", number) for number, (time, _) in enumerate(steps)]
    out: list[Step] = []
    for time, kind, number in sorted(timeline):
        out += [steps[number]] if kind == "event" else _call(rng, number, time, len(out))
    return _in_order(out)


def _in_order(steps: list[Step]) -> list[Step]:
    """No record is stamped before the one that stands before it."""
    latest, out = steps[0][0], []
    for time, record in steps:
        latest = max(latest, time)
        out.append((latest, record))
    return out


def _moment(rng: random.Random) -> datetime:
    """Mostly working hours, few calls at the weekend, one busy week."""
    while True:
        time = START - timedelta(days=1) + timedelta(seconds=rng.uniform(0, 33 * 86_400))
        weight = (0.16 if time.weekday() > 4 else 1.0) * (1.0 if 7 <= time.hour < 18 else 0.12)
        if rng.random() < weight * (1.0 if 16 <= time.day < 21 else 0.62):
            return time


def _call(rng: random.Random, number: int, time: datetime, index: int) -> list[Step]:
    if rng.random() < 0.012:
        refused = {"status": "UNAUTHENTICATED", "reason": "UNAUTHENTICATED", "duration_ms": 0}
        return [(time, _record(Kind.OUTCOME, number, method="InferenceService/Generate", **refused))]
    principal = rng.choices(list(PRINCIPALS), [weight for _, _, weight in PRINCIPALS.values()])[0]
    tenant, tasks, _ = PRINCIPALS[principal]
    task = rng.choice(tasks)
    base = {
        "principal": principal,
        "tenant": tenant,
        "task": task,
        "method": f"InferenceService/{METHODS.get(task, 'Extract')}",
        **_in_force(time, task),
        "input_chars": int(rng.lognormvariate(7.2, 0.7)),
    }
    took = int(rng.lognormvariate(5.4, 0.8))
    intent = (time, _record(Kind.INTENT, number, **base))
    if number == 900:  # the process was killed here
        return [intent]
    ended = time + timedelta(milliseconds=took)
    return [intent, (ended, _record(Kind.OUTCOME, number, **base, **_ending(rng, took), intent_index=index))]


def _in_force(time: datetime, task: str) -> dict[str, str]:
    model = "finslm-1b-r3" if time < datetime(2026, 3, 12, 6, tzinfo=UTC) else "finslm-1b-r4"
    policy = "policy-7" if time < datetime(2026, 3, 19, 17, tzinfo=UTC) else "policy-8"
    adapter = {"summarise": "summarise", "classify-risk": "risk-flags"}.get(task, "")
    return {
        "model_name": model,
        "model_digest": digest(model),
        "policy_digest": digest(policy),
        "redactor_digest": digest("redactor-2026.2"),
        **({"adapter_name": adapter, "adapter_digest": digest(adapter)} if adapter else {}),
    }


def _ending(rng: random.Random, took: int) -> dict[str, object]:
    if rng.random() < 0.055:
        status, reason, _ = rng.choices(REFUSALS, [weight for _, _, weight in REFUSALS])[0]
        return {"status": status, "reason": reason, "duration_ms": took}
    found = [rng.choices(*zip(*TYPES, strict=True))[0] for _ in range(min(12, int(rng.expovariate(0.45))))]
    counts = {name: found.count(name) for name in sorted(set(found))}
    masked = sum(counts.get(name, 0) for name in ("CREDIT_CARD", "US_SSN"))
    actions = {"placeholder": len(found) - masked, "mask": masked}
    blocked = rng.random() < 0.009
    return {
        "status": "OK",
        "finish_reason": "BLOCKED" if blocked else "STOP",
        "duration_ms": took,
        "entity_counts": counts,
        "action_counts": {name: n for name, n in actions.items() if n},
        **({"answer_counts": {"leaks.IBAN_CODE.refuse": 1}} if blocked else {}),
        "output_chars": int(rng.lognormvariate(5.5, 0.6)),
        "prompt_tokens": int(rng.lognormvariate(6.0, 0.5)),
        "completion_tokens": int(rng.lognormvariate(4.3, 0.6)),
    }


def _record(kind: Kind, number: int, **fields: object) -> Record:
    return Record(kind, request_id=f"5d1f0c3a-0000-4000-8000-{number:012x}", **fields)  # type: ignore[arg-type]


def _events(rng: random.Random) -> Iterator[Step]:
    yield START - timedelta(hours=20), event("SERVER_STARTED", version="0.1.0")
    for hours in range(-12, 24 * 32, 12):
        offset = str(rng.randint(-480, 520))
        yield (
            START + timedelta(hours=hours, minutes=5),
            event("CLOCK_CHECKED", offset_us=offset, max_error_us="2400", synchronised="no" if hours == 348 else "yes"),
        )
    for day in range(32):
        yield START + timedelta(days=day, hours=3, minutes=10), event("EGRESS_CHECKED", result="passed")
    for day, hour, record in _happenings():
        yield START + timedelta(days=day - 1, hours=hour), record


def _happenings() -> Iterator[tuple[int, float, Record]]:
    yield 3, 9.5, event("SUBJECT_SEARCHED", "retail", id="dsar-2026-0114", found="12")
    yield 3, 15.2, event("SUBJECT_ERASED", "retail", id="dsar-2026-0114", records="12")
    yield 5, 2.0, event("VAULT_EXPIRED", "retail", id="8f2c91", sessions="41")
    yield 6, 10.0, event("REPORT_DRAWN", query=digest("february"), format="pdf", by="h.lindqvist")
    yield 8, 4.0, event("KEY_ROTATED", before="5nxhDcFg", after="kP3vQ0aa")
    yield 9, 11.4, event("FEEDBACK_ERASED", "markets", id="fb-20391", records="3")
    yield 12, 5.9, event("SERVER_STOPPED", version="0.1.0")
    yield (
        *(12, 5.95),
        event(
            "MODEL_PROMOTED",
            model="finslm-1b-r4",
            digest=digest("finslm-1b-r4"),
            by="model-risk",
            signed="yes",
            evaluation=digest("evaluation-r4"),
        ),
    )
    yield 12, 6.0, event("SERVER_STARTED", version="0.1.0")
    yield 13, 9.0, event("MODEL_RETIRED", model="finslm-1b-r3", digest=digest("finslm-1b-r3"), by="model-risk")
    yield 16, 8.0, event("HOLD_SET", hold="matter-4471", by="legal")
    yield 19, 17.0, event("POLICY_CHANGED", before=digest("policy-7"), after=digest("policy-8"))
    yield 20, 12.1, event("SUBJECT_SEARCHED", "markets", id="dsar-2026-0131", found="0")
    yield 22, 4.0, event("SERVER_STARTED", version="0.1.0")
    yield 24, 14.0, event("LOG_EXPORTED", first="0", end="2000", by="h.lindqvist")
    yield 26, 13.0, event("VAULT_ERASED", "treasury", id="c0ffee12", sessions="2", key="k-2026-02")
    yield 28, 7.0, event("VAULT_REWRAPPED", "retail", id="rewrap-3", sessions="188", key="k-2026-03")
    yield 30, 16.0, event("REPORT_DRAWN", query=digest("week 12"), format="html", by="a.okafor")
