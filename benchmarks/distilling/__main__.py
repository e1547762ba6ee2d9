"""``python -m benchmarks.distilling --data DIR [--record]``: does a rationale help a small decoder?

Distilling step-by-step (Hsieh et al. 2023) says that a student which also learns why needs fewer labels. Asked here of
SmolLM2-135M with LoRA, on two tasks whose rationales are known, at 12.5, 25, 50 and 100 % of the training rows, with
and without rationales, three seeds each. A cell's result is a line of ``cells.jsonl`` in ``--work``; a rerun goes on
with the cells that are not there. ``--short`` shows in a minute that it works.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, fields
from pathlib import Path

import torch
from rich.console import Console

from benchmarks import machine
from benchmarks.distilling.report import draw, table
from benchmarks.distilling.study import SEEDS, SHARES, TASKS, Budget, Study, cells
from finslm.models.registry import Registry
from redaction.ner.weights import default_models_dir

RESULTS = Path(__file__).parents[1] / "results"
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "distilling.png"
BASE = "smollm2-135m-instruct"
SHORT = Budget(rows=16, test_rows=8, epochs=1, min_steps=2, batch_size=4, max_tokens=32)


def result(study: Study, tasks: list[str], wanted: int) -> dict[str, object]:
    """Everything, for JSON."""
    return {
        "base": BASE,
        "budget": asdict(study.budget),
        "machine": machine.facts() | {"threads": torch.get_num_threads()},
        "baselines": study.baselines(tasks),
        "cells_wanted": wanted,
        "cells": [{key: value for key, value in row.items() if key != "budget"} for row in study.found],
    }


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=[*TASKS])
    parser.add_argument("--seeds", nargs="*", type=int, default=[*SEEDS])
    parser.add_argument("--shares", nargs="*", type=float, default=[*SHARES])
    for each in fields(Budget):
        kind = type(each.default)
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=kind, default=each.default)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop then; a rerun goes on")
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own number; 1 on a busy machine")
    parser.add_argument("--work", type=Path, help="folder of cells.jsonl; a temporary one if not given")
    parser.add_argument("--short", action="store_true", help="a minute: few rows, one seed, one task")
    parser.add_argument("--report", action="store_true", help="train nothing: show the cells that are there")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}/distilling.json and the picture")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    budget = SHORT if chosen.short else Budget(**{each.name: getattr(chosen, each.name) for each in fields(Budget)})
    tasks = chosen.tasks[:1] if chosen.short else chosen.tasks
    wanted = [
        *cells(
            tasks, chosen.shares[-1:] if chosen.short else chosen.shares, chosen.seeds[: 1 if chosen.short else None]
        )
    ]
    with tempfile.TemporaryDirectory() as own:
        work = chosen.work or Path(own)
        study = Study(
            chosen.data,
            Registry(default_models_dir()).resolve(BASE).path,
            work / "cells.jsonl",
            budget,
            seconds=chosen.minutes * 60,
        )
        if not chosen.report and not study.run(wanted):
            print(f"out of time with {len(study.found)} of {len(wanted)} cells; run it again to go on")
        found = result(study, tasks, len(wanted))
        show(found, work / "distilling.png", record=chosen.record, as_json=chosen.json)


def show(found: dict[str, object], picture: Path, *, record: bool, as_json: bool) -> None:
    """Write the picture, with ``record`` where it belongs, and print."""
    if record:
        picture = PICTURE
        picture.parent.mkdir(exist_ok=True)
        (RESULTS / "distilling.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    draw(found, picture)
    Console(width=200).print(json.dumps(found, indent=2) if as_json else table(found), markup=False)


if __name__ == "__main__":
    main()
