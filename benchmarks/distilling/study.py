"""The study: each cell is one student, on one task, one share of its training rows and one seed, with or without
rationales. A cell's result is one line of a file; a rerun skips the cells that are there."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from finslm.errors import ConfigError
from finslm.evaluate.data import load
from finslm.evaluate.datasets import Example
from finslm.evaluate.datasets.explained import Rationales
from finslm.evaluate.metrics import score
from finslm.train.distilling.loop import Loop
from finslm.train.distilling.recipe import DistilRecipe, NoRationales, read
from finslm.train.distilling.rows import explainable, linear, own_rationales, share_of
from finslm.train.distilling.student import Student

TASKS = ("convfinqa-programs", "tatqa-operations")
SHARES = (0.125, 0.25, 0.5, 1.0)
SEEDS = (1, 2, 3)
SPLIT_SEED = 7
"""Which rows are trained on and in which order they come into a share: the same for all seeds."""


class OutOfTime(Exception):
    """The time that the study was given is over."""


@dataclass(frozen=True)
class Budget:
    """What bounds a cell."""

    rows: int = 800
    test_rows: int = 400
    epochs: int = 3
    min_steps: int = 60
    batch_size: int = 8
    max_tokens: int = 96
    learning_rate: float = 1e-3
    rank: int = 16


@dataclass(frozen=True)
class Cell:
    """One student."""

    task: str
    share: float
    rationales: bool
    seed: int


def cells(
    tasks: Sequence[str] = TASKS, shares: Sequence[float] = SHARES, seeds: Sequence[int] = SEEDS
) -> Iterator[Cell]:
    """All, in the order in which they tell most when time is short: both arms together, seed by seed."""
    for seed in seeds:
        for task in tasks:
            for share in shares:
                yield Cell(task, share, False, seed)
                yield Cell(task, share, True, seed)


@dataclass
class Task:
    """Rows of a task; its labels are those of all training rows."""

    name: str
    labels: tuple[str, ...]
    train: Sequence[Example]
    test: Sequence[Example]
    why: Rationales

    def truth(self, rows: Sequence[Example]) -> np.ndarray:
        return np.array([self.labels.index(row.label) for row in rows])


@dataclass
class Study:
    """Runs cells, and keeps what they gave."""

    data: Path
    base_dir: Path
    file: Path
    budget: Budget
    seconds: float = float("inf")
    checkpoint_s: float = 60.0
    found: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.until = time.monotonic() + self.seconds
        self.work = self.file.parent / "cell"
        self.work.mkdir(parents=True, exist_ok=True)
        self._tasks: dict[str, Task] = {}
        self.found = kept(self.file, asdict(self.budget))

    def run(self, wanted: Sequence[Cell]) -> bool:
        """Do what is not there yet; whether all of it is."""
        done = {Cell(**row["cell"]) for row in self.found}
        for cell in wanted:
            if cell in done:
                continue
            try:
                self._keep(cell, self.cell(cell))
            except OutOfTime:
                return False
        return True

    def cell(self, cell: Cell) -> dict[str, Any]:
        """Train one student and score it."""
        if time.monotonic() >= self.until:
            raise OutOfTime
        task, recipe = self.task(cell.task), self.recipe(cell)
        torch.manual_seed(cell.seed)
        student = Student(recipe, self.base_dir, task.labels)
        rows = explainable(share_of(task.train, cell.share), task.why if cell.rationales else {})
        loop = Loop(student, rows, recipe, self.work, checkpoint_s=self.checkpoint_s)
        if loop.resumable:
            resume(loop)
        loop.run(lambda step, steps, loss: self.in_time(cell, step, steps, loss))
        predicted = student.scores([row.text for row in task.test]).argmax(-1).numpy()
        scores = score(predicted, task.truth(task.test))
        loop.forget()
        return {
            "rows": len(rows),
            "steps": loop.steps,
            "accuracy": scores.accuracy,
            "macro_f1": scores.macro_f1,
            "label_loss": float(np.mean(loop.label_losses[-10:])),
            "rationale_loss": float(np.mean(loop.rationale_losses[-10:])),
            "seconds": round(loop.seconds, 1),
        }

    def task(self, name: str) -> Task:
        """Rows of a task, read once."""
        if name not in self._tasks:
            recipe = read(name)
            dataset = load(recipe.data, self.data, SPLIT_SEED)
            every = max(1, len(dataset.test) // self.budget.test_rows)
            train, test = dataset.train[: self.budget.rows], dataset.test[::every][: self.budget.test_rows]
            self._tasks[name] = Task(name, dataset.labels, train, test, own_rationales(recipe, self.data))
        return self._tasks[name]

    def recipe(self, cell: Cell) -> DistilRecipe:
        """The shipped one of the task, within the budget."""
        whole, b = read(cell.task), self.budget
        training = whole.training.model_copy(
            update={
                "share": cell.share,
                "epochs": b.epochs,
                "min_steps": b.min_steps,
                "batch_size": b.batch_size,
                "learning_rate": b.learning_rate,
            }
        )
        changed: dict[str, Any] = {
            "seed": cell.seed,
            "training": training,
            "student": whole.student.model_copy(update={"max_tokens": b.max_tokens}),
            "lora": whole.lora.model_copy(update={"rank": b.rank, "alpha": 2 * b.rank}),
        }
        if not cell.rationales:
            changed["rationales"] = NoRationales(source="none")
        return whole.model_copy(update=changed)

    def baselines(self, names: Sequence[str]) -> dict[str, Any]:
        """TF-IDF and a linear SVM on the same rows, by task and share; and how often the commonest label is right."""
        return {name: self._baseline(self.task(name)) for name in names}

    def _baseline(self, task: Task) -> dict[str, Any]:
        truth, texts = task.truth(task.test), [row.text for row in task.test]
        found: dict[str, Any] = {"test_rows": len(texts), "labels": len(task.labels), "by_share": {}}
        commonest = np.bincount(task.truth(task.train)).argmax()
        found["commonest_label"] = float((truth == commonest).mean())
        for share in SHARES:
            rows = share_of(task.train, share)
            predicted = linear([row.text for row in rows], task.truth(rows), texts)
            found["by_share"][str(share)] = score(predicted, truth).accuracy
        return found

    def in_time(self, cell: Cell, step: int, steps: int, loss: float) -> None:
        """Told after each step."""
        if step % 10 == 0 or step == steps:
            print(
                f"{cell.task} {cell.share:g} {_arm(cell)} seed {cell.seed}: {step}/{steps} loss {loss:.3f}", flush=True
            )
        if time.monotonic() >= self.until:
            raise OutOfTime

    def _keep(self, cell: Cell, result: Mapping[str, Any]) -> None:
        line = {"budget": asdict(self.budget), "cell": asdict(cell), **result}
        with self.file.open("a", encoding="utf-8") as kept_file:
            kept_file.write(json.dumps(line) + "\n")
            kept_file.flush()
            os.fsync(kept_file.fileno())
        self.found.append(line)
        print(
            f"{cell.task} {cell.share:g} {_arm(cell)} seed {cell.seed}: accuracy {result['accuracy']:.4f}", flush=True
        )


def resume(loop: Loop) -> None:
    """Go on where the cell stopped; a checkpoint of another cell is left behind."""
    state = random.getstate()
    try:
        loop.resume()
    except ConfigError as error:
        print(f"begun anew: {error}", flush=True)
    random.setstate(state)


def kept(file: Path, budget: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Results of a run before this one; half a line, which a crash leaves, is cut off.

    Raises:
        ConfigError: they are of another budget.
    """
    if not file.exists():
        return []
    lines = file.read_text("utf-8").split("\n")
    file.write_text("".join(line + "\n" for line in lines[:-1]), "utf-8")
    found = [json.loads(line) for line in lines[:-1]]
    if any(row["budget"] != budget for row in found):
        raise ConfigError(f"{file} holds cells of another budget: give --work another folder, or the old numbers")
    return found


def _arm(cell: Cell) -> str:
    return "with" if cell.rationales else "without"
