"""One run from a tagging recipe to an adapter folder, with its figures and model card."""

from __future__ import annotations

import json
import platform
import random
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import yaml

from finslm.engine.cpu import available_cpus
from finslm.evaluate.extraction import Tally, answered, cells, gold
from finslm.tasks import TASKS
from finslm.tasks.choosing import choose
from finslm.tasks.forms import Form
from finslm.train.documents import dataset
from finslm.train.documents.dataset import Row
from finslm.train.energy import Meter
from finslm.train.finetune import Progress
from finslm.train.privacy import membership
from finslm.train.privacy.audit import AT_MOST
from finslm.train.tagging import Tagger, TaggingRun
from finslm.train.tagging_card import write_card
from finslm.train.tagging_recipe import TaggingRecipe

_TEMPERATURES: Final = np.linspace(0.5, 3.0, 26)


def train(
    recipe: TaggingRecipe,
    base_dir: Path,
    out: Path,
    *,
    progress: Progress,
    told: dataset.Told,
    resume: bool = False,
    threads: int = 0,
) -> dict[str, Any]:
    """Make the documents, train, save, calibrate and test.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        ConfigError: the base cannot be used, or there is nothing to resume.
    """
    workers = threads or available_cpus()
    documents = dataset.load(recipe.documents, recipe.seed, out / "documents", told)
    torch.set_num_threads(1)
    run = TaggingRun(recipe, documents, base_dir, out, workers)
    (out / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), "utf-8")
    meter = Meter()
    run.train(meter.watching(progress), resume=resume)
    seconds = run.history[-1]["seconds"] if run.history else 0.0
    return finish(run, run.save(), meter.taken(seconds, workers, whole=not resume))


def finish(run: TaggingRun, folder: Path, energy: dict[str, Any] | None = None) -> dict[str, Any]:
    """Calibrate and test the saved folder; write metrics and model card."""
    torch.set_num_threads(run.workers)
    calibrate(folder, run.base_dir, run.documents.dev)
    tagger = Tagger(folder, run.base_dir)
    tests = {"redacted": run.documents.test, "raw": [row.unredacted for row in run.documents.test]}
    report = {
        "test": {way: measure(tagger, rows) for way, rows in tests.items()},
        "temperature": tagger.card.temperature,
        "rows": {"train": len(run.documents.train), "dev": len(run.documents.dev), "test": len(run.documents.test)},
        "data_sha256": dict(run.documents.sha256),
        "seed": run.recipe.seed,
        "history": run.history,
        "energy": energy,
        "audit": audit(run),
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
        "machine": f"{platform.machine()}, {run.workers} threads",
    }
    (run.out / "metrics.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    write_card(run.recipe, report, folder)
    return report


def audit(run: TaggingRun) -> dict[str, Any]:
    """Attack the adapter by somebody who has it: membership inference by the loss on a document.

    Those trained on are told from others of the same structures, so that only what stands in them can give it away.
    """
    chance = random.Random(f"sides {run.recipe.seed}")  # noqa: S311 - repeatable draws, not a secret
    members, others = (
        chance.sample(side, min(AT_MOST, len(side))) for side in (run.documents.train, run.documents.unseen)
    )
    found = membership.attack(-run.losses(members), -run.losses(others))
    return {"membership": {"loss_threshold": found.as_dict(), "calibrated": None}, "exposure": []}


def calibrate(folder: Path, base_dir: Path, rows: Sequence[Row]) -> float:
    """Choose the temperature at which most fields of held-back documents are right.

    What is chosen depends on it, as scores are weighed against what a document should have. Among equals it is the one
    of least negative log-likelihood of "this field is right" (Guo et al. 2017, arXiv:1706.04599).
    """
    from dataclasses import replace

    tagger = Tagger(folder, base_dir)
    seen = [(row, *tagger.logits(row.text)) for row in rows]

    def loss(temperature: float) -> tuple[float, float]:
        tally = Tally()
        for row, reading, logits in seen:
            read = replace(reading, card=replace(tagger.card, temperature=temperature))
            form = form_of(row)
            _count(tally, row, form, choose(form, row.text, read.spans(logits, form.labels)))
        scores, right = np.array([s for s, _ in tally.sure]), np.array([r for _, r in tally.sure])
        return -tally.as_dict()["exact"], float(-np.log(np.clip(np.where(right, scores, 1 - scores), 1e-4, 1)).mean())

    best = round(float(min(_TEMPERATURES, key=loss)), 4)
    replace(tagger.card, temperature=best).write(folder)
    return best


def measure(tagger: Tagger, rows: Sequence[Row]) -> dict[str, Any]:
    """Exact match on some documents, by field, document, kind and structure."""
    whole = Tally()
    parts: dict[str, Tally] = {}
    for row in rows:
        form = form_of(row)
        spans = choose(form, row.text, tagger.spans(row.kind, row.text))
        for tally in (whole, *(parts.setdefault(name, Tally()) for name in (row.kind, row.structure))):
            _count(tally, row, form, spans)
    wanted: Callable[[str], float] = lambda name: parts[name].as_dict()["exact"]  # noqa: E731
    return whole.as_dict() | {"by_structure": {name: wanted(name) for name in sorted(parts)}}


def form_of(row: Row) -> Form:
    """The form of a document's task."""
    form = TASKS.get(row.task).form
    if form is None:
        raise AssertionError("a task of these documents has a form")
    return form


def _count(tally: Tally, row: Row, form: Form, spans: Sequence[Any]) -> None:
    right = gold(form, row.raw, row.raw_spans)
    answer = answered(form, row.text, spans, row.placeholders)
    tally.add(form, cells(form, right, answer), form.scores(spans))
