"""One fine-tuning run from recipe to adapter folder, with its figures, curves and model card."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
import yaml

from finslm.engine.adapters import fingerprint
from finslm.engine.cpu import available_cpus
from finslm.errors import ConfigError
from finslm.evaluate.baselines import tfidf_svm
from finslm.evaluate.classifiers import Evaluation, Truth, evaluate
from finslm.evaluate.data import Dataset, load
from finslm.evaluate.metrics import Scores, score
from finslm.train import card, datacard, partners
from finslm.train.energy import Meter
from finslm.train.finetune import CHECKPOINT_S, Progress, Run
from finslm.train.partners import Companion
from finslm.train.privacy.audit import Audit, audit
from finslm.train.recipe import Recipe
from finslm.train.redacted import Redaction, redact
from finslm.train.teachers import Teacher
from redaction import Redactor

BUDGET_S: Final = 60.0
"""Time for one text in the redaction stage, seconds: nobody waits for it here."""


@final
@dataclass(frozen=True, slots=True)
class Report:
    """Where the adapter is, and how it did beside the baseline."""

    folder: Path
    adapter: Evaluation
    baseline: Scores
    """TF-IDF and a linear support vector machine, on the rows in scope."""
    facts: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "folder": self.folder.name,
            "adapter": self.adapter.as_dict(),
            "baseline": self.baseline.as_dict(),
            **self.facts,
        }


def train(
    recipe: Recipe,
    data: Path,
    base_dir: Path,
    out: Path,
    *,
    progress: Progress,
    resume: bool = False,
    threads: int = 0,
    device: str = "cpu",
    skip_bad: bool = False,
    redactor: Redactor | None = None,
    twin_progress: Progress = lambda _step, _steps, _loss: None,
    redaction_progress: Callable[[int, int], None] = lambda _done, _all: None,
    with_twin: bool = True,
    checkpoint_s: float = CHECKPOINT_S,
    teachers: Sequence[Teacher] = (),
    companion: Companion | None = None,
) -> Report:
    """Train, save, attack, and score the saved folder on the test rows, beside TF-IDF + SVM on the same rows.

    Args:
        redactor: that of serving; None: one with the built-in policy. Not used where the recipe does not redact.
        with_twin: train a twin too, to measure exposure and for the calibrated attack.
        checkpoint_s: how often a checkpoint is written within an epoch, seconds.
        teachers: those that the recipe names.
        companion: the partner that the recipe names.

    Raises:
        ConfigError: data, base or run folder cannot be used, or there is nothing to resume.
    """
    torch.set_num_threads(threads or available_cpus())
    dataset = load(recipe.data, data, recipe.seed, skip_bad=skip_bad)
    try:
        out.mkdir(parents=True, exist_ok=True)
        redaction = None
        if recipe.data.redact:
            redactor = redactor or Redactor.from_policy(None, budget_s=BUDGET_S)
            dataset, redaction = redact(
                dataset, redactor, out / "redacted", skip_bad=skip_bad, progress=redaction_progress
            )
        datacard.write(recipe, dataset, redaction, out)
        run = Run(recipe, dataset, base_dir, out, device, checkpoint_s, teachers=tuple(teachers))
        (out / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), "utf-8")
        if companion is not None:
            companion.check(run)
        meter = Meter()
        run.train(meter.watching(progress), resume=resume)
        energy = meter.taken(run.seconds, torch.get_num_threads(), whole=not resume)
        folder = run.save()
        if companion is not None:
            companion.join(run, folder)
        found = audit(run, twin_progress, with_twin=with_twin, resume=resume)
        report = finish(run, folder, redaction, found, energy, companion)
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}; make room and go on with --resume") from error
    run.forget()
    return report


def finish(
    run: Run,
    folder: Path,
    redaction: Redaction | None = None,
    found: Audit | None = None,
    energy: dict[str, Any] | None = None,
    companion: Companion | None = None,
) -> Report:
    """Score the saved adapter, write metrics, curves and the model card.

    Args:
        redaction: what was done to the rows.
        found: what the attacks have found; None: none were made.
        energy: that the training took; None: it is not known.
        companion: that answers beside it, on the adapter's card already.
    """
    recipe, dataset = run.recipe, run.dataset
    begun = time.perf_counter()
    own, of_test = run.predict(folder)
    test = own if companion is None else companion.pooled(run, folder, "test", own)
    texts_a_second = len(of_test) / (time.perf_counter() - begun)
    dev, of_dev = run.predict(folder, "dev")
    if companion is not None:
        dev = companion.pooled(run, folder, "dev", dev)
    truth = Truth(dataset.labels, of_test, dataset.seen)
    report = Report(
        folder=folder,
        adapter=evaluate(test, truth, dev, Truth(dataset.labels, of_dev)),
        baseline=_baseline(dataset, truth),
        facts={
            "rows": {"train": len(dataset.train), "dev": len(dataset.dev), "test": len(dataset.test)},
            "overlap_dropped": dataset.overlap,
            "malformed_skipped": dataset.skipped,
            "longer_than_max_tokens": run.long_texts,
            "data_sha256": dataset.file_sha256,
            "redaction": None if redaction is None else redaction.as_dict(),
            "privacy": None if run.plan is None else run.plan.as_dict() | {"noise": _noise(recipe)},
            "audit": None if found is None else found.as_dict(),
            "seed": recipe.seed,
            "labels": len(dataset.labels),
            "history": run.history,
            "energy": energy,
            "partner": partners.facts(folder, own, of_test),
            "texts_a_second": round(texts_a_second, 1),
            "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
            "machine": f"{platform.machine()}, {run.device}, {torch.get_num_threads()} threads",
            "adapter_sha256": fingerprint(folder),
        },
    )
    (run.out / "metrics.json").write_text(json.dumps(report.as_dict(), indent=2) + "\n", "utf-8")
    (run.out / "history.json").write_text(json.dumps(run.history, indent=2) + "\n", "utf-8")
    card.draw_curves(run.history, report.adapter.coverage, run.out / "curves.png")
    card.write(recipe, dataset, report.as_dict(), folder)
    return report


def _noise(recipe: Recipe) -> str | None:
    return None if recipe.privacy is None else recipe.privacy.noise


def _baseline(dataset: Dataset, truth: Truth) -> Scores:
    number = {label: i for i, label in enumerate(dataset.labels)}
    rows = [*dataset.train, *dataset.dev]  # the baseline needs no dev rows, so it may have them all
    kept = [row for row in rows if row.label in number]
    inside = np.flatnonzero(truth.inside).tolist()
    predicted = tfidf_svm(
        [row.text for row in kept],
        np.array([number[row.label] for row in kept]),
        [dataset.test[i].text for i in inside],
    )
    return score(predicted, truth.of[inside])
