"""One fine-tuning run from recipe to adapter folder, with its figures, curves and model card."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
import yaml

from finslm.engine.cpu import available_cpus
from finslm.evaluate.baselines import tfidf_svm
from finslm.evaluate.metrics import Scores, score
from finslm.train import card
from finslm.train.data import Dataset, load
from finslm.train.finetune import Progress, Run
from finslm.train.recipe import Recipe


@final
@dataclass(frozen=True, slots=True)
class Report:
    """Where the adapter is, and how it did beside the baseline."""

    folder: Path
    adapter: Scores
    adapter_unseen: Scores
    """On the test rows whose text, letter case and spaces aside, was not trained on."""
    baseline: Scores
    facts: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "folder": str(self.folder),
            "adapter": self.adapter.as_dict(),
            "adapter_unseen": self.adapter_unseen.as_dict(),
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
) -> Report:
    """Train, save, and score the saved folder on the test rows, beside TF-IDF + SVM on the same rows.

    Raises:
        ConfigError: data or base cannot be used, or there is nothing to resume.
    """
    torch.set_num_threads(threads or available_cpus())
    dataset = load(recipe.data, data, recipe.seed)
    run = Run(recipe, dataset, base_dir, out, device)
    (out / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), "utf-8")
    run.train(progress, resume=resume)
    folder = run.save()
    return finish(run, folder)


def finish(run: Run, folder: Path) -> Report:
    """Score the saved adapter, write metrics, curves and the model card."""
    recipe, dataset = run.recipe, run.dataset
    probabilities, truth = run.predict(folder)
    unseen = np.array([i not in dataset.seen for i in range(len(truth))])
    report = Report(
        folder=folder,
        adapter=score(probabilities.argmax(1), truth, probabilities),
        adapter_unseen=score(probabilities[unseen].argmax(1), truth[unseen], probabilities[unseen]),
        baseline=score(_baseline(dataset), truth),
        facts={
            "rows": {"train": len(dataset.train), "dev": len(dataset.dev), "test": len(dataset.test)},
            "overlap_dropped": dataset.overlap,
            "data_sha256": dataset.file_sha256,
            "seed": recipe.seed,
            "labels": len(dataset.labels),
            "history": run.history,
            "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
            "machine": f"{platform.machine()}, {run.device}, {torch.get_num_threads()} threads",
        },
    )
    (run.out / "metrics.json").write_text(json.dumps(report.as_dict(), indent=2) + "\n", "utf-8")
    card.draw_curves(run.history, run.out / "curves.png")
    card.write(recipe, report.as_dict(), folder)
    return report


def _baseline(dataset: Dataset) -> np.ndarray:
    number = {label: i for i, label in enumerate(dataset.labels)}
    rows = [*dataset.train, *dataset.dev]  # the baseline needs no dev rows, so it may have them all
    labels = np.array([number[row.label] for row in rows])
    return tfidf_svm([row.text for row in rows], labels, [row.text for row in dataset.test])
