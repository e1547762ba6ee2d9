"""How good and how fast is the redactor, beside stock Presidio in the same run?

``python -m benchmarks.redaction --data DIR [--json] [--record] [--parts synth,finance,attacks,...]``

DIR is the folder of the data sets (``pii/synth_dataset_v2.json``, ``edgar_dapt/...``). ``--quick`` takes
fewer lines and rounds. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.machine import facts
from benchmarks.redaction import attacks, entities, finance, memory, ordinary, report, speed, synth
from benchmarks.redaction.systems import ours, patterns_only, presidio
from redaction import Redactor

RESULTS = Path(__file__).parent.parent / "results" / "redaction.json"

Part = Callable[[argparse.Namespace], dict[str, Any]]


def _synth(chosen: argparse.Namespace) -> dict[str, Any]:
    return {"ours": synth.measure(ours(), chosen.data), "presidio": synth.measure(presidio(), chosen.data)}


def _finance(chosen: argparse.Namespace) -> dict[str, Any]:
    made = finance.make(260 if chosen.quick else 1560)
    return {"ours": finance.measure(finance.ours(), made), "presidio": finance.measure(finance.presidio(), made)}


def _entities(chosen: argparse.Namespace) -> dict[str, Any]:
    sets, systems = dict(entities.load(chosen.data)), {"ours": ours(), "presidio": presidio()}
    return {
        name: {who: entities.measure(find, sentences) for who, find in systems.items()}
        for name, sentences in sets.items()
    }


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
    fast = ours(Redactor.from_policy(threads=len(os.sched_getaffinity(0))))
    kilobyte = " ".join(texts)[:1000]
    return {
        "throughput": speed.throughput(texts, rounds=rounds, presidio_texts=presidio_texts),
        "one_kb_ms": speed.latency_ms(fast, kilobyte, times=100 if chosen.quick else 400),
        "hostile_20_kb_ms": speed.hostile_ms(fast),
    }


def _memory(chosen: argparse.Namespace) -> dict[str, Any]:
    texts, _ = synth.load(chosen.data)
    return memory.measure(Redactor.from_policy(), texts, 20_000 if chosen.quick else 1_000_000)


PARTS: dict[str, Part] = {
    "synth": _synth,
    "finance": _finance,
    "entities": _entities,
    "attacks": _attacks,
    "ordinary": _ordinary,
    "speed": _speed,
    "memory": _memory,
}


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
    Console(width=110).print(report.table(result))


if __name__ == "__main__":
    main()
