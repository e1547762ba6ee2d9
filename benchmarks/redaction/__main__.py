"""How good and how fast is the redactor, beside stock Presidio in the same run?

``python -m benchmarks.redaction --data DIR [--json] [--record] [--parts synth,ordinary,speed]``

DIR is the folder of the data sets (``pii/synth_dataset_v2.json``, ``edgar_dapt/...``). ``--quick`` takes
fewer lines and rounds. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import facts
from benchmarks.redaction import attacks, ordinary, speed, synth
from benchmarks.redaction.systems import ours, patterns_only, presidio
from redaction import Redactor

RESULTS = Path(__file__).parent.parent / "results" / "redaction.json"

Part = Callable[[argparse.Namespace], dict[str, Any]]


def _synth(chosen: argparse.Namespace) -> dict[str, Any]:
    return {"ours": synth.measure(ours(), chosen.data), "presidio": synth.measure(presidio(), chosen.data)}


def _attacks(_: argparse.Namespace) -> dict[str, Any]:
    return {"ours": attacks.measure(attacks.ours()), "presidio": attacks.measure(attacks.presidio())}


def _ordinary(chosen: argparse.Namespace) -> dict[str, Any]:
    count, few = (20_000, 600) if chosen.quick else (1_000_000, 5_000)
    measured = ordinary.measure(patterns_only(), ordinary.lines(1, count))
    return {
        "ours": measured | ordinary.measure(patterns_only(), ordinary.sentences(chosen.data, few)),
        "ours_with_names": ordinary.measure(ours(), ordinary.lines(2, few)),
        "presidio": ordinary.measure(presidio(), ordinary.lines(2, few)),
        "cards_from_timestamps": ordinary.cards_from_timestamps(measured),
    }


def _speed(chosen: argparse.Namespace) -> dict[str, Any]:
    texts, _ = synth.load(chosen.data)
    rounds, presidio_texts = (3, 60) if chosen.quick else (9, 300)
    fast = ours(Redactor.from_policy(intra_op_threads=2))
    kilobyte = " ".join(texts)[:1000]
    return {
        "throughput": speed.throughput(texts, rounds=rounds, presidio_texts=presidio_texts),
        "one_kb_ms": speed.latency_ms(fast, kilobyte, times=100 if chosen.quick else 400),
        "hostile_20_kb_ms": speed.hostile_ms(fast),
    }


PARTS: dict[str, Part] = {"synth": _synth, "attacks": _attacks, "ordinary": _ordinary, "speed": _speed}


def _rows(result: dict[str, Any]) -> list[tuple[str, str, str, str, bool]]:
    """What, bar, ours, Presidio's, met."""
    rows: list[tuple[str, str, str, str, bool]] = []

    def row(what: str, bar: str, our: float, their: float | None, *, met: bool) -> None:
        rows.append((what, bar, f"{our:.4g}", "" if their is None else f"{their:.4g}", met))

    if part := result.get("synth"):
        us, them = part["ours"], part["presidio"]
        for name, bar in (("recall", 0.97), ("precision", 0.93)):
            value = us["typed"][name]
            what = f"synth_dataset_v2: {name} by character"
            row(f"{what}, typed", f">= {bar}", value, them["typed"][name], met=value >= bar)
            row(f"{what}, any type", "", us["any_type"][name], them["any_type"][name], met=True)
            row(f"{what} that is a letter or digit, typed", "", us["worded"][name], them["worded"][name], met=True)
        for iou, value in us["span_f2"].items():
            met = value >= 0.92 or iou != "0.9"
            row(f"synth_dataset_v2: F2 by span, overlap {iou}", ">= 0.92", value, them["span_f2"][iou], met=met)
    if part := result.get("attacks"):
        us, them = part["ours"], part["presidio"]
        row(f"{us['cases']} attacks: right type", ">= 0.95", us["typed"], them["typed"], met=us["typed"] >= 0.95)
        met = us["check_digits_covered"] == 1
        row("attacks: check-digit ids covered", "1", us["check_digits_covered"], them["check_digits_covered"], met=met)
    if part := result.get("ordinary"):
        cards = part["cards_from_timestamps"]
        row("cards found in timestamps", "0", cards, None, met=not cards)
        for kind, found in part["ours"].items():
            theirs = part["presidio"].get(kind, {}).get("per_1000_lines")
            row(f"false findings in 1,000 lines: {kind}", "", found["per_1000_lines"], theirs, met=True)
    if part := result.get("speed"):
        times, speeds = part["throughput"]["times_presidio"], part["throughput"]["characters_per_s"]
        for name, bar in (("ours", 10), ("patterns", 100)):
            value, own = times[name]["median"], speeds[name]["median"] / 1000
            row(f"times Presidio: {name} ({own:.0f} kchar/s)", f">= {bar}", value, 1, met=value >= bar)
        row("1 KB, p99 ms", "< 15", part["one_kb_ms"]["p99"], None, met=part["one_kb_ms"]["p99"] < 15)
        worst = max(part["hostile_20_kb_ms"].values())
        row("20 KB of hostile text, slowest, ms", "< 200", worst, None, met=worst < 200)
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.redaction", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    wanted = chosen.parts.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"unknown part {min(unknown)!r}; known: {', '.join(PARTS)}")
    result: dict[str, Any] = {"machine": facts()}
    for name in wanted:
        print(f"{name} ...", file=sys.stderr, flush=True)
        result[name] = PARTS[name](chosen)
    if chosen.record:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if chosen.json:
        print(json.dumps(result))
        return
    table = Table("what", "bar", "finslm", "Presidio", "", title="Detection")
    for what, bar, our, their, met in _rows(result):
        table.add_row(what, bar, our, their, ("met" if met else "missed") if bar else "")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
