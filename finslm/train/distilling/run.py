"""One distilling run from recipe to adapter folder, with its figures and curves."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
import yaml

from finslm.engine.adapters import weights_sha256
from finslm.engine.cpu import available_cpus
from finslm.errors import ConfigError
from finslm.evaluate.data import Dataset, load
from finslm.evaluate.datasets.explained import Rationales
from finslm.evaluate.metrics import Scores, score
from finslm.train.distilling import card
from finslm.train.distilling import folder as folders
from finslm.train.distilling.curves import draw
from finslm.train.distilling.loop import CHECKPOINT_S, Loop, Progress
from finslm.train.distilling.recipe import DistilRecipe
from finslm.train.distilling.rows import explainable, linear, own_rationales, own_redacted, redact_rationales, share_of
from finslm.train.distilling.student import Student
from finslm.train.distilling.teachers import Row, teacher_of
from finslm.train.distilling.teachers.base import redacted_rows
from finslm.train.distilling.teachers.cache import CachedTeacher
from finslm.train.redacted import Redaction, redact
from redaction import Redactor

ANSWERS: Final = "rationales.jsonl"
"""Of the run folder: what the teacher answered."""


@final
@dataclass(frozen=True, slots=True)
class Report:
    """Where the adapter is, and how it did beside the baseline."""

    folder: Path
    student: Scores
    """Of the saved folder, read again."""
    baseline: Scores
    """TF-IDF and a linear support vector machine on the same rows."""
    facts: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "folder": self.folder.name,
            "student": self.student.as_dict(),
            "baseline": self.baseline.as_dict(),
            **self.facts,
        }


@final
@dataclass(frozen=True, slots=True)
class Rows:
    """What a run is given to learn from, after redaction."""

    dataset: Dataset
    redaction: Redaction | None

    def to_explain(self) -> list[Row]:
        """The rows to train on, for a teacher.

        Raises:
            TypeError: they were not redacted.
        """
        if self.redaction is None:
            raise TypeError("rows that have not passed the redaction stage do not reach a teacher")
        return redacted_rows(self.dataset.train, self.redaction)


def read_rows(
    recipe: DistilRecipe, data: Path, out: Path, redactor: Redactor | None, *, skip_bad: bool = False
) -> Rows:
    """Load, redact, and take the recipe's share to train on.

    Args:
        redactor: that of serving; wanted where the recipe redacts.

    Raises:
        ConfigError: the data cannot be used.
    """
    dataset, redaction = load(recipe.data, data, recipe.seed, skip_bad=skip_bad), None
    if recipe.data.redact:
        if redactor is None:
            raise ConfigError("data.redact is true, and there is no redactor")
        dataset, redaction = redact(dataset, redactor, out / "redacted", skip_bad=skip_bad)
    return Rows(replace(dataset, train=share_of(dataset.train, recipe.training.share)), redaction)


def write_rows(rows: Rows, file: Path) -> int:
    """Write the rows that a file of rationales must explain, as JSON Lines; return how many.

    Raises:
        ConfigError: it cannot be written.
    """
    lines = [
        {"sha256": row.sha256, "text": row.text.value, "label": row.label} for row in dict.fromkeys(rows.to_explain())
    ]
    try:
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    return len(lines)


def train(
    recipe: DistilRecipe,
    data: Path,
    base_dir: Path,
    out: Path,
    *,
    progress: Progress,
    installed: Callable[[str], Path],
    resume: bool = False,
    threads: int = 0,
    skip_bad: bool = False,
    redactor: Redactor | None = None,
    teacher_progress: Callable[[int, int], None] = lambda _done, _all: None,
    checkpoint_s: float = CHECKPOINT_S,
) -> Report:
    """Redact, ask the teacher, train, save, and score the saved folder beside TF-IDF + SVM.

    Args:
        installed: from a model's name to its folder, for a teacher that is a model here.

    Raises:
        ConfigError: data, teacher, base or run folder cannot be used, or there is nothing to resume.
        Interrupted: by a signal; ``resume`` goes on.
    """
    torch.set_num_threads(threads or available_cpus())
    try:
        out.mkdir(parents=True, exist_ok=True)
        rows = read_rows(recipe, data, out, redactor, skip_bad=skip_bad)
        why = rationales_of(recipe, data, rows, out, installed, redactor, teacher_progress)
        torch.manual_seed(recipe.seed)
        student = Student(recipe, base_dir, rows.dataset.labels)
        loop = Loop(
            student,
            explainable(rows.dataset.train, why),
            recipe,
            out,
            base=weights_sha256(base_dir),
            checkpoint_s=checkpoint_s,
        )
        if resume:
            loop.resume()
        # Only now: a checkpoint that is another recipe's keeps the recipe that it is of beside it.
        (out / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), "utf-8")
        loop.run(progress)
        folder = folders.write(student, recipe, base_dir, out)
        return _finish(recipe, rows, why, folders.load(folder, recipe, base_dir), loop, folder)
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}; make room and go on with --resume") from error


def rationales_of(
    recipe: DistilRecipe,
    data: Path,
    rows: Rows,
    out: Path,
    installed: Callable[[str], Path],
    redactor: Redactor | None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[tuple[str, str], str]:
    """Text and label as they are trained on → rationale, redacted where the rows are; empty ones are left out.

    Raises:
        ConfigError: a data set has none, or the teacher cannot be asked.
    """
    if recipe.rationales.source == "none":
        return {}
    teacher = teacher_of(recipe.rationales, data, installed)
    if teacher is None:
        why = own_rationales(recipe, data)
        why = why if redactor is None or rows.redaction is None else own_redacted(why, redactor)
    else:
        asked = rows.to_explain()
        answers = CachedTeacher(teacher, out / ANSWERS, progress).explain(asked)
        why = {(row.text.value, row.label): answer for row, answer in zip(asked, answers, strict=True)}
    trained = {(row.text, row.label) for row in rows.dataset.train}
    why = {row: rationale for row, rationale in why.items() if rationale.strip() and row in trained}
    return why if redactor is None or rows.redaction is None else redact_rationales(why, redactor)


def _finish(recipe: DistilRecipe, rows: Rows, why: Rationales, student: Student, loop: Loop, folder: Path) -> Report:
    dataset = rows.dataset
    logs, truth = student.scores([row.text for row in dataset.test]), _truth(dataset, "test")
    report = Report(
        folder=folder,
        student=score(logs.argmax(-1).numpy(), truth, logs.double().softmax(-1).numpy()),
        baseline=_baseline(dataset),
        facts={
            "rows": {name: len(getattr(dataset, name)) for name in ("train", "dev", "test")},
            "rows_with_rationale": sum((row.text, row.label) in why for row in dataset.train),
            "rationale_weight": recipe.weight,
            "dev_accuracy": _accuracy(student, dataset, "dev"),
            "longer_than_max_tokens": student.encoder.long([row.text for row in (*dataset.train, *dataset.test)]),
            "data_sha256": dataset.file_sha256,
            "rows_sha256": dataset.digest,
            "redaction": None if rows.redaction is None else rows.redaction.as_dict(),
            "malformed_skipped": dataset.skipped,
            "seed": recipe.seed,
            "labels": list(dataset.labels),
            "steps": loop.steps,
            "seconds": round(loop.seconds, 1),
            "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
            "adapter_sha256": folders.digest(folder),
        },
    )
    losses = {"label": loop.label_losses, "rationale": loop.rationale_losses}
    (folder.parent / "metrics.json").write_text(json.dumps(report.as_dict(), indent=2) + "\n", "utf-8")
    (folder.parent / "history.json").write_text(json.dumps(losses) + "\n", "utf-8")
    draw(losses, folder.parent / "curves.png")
    card.write(recipe, dataset, report.as_dict(), folder)
    return report


def _accuracy(student: Student, dataset: Dataset, split: str) -> float:
    predicted = student.scores([row.text for row in getattr(dataset, split)]).argmax(-1).numpy()
    return float((predicted == _truth(dataset, split)).mean())


def _truth(dataset: Dataset, split: str) -> np.ndarray:
    """[N] numbers of the labels; -1 for one that is not among those to choose from."""
    number = {label: i for i, label in enumerate(dataset.labels)}
    return np.array([number.get(row.label, -1) for row in getattr(dataset, split)])


def _baseline(dataset: Dataset) -> Scores:
    truth, texts = _truth(dataset, "test"), [row.text for row in dataset.test]
    trained = _truth(dataset, "train")
    return score(linear([row.text for row in dataset.train], trained, texts), truth)
