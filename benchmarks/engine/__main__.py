"""How fast is our engine beside other systems that run the same model on the same machine?

``python -m benchmarks.engine [--llama DIR --gguf DIR] [--genai-python FILE --genai-model DIR] [--json] [--record]``

Every system gets the same token ids, in turns, round after round; each runs with the number of threads (and
transformers with the batch) that was best for it in a short trial. A peer that is not there is marked as not here.
benchmarks/README.md says how to get each. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.engine.measure import WORKLOADS, Comparison
from benchmarks.engine.ours import write_endless
from benchmarks.engine.report import remarks, tables
from benchmarks.engine.systems import OURS, Places, add_flags, all_systems
from benchmarks.engine.workload import encoder
from benchmarks.machine import facts
from redaction.ner.weights import default_models_dir

RESULTS = Path(__file__).parent.parent / "results" / "engine.json"
MODEL = "smollm2-135m-instruct"


def measure(chosen: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Run what was asked for."""
    machine = facts()
    threads = [chosen.threads] if chosen.threads else sorted({1, len(os.sched_getaffinity(0))})
    peers = {name: getattr(chosen, name) for name in ("llama", "gguf", "genai_python", "genai_model")}
    endless = write_endless(chosen.model, scratch / MODEL)
    systems = all_systems(Places(chosen.model, endless, chosen.settings, **peers), threads)
    if chosen.systems:
        systems = [s for s in systems if s.name == OURS or any(word in s.name for word in chosen.systems.split(","))]
    comparison = Comparison(systems, encoder(chosen.model), chosen.rounds, chosen.seed)
    workloads = {name: comparison.run(name) for name in chosen.workloads.split(",")}
    return {
        "benchmark": "engine",
        "machine": machine,
        "seed": chosen.seed,
        "rounds": chosen.rounds,
        "systems": comparison.systems,
        "workloads": workloads,
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_flags(parser)
    parser.add_argument("--model", type=Path, default=default_models_dir() / MODEL, help="the model's folder")
    parser.add_argument("--settings", default="{}", help='more settings of our engine, JSON: {"runner": "torch"}')
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="for every system, instead of the best of 1 and all")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--systems", help="parts of the names of the peers to run, by comma; without it, all")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    if unknown := set(chosen.workloads.split(",")) - set(WORKLOADS):
        parser.error(f"unknown workload {min(unknown)!r}; known: {', '.join(WORKLOADS)}")
    if not (chosen.model / "model.safetensors").is_file():
        parser.error(f"no model at {chosen.model}: finslm models pull")
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(chosen, Path(scratch))
    if chosen.record:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if chosen.json:
        print(json.dumps(result))
        return
    console = Console(width=120)
    for part in (*tables(result), *remarks(result)):
        console.print(part)


if __name__ == "__main__":
    main()
