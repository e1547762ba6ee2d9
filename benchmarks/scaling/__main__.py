"""``python -m benchmarks.scaling --data DIR [--record]``: how small can it be.

Networks of 1M, 3M, 10M and 30M parameters are pretrained from scratch on the same tokens of public finance texts; then
each, and a random network of the same size, is tuned whole on a few rows of two tasks. Bits per byte of held-out
documents and accuracy on the published test rows, beside a linear model on the same rows. What is known is written
after each step, so that a run that is cut off leaves what it finished. ``--short`` shows in seconds that it works.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.scaling.report import draw, table
from benchmarks.scaling.study import Study
from benchmarks.scaling.tasks import TASKS, Task, banking
from finslm.errors import ConfigError, UnknownModel
from finslm.models.registry import Registry
from finslm.train.pretraining import recipe as recipes
from finslm.train.pretraining.recipe import PretrainRecipe
from redaction.ner.weights import default_models_dir

RESULTS = Path(__file__).parents[1] / "results"
REFERENCE = "smollm2-135m-instruct"


def recipe(tokens: int, *, short: bool) -> PretrainRecipe:
    """The shipped recipe's corpus; the short form reads the smallest part of it."""
    whole = recipes.read("finance-10m")
    corpus, how = whole.corpus, whole.training
    parts = corpus.parts[-1:] if short else corpus.parts
    return whole.model_copy(
        update={
            "corpus": corpus.model_copy(
                update={"parts": parts, "train_bytes": 6 * tokens, "held_out_bytes": 20_000 if short else 100_000}
            ),
            "tokenizer": whole.tokenizer.model_copy(update={"vocabulary": 512 if short else 4096}),
            "training": how.model_copy(
                update={"tokens": tokens, "window": 64 if short else 128, "batch_windows": 8, "evaluations": 4}
            ),
        }
    )


def tasks(names: list[str], data: Path, seed: int, epochs: int, *, short: bool) -> list[Task]:
    """Those asked for; the short form reads few rows of one."""
    if short:
        return [banking(data, seed, rows_per_label=1, epochs=1, test_rows=100)]
    return [TASKS[name](data, seed, epochs=epochs) for name in names]


def merged(files: list[Path]) -> dict[str, Any]:
    """Runs of some sizes each, as one result.

    Raises:
        ConfigError: they did not read the same.
    """
    results = [json.loads(file.read_text("utf-8")) for file in files]
    whole: dict[str, Any] = results[0]
    for other in results[1:]:
        if any(other[key] != whole[key] for key in ("budget", "corpus", "baselines", "training_rows", "epochs")):
            raise ConfigError("runs with other tokens, documents or rows cannot stand in one table")
        whole["rows"] += other["rows"]
        whole |= {"reference": other["reference"]} if "reference" in other else {}
    whole["rows"].sort(key=lambda row: row["parameters"])
    return whole


def show(result: dict[str, Any], folder: Path, *, record: bool, as_json: bool) -> None:
    """Write the picture, with ``record`` where it belongs, and print."""
    if record:
        folder = RESULTS.parents[1] / "docs" / "images"
        folder.mkdir(exist_ok=True)
        (RESULTS / "scaling.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    draw(result, folder / "scaling.png")
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        Console().print(table(result))


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with the data sets")
    parser.add_argument("--tokens", type=int, default=1_000_000, help="trained on by each size")
    parser.add_argument("--presets", nargs="*", default=["1m", "3m", "10m", "30m"])
    parser.add_argument("--tasks", nargs="*", choices=[*TASKS], default=[*TASKS])
    parser.add_argument("--epochs", type=int, default=10, help="of tuning on BANKING77; a third of it on the tweets")
    parser.add_argument("--minutes", type=float, default=600, help="a size that would not be done by then is left out")
    parser.add_argument("--no-reference", action="store_true", help="leave out the model that is served")
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own number; 1 on a busy machine")
    parser.add_argument("--work", type=Path, help="folder for the result as it grows; a temporary one if not given")
    parser.add_argument("--short", action="store_true", help="seconds: little text, few rows, two sizes")
    parser.add_argument("--record", action="store_true", help="write results/scaling.json and docs/images/scaling.png")
    parser.add_argument("--merge", type=Path, nargs="*", help="run nothing: put results of some sizes each together")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    if chosen.merge:
        show(merged(chosen.merge), chosen.merge[0].parent, record=chosen.record, as_json=chosen.json)
        return
    if chosen.data is None:
        parser.error("--data or --merge is wanted")
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    with tempfile.TemporaryDirectory() as own:
        work = chosen.work or Path(own)
        work.mkdir(parents=True, exist_ok=True)
        asked = recipe(4096 if chosen.short else chosen.tokens, short=chosen.short)
        wanted = tasks(chosen.tasks, chosen.data, asked.seed, chosen.epochs, short=chosen.short)
        study = Study(asked, chosen.data, work, wanted, work / "scaling.json", seconds=chosen.minutes * 60)
        run(
            study,
            chosen.presets[:2] if chosen.short else chosen.presets,
            reference=not chosen.short and not chosen.no_reference,
        )
        show(study.result, work, record=chosen.record, as_json=chosen.json)


def run(study: Study, presets: list[str], *, reference: bool) -> None:
    """All sizes; then the model that is served, where it is installed."""
    for name in presets:
        study.size(name)
    if reference:
        try:
            study.reference(REFERENCE, Registry(default_models_dir()).resolve(REFERENCE).path)
        except UnknownModel as error:
            print(error)


if __name__ == "__main__":
    main()
