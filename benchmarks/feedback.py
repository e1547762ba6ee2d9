"""Does feedback make an adapter better? ``python -m benchmarks.feedback --data DIR [--corrections 1200] [--record]``

An intent adapter is trained on ten rows of each of BANKING77's 77 labels. Then other rows of its training split come as
corrections of five callers: redacted, kept, built into a training set by the shipped code, and trained on with the ten
rows. One correction in twenty has a wrong label; of a third of the texts two callers speak. Both adapters are scored on
the published test rows and on the rows of the feedback that are held out, as they are served.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import facts
from finslm.config import EngineSettings, FeedbackSettings
from finslm.evaluate.adapters import ServedClassifier
from finslm.evaluate.data import DataRecipe, load
from finslm.evaluate.datasets import Example
from finslm.feedback import FeedbackStore, NewFeedback
from finslm.train import recipe as recipes
from finslm.train.feedback import select, write
from finslm.train.run import train
from redaction import Redactor
from redaction.for_good import known_placeholders_kept
from redaction.keys import FileKeys
from redaction.ner.weights import default_models_dir

RESULTS = Path(__file__).parent / "results" / "feedback.json"
CALLERS = [f"team-{number}" for number in range(5)]
SHOTS, WRONG, TWICE = 10, 0.05, 1 / 3


def base_recipe(epochs: int) -> recipes.Recipe:
    """Ten rows of each label; small steps, since it is trained twice."""
    tree = recipes.read("intent").model_dump(mode="json", exclude_unset=True)
    tree["data"] = {"parts": [{"dataset": "banking77", "path": "banking77", "rows_per_label": SHOTS}], "dev_share": 0.1}
    tree["data"]["redact"] = False  # the published rows are as they are; those of the feedback are redacted already
    tree["training"]["epochs"] = epochs
    return recipes.Recipe.model_validate(tree)


def corrections(data: Path, used: set[str], count: int, chance: random.Random) -> list[tuple[str, Example]]:
    """Caller and what it says, of texts that the adapter was not trained on."""
    source = {"data": {"parts": [{"dataset": "banking77", "path": "banking77"}], "dev_share": 0.1}}
    rows = load(DataRecipe.model_validate(source["data"]), data, 1).train
    fresh = chance.sample([row for row in rows if row.text not in used], count)
    labels = sorted({row.label for row in rows})
    said = []
    for row in fresh:
        for caller in chance.sample(CALLERS, 1 + (chance.random() < TWICE)):
            label = chance.choice(labels) if chance.random() < WRONG else row.label
            said.append((caller, Example(row.text, label)))
    return said


def collect(said: list[tuple[str, Example]], folder: Path) -> FeedbackStore:
    """Redact and keep them."""
    redactor = Redactor.from_policy(None)
    settings = FeedbackSettings(dir=folder / "store", max_a_day=1_000_000)
    store = FeedbackStore(settings, FileKeys.made(folder / "keys.json"))
    for number, ((caller, row), redacted) in enumerate(
        zip(said, redactor.redact_batch([row.text for _, row in said]), strict=True)
    ):
        store.add(
            NewFeedback(
                tenant="default",
                principal=caller,
                request_id=str(number),
                task="banking_intent",
                verdict="WRONG",
                text=known_placeholders_kept(redacted),
                label=row.label,
                consent_basis="TEST_DATA",
                consent_by="CONTROLLER",
                entity_counts=redacted.entity_counts,
                policy_digest=redactor.policy.digest,
                redactor_digest=redactor.digest,
            )
        )
    return store


def accuracy(folder: Path, rows: list[Example]) -> float:
    """Of the saved adapter, as it is served."""
    served = ServedClassifier(folder, default_models_dir() / "all-minilm-l6-v2", EngineSettings(), 2)
    best = served.probabilities([row.text for row in rows]).argmax(1)
    return float(np.mean([served.card.labels[n] == row.label for n, row in zip(best, rows, strict=True)]))


def measure(data: Path, count: int, epochs: int, threads: int) -> dict[str, Any]:
    """Before, the loop, after."""
    times: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)

        def timed(name: str, work: Any) -> Any:
            begun = time.perf_counter()
            done = work()
            times[name] = round(time.perf_counter() - begun, 1)
            return done

        def trained(name: str, recipe: recipes.Recipe) -> Path:
            base = default_models_dir() / recipe.base_model
            out = folder / name
            report = timed(
                name, lambda: train(recipe, data, base, out, progress=lambda *_: None, threads=threads, with_twin=False)
            )
            return report.folder

        recipe = base_recipe(epochs)
        few = load(recipe.data, data, recipe.seed)
        before = trained("train_before_s", recipe)
        said = corrections(data, {row.text for row in (*few.train, *few.dev)}, count, random.Random(5))
        store = timed("redact_and_keep_s", lambda: collect(said, folder))
        selection = timed("select_s", lambda: select(store.read()))
        built = write(selection, folder / "set", recipe=recipe, data=data)
        after = trained("train_after_s", recipes.read(str(built.recipe)))
        compare = recipes.read(str(built.compare))
        ours = list(load(compare.data, data, compare.seed).test)
        scores = {
            name: {"published_test": accuracy(adapter, list(few.test)), "feedback_test": accuracy(adapter, ours)}
            for name, adapter in (("before", before), ("after", after))
        }
        store.close()
        return {
            "corrections": len(said),
            "rows": built.facts["rows"],
            "left_out": built.facts["left_out"],
            "rows_published_test": len(few.test),
            "rows_trained_before": len(few.train),
            "accuracy": scores,
            "times": times,
        }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--corrections", type=int, default=1200)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS}")
    chosen = parser.parse_args()
    machine = facts()
    result = {"machine": machine, **measure(chosen.data, chosen.corrections, chosen.epochs, chosen.threads)}
    if chosen.record:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    if chosen.json:
        print(json.dumps(result))
        return
    for name, each in result["accuracy"].items():
        print(
            f"{name}: {each['published_test']:.4f} of the published test rows, {each['feedback_test']:.4f} of feedback"
        )
    print(f"{result['corrections']} corrections, rows {result['rows']}, left out {result['left_out']}")
    print(f"seconds: {result['times']}")


if __name__ == "__main__":
    main()
