"""``python -m benchmarks.labels --data FOLDER``: labels of the request, with and without calibration.

For some labels of BANKING77 and for the financial tweets (neither is in the repository): accuracy and expected
calibration error of the model's own scores, after subtracting the prior, and after the temperature too. The
temperature that would be best is fitted on training rows, and all figures are those of other rows.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finslm.config import EngineSettings
from finslm.engine.local import LocalEngine
from finslm.evaluate.metrics import expected_calibration_error
from finslm.labelling import CONTENT_FREE
from finslm.models.registry import Registry
from finslm.tasks import TASKS
from redaction.ner.weights import default_models_dir
from redaction.text import RedactedText

Floats = NDArray[np.float64]
TASK = TASKS.get("choose_label")
INTENTS = {
    "6 intents": "card_arrival lost_or_stolen_card exchange_rate top_up_failed pending_cash_withdrawal change_pin",
    "10 intents": "age_limit atm_support cancel_transfer card_swallowed contactless_not_working country_support "
    "declined_card_payment edit_personal_details passcode_forgotten terminate_account",
}


class Rows(NamedTuple):
    """Texts with the number of the right label."""

    labels: Sequence[str]
    texts: Sequence[str]
    truth: NDArray[np.int64]


def banking(folder: Path, names: str, split: str, count: int) -> Rows:
    """Rows of some intents, in a fixed random order."""
    intents = names.split()
    with (folder / "banking77" / f"{split}.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["category"] in intents]
    np.random.default_rng(0).shuffle(rows)  # type: ignore[arg-type]
    truth = [intents.index(row["category"]) for row in rows[:count]]
    return Rows([name.replace("_", " ") for name in intents], [row["text"] for row in rows[:count]], np.array(truth))


def tweets(folder: Path, split: str, count: int) -> Rows:
    """Rows of the financial tweets."""
    with (folder / "tfns" / f"sent_{split}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    np.random.default_rng(0).shuffle(rows)  # type: ignore[arg-type]
    chosen = rows[:count]
    return Rows(
        ["bearish", "bullish", "neutral"], [r["text"] for r in chosen], np.array([int(r["label"]) for r in chosen])
    )


async def logprobs(engine: LocalEngine, texts: Sequence[str], labels: Sequence[str]) -> Floats:
    """[texts, labels]: softmax over the labels, in logarithms."""

    async def one(text: str) -> list[float]:
        scores, _ = await engine.score(TASK.render(RedactedText(text)), [RedactedText(label) for label in labels])
        found = {score.label: score.logprob or 0.0 for score in scores}
        return [found[label] for label in labels]

    values = np.array(await asyncio.gather(*map(one, texts)))
    shares: Floats = values - np.logaddexp.reduce(values, 1, keepdims=True)
    return shares


def softmax(values: Floats) -> Floats:
    """Rows sum to 1."""
    powers = np.exp(values - values.max(1, keepdims=True))
    shares: Floats = powers / powers.sum(1, keepdims=True)
    return shares


def best_temperature(values: Floats, truth: NDArray[np.int64]) -> float:
    """The one of least cross-entropy."""
    rows = np.arange(len(truth))
    return float(
        min(np.geomspace(0.5, 30, 200), key=lambda t: -np.log(softmax(values / t)[rows, truth] + 1e-12).mean())
    )


def line(name: str, values: Floats, truth: NDArray[np.int64]) -> str:
    """Accuracy, expected calibration error, mean confidence, and accuracy of the half that is surest."""
    shares = softmax(values)
    hits, sure = shares.argmax(1) == truth, shares.max(1)
    half = hits[np.argsort(-sure)[: len(hits) // 2]].mean()
    error = expected_calibration_error(shares, truth)
    return (
        f"  {name:34} accuracy {hits.mean():.3f}  ECE {error:.3f}  confidence {sure.mean():.3f}  surest half {half:.3f}"
    )


async def measure(engine: LocalEngine, name: str, train: Rows, test: Rows) -> None:
    """Print the figures of one set of labels."""
    free = await logprobs(engine, [text.value for text in CONTENT_FREE], test.labels)
    prior = np.log(np.exp(free).mean(0))
    learnt = await logprobs(engine, train.texts, test.labels)
    started = time.perf_counter()
    raw = await logprobs(engine, test.texts, test.labels)
    took = (time.perf_counter() - started) / len(test.texts)
    print(f"{name}: {len(test.texts)} rows, {took * 1000:.0f} ms a row, prior {np.round(np.exp(prior), 3).tolist()}")
    print(line("as they are", raw, test.truth))
    for how, values, known in (("", raw, learnt), ("prior subtracted", raw - prior, learnt - prior)):
        best = best_temperature(known, train.truth)
        if how:
            print(line(how, values, test.truth))
            print(line(f"{how}, temperature {TASK.temperature}", values / TASK.temperature, test.truth))
        print(line(f"{how} fitted temperature {best:.2f}".strip(), values / best, test.truth))


async def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with banking77 and tfns")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--sets", nargs="*", default=[*INTENTS, "tweets"])
    options = parser.parse_args()
    base = Registry(default_models_dir()).resolve("smollm2-135m-instruct")
    engine = LocalEngine(base.path, base.identity, {}, EngineSettings(max_queue=10_000))
    await engine.start()
    try:
        for name in options.sets:
            splits = [
                tweets(options.data, split, options.rows)
                if name == "tweets"
                else banking(options.data, INTENTS[name], split, options.rows)
                for split in ("train", "valid" if name == "tweets" else "test")
            ]
            await measure(engine, name, *splits)
    finally:
        await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
