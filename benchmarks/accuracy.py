"""What do 8-bit weights cost? ``python -m benchmarks.accuracy --data FOLDER [--rows 3080] [--passages 24] [--record]``

The same model and adapter in each number format, through the runner that serves it: accuracy on the published test
rows of BANKING77, and perplexity on passages of SEC filings (neither is in the repository). The gate: int8 within half
a point of bfloat16.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from benchmarks.machine import facts
from finslm.config import EngineSettings
from finslm.engine.adapters import AdapterCard, encode
from finslm.engine.loading import load_runner
from finslm.engine.runner import Part, Runner
from finslm.models.registry import Registry
from redaction.ner.weights import default_models_dir

RESULTS = Path(__file__).parent / "results" / "accuracy.json"
ADAPTER = "banking77-intent"
FORMATS = (("openvino", "int8"), ("openvino", "float32"), ("torch", "bfloat16"))
PASSAGE_TOKENS, PIECE = 512, 128
GATE_POINTS = 0.5


def passages(data: Path, tokenizer: PreTrainedTokenizerBase, count: int) -> list[list[int]]:
    """The first tokens of items spread over the filings."""
    with (data / "edgar_dapt" / "edgar_crawler_items.jsonl").open() as file:
        texts = [str(json.loads(line)["text"]) for line in file]
    long = [text for text in texts if len(text) > 8 * PASSAGE_TOKENS]
    chosen = long[:: max(1, len(long) // count)][:count]
    return [list(tokenizer.encode(text[: 12 * PASSAGE_TOKENS]))[:PASSAGE_TOKENS] for text in chosen]


def perplexity(runner: Runner, texts: Sequence[Sequence[int]]) -> float:
    """exp of the mean negative log-likelihood of every token but the first of each passage."""
    blocks = list(range(-(-PASSAGE_TOKENS // runner.block_tokens)))
    losses: list[float] = []
    for tokens in texts:
        for at in range(0, len(tokens), PIECE):
            piece = tokens[at : at + PIECE]
            logits = runner.step([Part(piece, at, blocks, wanted=len(piece))]).astype(np.float64)
            following = tokens[at + 1 : at + 1 + len(piece)]
            totals = np.logaddexp.reduce(logits[: len(following)], 1)
            losses.extend(totals - logits[np.arange(len(following)), following])
    return float(np.exp(np.mean(losses)))


def accuracy(runner: Runner, rows: Sequence[tuple[list[int], str]]) -> float:
    """Share of rows whose likeliest label is the right one."""
    hits = sum(
        scores[0].label == label
        for start in range(0, len(rows), 8)
        for scores, (_, label) in zip(
            runner.classify([(ADAPTER, tokens) for tokens, _ in rows[start : start + 8]]),
            rows[start : start + 8],
            strict=True,
        )
    )
    return hits / len(rows)


def measure(data: Path, count: int, texts: int) -> Iterator[dict[str, Any]]:
    """One format after the other."""
    registry = Registry(default_models_dir())
    base, adapter = registry.resolve("smollm2-135m-instruct"), registry.resolve(ADAPTER)
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    limit = AdapterCard.read(adapter.path).max_tokens
    with (data / "banking77" / "test.csv").open(newline="") as file:
        rows = [(encode(tokenizer, row["text"]), row["category"]) for row in csv.DictReader(file)]
    rows = [row for row in rows if len(row[0]) <= limit]
    rows = rows[:: max(1, len(rows) // count)][:count]
    chosen = passages(data, tokenizer, texts)
    for kind, weights in FORMATS:
        begun = time.perf_counter()
        settings = EngineSettings(runner=kind, weights=weights)
        runner = load_runner(base.path, (), settings, 2, lambda: int(tokenizer.pad_token_id or 0))
        runner.adopt(runner.prepare(ADAPTER, adapter.path))
        runner.reserve(-(-PASSAGE_TOKENS // runner.block_tokens))
        yield {
            "runner": kind,
            "weights": weights,
            "banking77_accuracy": round(accuracy(runner, rows), 4),
            "rows": len(rows),
            "perplexity": round(perplexity(runner, chosen), 3),
            "passages": len(chosen),
            "seconds": round(time.perf_counter() - begun),
        }
        del runner
        gc.collect()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with banking77 and edgar_dapt")
    parser.add_argument("--rows", type=int, default=3080)
    parser.add_argument("--passages", type=int, default=24)
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    lines = []
    for line in measure(chosen.data, chosen.rows, chosen.passages):
        print(json.dumps(line), flush=True)
        lines.append(line)
    points = 100 * (lines[-1]["banking77_accuracy"] - lines[0]["banking77_accuracy"])
    print(
        f"int8 loses {points:.2f} points to bfloat16; the gate is {GATE_POINTS}: {'met' if points <= 0.5 else 'missed'}"
    )
    if chosen.record:
        result = {"benchmark": "accuracy", "machine": facts(), "formats": lines, "points_lost": round(points, 3)}
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
