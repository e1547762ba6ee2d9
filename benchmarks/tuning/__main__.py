"""``python -m benchmarks.tuning --data DIR [--record]``: LoRA or all weights, which rank, pooling, attention?

Each way is trained at two learning rates on the same rows in the same order; a tenth of the rows, held back, chooses
the rate, and the published test rows score it. A way's result is a line of ``ways.jsonl`` in ``--work``; a rerun goes
on with those that are not there.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import machine
from benchmarks.scaling.tasks import Task, banking, tweets
from benchmarks.tuning.ways import ENCODER, Tuned, Way, tune, ways
from finslm.evaluate.metrics import Scores, score
from finslm.models.registry import Registry
from redaction.ner.weights import default_models_dir

RESULTS = Path(__file__).parents[1] / "results"
SEED = 7


def tasks(data: Path, base: str, *, short: bool) -> list[Task]:
    """For the encoder two, for the decoder, which takes ten times as long, the one with three labels."""
    if short:
        return [tweets(data, SEED, rows=32, epochs=3, test_rows=16)]
    if base == ENCODER:
        return [banking(data, SEED, epochs=12), tweets(data, SEED, rows=900, epochs=12)]
    return [tweets(data, SEED, rows=450, epochs=9)]


def measured(way: Way, base_dir: Path, task: Task) -> dict[str, Any]:
    """Every rate, and the test rows with the one that the held-back rows choose."""
    rows, held = list(task.train), max(1, len(task.train) // 10)
    random.Random(SEED).shuffle(rows)
    part = replace(task, train=rows[held:])
    tried = [(rate, tune(way, base_dir, part, rate, SEED)) for rate in way.rates]
    right = [_scores(tuned, task, rows[:held]).accuracy for _, tuned in tried]
    rate, best = tried[int(np.argmax(right))]
    found = _scores(best, task, task.test)
    return {
        "task": task.name,
        "way": asdict(way),
        "trained": way.trained,
        "rate": rate,
        "held_back_accuracy": dict(zip(map(str, way.rates), right, strict=True)),
        "rows": len(part.train),
        "epochs": task.epochs,
        "parameters": best.parameters,
        "seconds": round(best.seconds, 1),
        "test": found.as_dict(),
    }


def _scores(tuned: Tuned, task: Task, rows: Sequence[Any]) -> Scores:
    return score(np.array(tuned.predicted([row.text for row in rows])), task.truth(rows))


def table(result: Mapping[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| base | task, rows | passes | trained | weights trained | pooling | attention | accuracy (95 % interval) | "
        "macro F1 | training |",
        "|---|---|---:|---|---:|---|---|---:|---:|---:|",
    ]
    for row in result["rows"]:
        way, test = row["way"], row["test"]
        lines.append(
            f"| {way['base']} | {row['task']}, {row['rows']} | {row['epochs']} | {row['trained']} | "
            f"{row['parameters'] / 1e6:.2f} M | {way['pooling']} | "
            f"{'both ways' if way['bidirectional'] else 'causal'} | "
            f"{test['accuracy']:.3f} ({test['accuracy_low']:.3f} to {test['accuracy_high']:.3f}) | "
            f"{test['macro_f1']:.3f} | {row['seconds'] / row['epochs'] / row['rows'] * 1000:.0f} s per 1,000 rows |"
        )
    lines += [
        f"| TF-IDF + SVM | {name} |  |  |  |  |  | {s['accuracy']:.3f} | {s['macro_f1']:.3f} |  |"
        for name, s in result["baselines"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no way after that; a rerun goes on")
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own number")
    parser.add_argument("--work", type=Path, help="folder of ways.jsonl; a temporary one if not given")
    parser.add_argument("--short", action="store_true", help="a minute: few rows, two ways")
    parser.add_argument("--record", action="store_true", help="write results/tuning.json")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    with tempfile.TemporaryDirectory() as own:
        work = chosen.work or Path(own)
        work.mkdir(parents=True, exist_ok=True)
        result = run(chosen.data, work / "ways.jsonl", chosen.minutes * 60, short=chosen.short)
    if chosen.record:
        (RESULTS / "tuning.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    Console(width=160).print(json.dumps(result, indent=2) if chosen.json else Markdown(table(result)))


def run(data: Path, file: Path, seconds: float, *, short: bool) -> dict[str, Any]:
    """What is not there yet, as long as there is time."""
    until, registry, facts = time.monotonic() + seconds, Registry(default_models_dir()), machine.facts()
    kept = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    done = {(row["task"], row["rows"], row["epochs"], json.dumps(row["way"])): row for row in kept}
    rows, baselines = [], dict[str, Any]()
    for way in list(ways())[: 2 if short else None]:
        for task in tasks(data, way.base, short=short):
            baselines.setdefault(f"{task.name}, {len(task.train)}", task.baseline().as_dict())
            trained = len(task.train) - max(1, len(task.train) // 10)
            asked = (task.name, trained, task.epochs, json.dumps(asdict(way)))
            if asked not in done:
                if time.monotonic() > until:
                    continue
                done[asked] = measured(way, registry.resolve(way.base).path, task)
                with file.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(done[asked]) + "\n")
                test = done[asked]["test"]
                print(f"{way.base} {way.trained} {way.pooling} {task.name}: {test['accuracy']:.4f}", flush=True)
            rows.append(done[asked])
    return {"machine": facts | {"threads": torch.get_num_threads()}, "baselines": baselines, "rows": rows}


if __name__ == "__main__":
    main()
