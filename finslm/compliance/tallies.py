"""From counters to the rows of a report: calls by who and what, refusals, denials, what was in force."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from finslm.compliance.gather import Ended, Gathered
from finslm.compliance.model import Denial, InForce, Refusal, Tally
from finslm.compliance.periods import buckets

Ending = Literal["answered", "refused", "failed"]
Grouping = Literal["principal", "tenant", "method", "task"]
REFUSED: Final = frozenset(
    {
        *("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED"),
        *("RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    }
)
"""Statuses with which the service says no. Any other than OK is a call that failed, ran late or was cancelled."""
DENIED: Final = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED"})
UNNAMED: Final = "(none)"
"""Stands for an empty field: a caller that did not prove who it is, a method without a task."""


def ending_of(status: str) -> Ending:
    """How a call of this status ended."""
    if status == "OK":
        return "answered"
    return "refused" if status in REFUSED else "failed"


def tally(name: str, counts: Iterable[tuple[str, int]]) -> Tally:
    """One row of calls, from numbers by status."""
    ends: Counter[str] = Counter()
    for status, calls in counts:
        ends[ending_of(status)] += calls
    return Tally(name=name, calls=ends.total(), **ends)


def tallies(ended: Counter[Ended], grouping: Grouping) -> tuple[Tally, ...]:
    """Calls of each name in a grouping, the busiest first."""
    found: dict[str, list[tuple[str, int]]] = {}
    for key, calls in ended.items():
        found.setdefault(getattr(key, grouping) or UNNAMED, []).append((key.status, calls))
    rows = [tally(name, counts) for name, counts in found.items()]
    return tuple(sorted(rows, key=lambda row: (-row.calls, row.name)))


def tallies_over_time(gathered: Gathered) -> tuple[Tally, ...]:
    """Calls of each hour, day, month or year of the period, empty ones too."""
    found: dict[str, list[tuple[str, int]]] = {}
    for (bucket, status), calls in gathered.over_time.items():
        found.setdefault(bucket, []).append((status, calls))
    return tuple(tally(name, found.get(name, ())) for name in buckets(gathered.start, gathered.end))


def refusals(ended: Counter[Ended]) -> tuple[Refusal, ...]:
    """Calls that were not answered, by status and reason, the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    for key, calls in ended.items():
        if key.status != "OK":
            found[key.status, key.reason or UNNAMED] += calls
    rows = [Refusal(status=status, reason=reason, calls=calls) for (status, reason), calls in found.items()]
    return tuple(sorted(rows, key=lambda row: (-row.calls, row.status, row.reason)))


def denials(ended: Counter[Ended]) -> tuple[Denial, ...]:
    """Calls that were denied, by who and what, the most frequent first."""
    found: Counter[tuple[str, str, str]] = Counter()
    for key, calls in ended.items():
        if key.status in DENIED:
            found[key.principal or UNNAMED, key.method, key.status] += calls
    rows = [Denial(principal=p, method=m, status=s, calls=n) for (p, m, s), n in found.items()]
    return tuple(sorted(rows, key=lambda row: (-row.calls, row.principal, row.method, row.status)))


def quantile_ms(durations_ms: Counter[int], quantile: float) -> int | None:
    """Nearest-rank quantile, exact to the millisecond; None without calls."""
    rank, seen = math.ceil(quantile * durations_ms.total()), 0
    for duration in sorted(durations_ms):
        seen += durations_ms[duration]
        if seen >= rank:
            return duration
    return None


_KINDS: Final = ("model", "adapter", "policy", "redactor")


def in_force(versions: dict[tuple[str, ...], list[int | str]]) -> tuple[InForce, ...]:
    """Each model, adapter, policy and redactor, from first to last use."""
    found: dict[tuple[str, str, str], list[list[int | str]]] = {}
    for (model, model_digest, adapter, adapter_digest, policy, redactor), use in versions.items():
        named = ((model, model_digest), (adapter, adapter_digest), ("", policy), ("", redactor))
        for kind, (name, digest) in zip(_KINDS, named, strict=True):
            if digest:
                found.setdefault((kind, name, digest), []).append(use)
    rows = [_in_force(key, uses) for key, uses in found.items()]
    return tuple(sorted(rows, key=lambda row: (row.kind, row.first_index, row.name, row.digest)))


def _in_force(key: tuple[str, str, str], uses: list[list[int | str]]) -> InForce:
    first, last = min(uses, key=lambda use: use[0]), max(uses, key=lambda use: use[2])
    return InForce.model_validate(
        {
            **dict(zip(("kind", "name", "digest"), key, strict=True)),
            "first_index": first[0],
            "first_time": first[1],
            "last_index": last[2],
            "last_time": last[3],
            "records": sum(int(use[4]) for use in uses),
        }
    )
