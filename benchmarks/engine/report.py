"""Rounds summed up, ours against each peer's, and the tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Column, Table

from benchmarks.engine.systems import OURS

Rows = Mapping[str, Sequence[Mapping[str, float]]]
"""By system, the values of each round."""


@dataclass(frozen=True)
class Figure:
    """One thing measured; ``less`` is better for times."""

    key: str
    unit: str
    less: bool = False


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and extremes."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def times_as_fast(figure: Figure, ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """How many times as fast ours is, round by round: ours/theirs for rates, theirs/ours for times."""
    pairs = list(zip(ours, theirs, strict=True))
    return spread([them / us if figure.less else us / them for us, them in pairs])


def summary(figure: Figure, rows: Rows) -> dict[str, Any]:
    """The figure of every system that has it: median, extremes, all rounds, and ours against it."""
    values = {name: [row[figure.key] for row in of if figure.key in row] for name, of in rows.items()}
    values = {name: seen for name, seen in values.items() if seen}
    ours = values.get(OURS)
    by_system: dict[str, Any] = {}
    for name, seen in values.items():
        by_system[name] = {**_rounded(spread(seen)), "rounds": [round(value, 2) for value in seen]}
        if ours and name != OURS:
            by_system[name]["finslm_times_as_fast"] = _rounded(times_as_fast(figure, ours, seen))
    return {"unit": figure.unit, "better": "less" if figure.less else "more", "systems": by_system}


def tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """One table a workload; a system without figures says why."""
    for part in result["workloads"].values():
        table = Table(Column("system", no_wrap=True), "weights", Column("options", no_wrap=True), title=part["what"])
        for figure in part["figures"].values():
            table.add_column(figure["unit"], justify="right")
            table.add_column("finslm: times as fast", justify="right")
        for name, about in result["systems"].items():
            row = list(_cells(part, name, about["state"]))
            if row:
                options = " ".join(f"{key} {value}" for key, value in part["options"].get(name, {}).items())
                table.add_row(name, about["weights"], options, *row)
        yield table


def remarks(result: Mapping[str, Any]) -> Iterator[str]:
    """Why a system has no figures."""
    for name, about in result["systems"].items():
        if about["state"] != "here":
            yield f"{name}: {about['state']}"
    for workload, part in result["workloads"].items():
        for name, reason in part["failed"].items():
            yield f"{name}: failed at {workload}: {reason}"


def _cells(part: Mapping[str, Any], name: str, state: str) -> Iterator[str]:
    """Two cells a figure; none for a system that this workload does not ask."""
    if name in part["failed"] or state != "here":
        yield "failed" if name in part["failed"] else "not here"
        return
    found = [figure["systems"].get(name) for figure in part["figures"].values()]
    if any(found):
        for one in found:
            yield _span(one)
            yield _span(one.get("finslm_times_as_fast") if one else None)


def _span(value: Mapping[str, float] | None) -> str:
    return f"{_number(value['median'])} ({_number(value['min'])}-{_number(value['max'])})" if value else ""


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}
