"""Tasks that the networks are tuned for: few rows, the published test rows, and what a linear model does with them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from finslm.engine.adapters import encode
from finslm.engine.classifier import SequenceClassifier, pad
from finslm.evaluate.baselines import tfidf_svm
from finslm.evaluate.data import DataRecipe, PartRecipe, load
from finslm.evaluate.datasets import Example
from finslm.evaluate.metrics import Scores, score
from finslm.train.pretraining.network import products

MOST_TOKENS = 64
"""Of a text the first so many are read."""


@dataclass(frozen=True)
class Task:
    """Rows, and how often they are read."""

    name: str
    labels: tuple[str, ...]
    train: Sequence[Example]
    test: Sequence[Example]
    epochs: int

    def truth(self, rows: Sequence[Example]) -> NDArray[np.int64]:
        """Numbers of the rows' labels."""
        return np.array([self.labels.index(row.label) for row in rows])

    def baseline(self) -> Scores:
        """TF-IDF and a linear support vector machine on the same rows."""
        predicted = tfidf_svm([r.text for r in self.train], self.truth(self.train), [r.text for r in self.test])
        return score(predicted, self.truth(self.test))


def banking(data: Path, seed: int, *, rows_per_label: int = 10, epochs: int = 10, test_rows: int | None = None) -> Task:
    """BANKING77, ten messages for each of 77 intents."""
    return _task("banking77", data, seed, epochs, test_rows, rows_per_label=rows_per_label)


def tweets(data: Path, seed: int, *, rows: int = 1000, epochs: int = 10, test_rows: int | None = None) -> Task:
    """Financial tweets: bearish, bullish, neutral, as often as they come; a third of the epochs, for they are more."""
    return _task("tfns", data, seed, max(1, epochs // 3), test_rows, rows=rows)


TASKS = {"banking77": banking, "tfns": tweets}
"""By name."""


def _task(
    name: str, data: Path, seed: int, epochs: int, test_rows: int | None, rows: int | None = None, **more: Any
) -> Task:
    part = PartRecipe(dataset=name, path=Path(name), **more)
    found = load(DataRecipe(parts=(part,), dev_share=0.05), data, seed)
    every = len(found.test) // test_rows if test_rows else 1
    return Task(name, found.labels, found.train[:rows], found.test[::every], epochs)


def tune(backbone: Any, tokenizer: Any, task: Task, *, rate: float, seed: int, batch: int = 32) -> Scores:
    """Train every parameter and a head on the mean of the last states, and score the test rows.

    Args:
        backbone: network without a head; it is changed.
        rate: peak learning rate, which falls in a line.
    """
    torch.manual_seed(seed)
    chance = random.Random(seed)
    classifier = SequenceClassifier(backbone, len(task.labels), bidirectional=True)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=rate, weight_decay=0.01, fused=True)
    rows, truth = [_encoded(tokenizer, row.text) for row in task.train], torch.from_numpy(task.truth(task.train))
    steps = -(-len(rows) // batch) * task.epochs
    warm = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, max(0.0, (steps - step) / (steps - warm or 1)))
    )
    classifier.train()
    for _ in range(task.epochs):
        order = list(range(len(rows)))
        chance.shuffle(order)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            loss = functional.cross_entropy(_logits(classifier, tokenizer, [rows[i] for i in chosen]), truth[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(classifier.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return score(_predict(classifier, tokenizer, task.test), task.truth(task.test))


@torch.no_grad()
def _predict(classifier: SequenceClassifier, tokenizer: Any, rows: Sequence[Example]) -> NDArray[np.int64]:
    classifier.train(mode=False)
    encoded = [_encoded(tokenizer, row.text) for row in rows]
    order = sorted(range(len(rows)), key=lambda i: len(encoded[i]))
    found = np.zeros(len(rows), np.int64)
    for start in range(0, len(order), 64):
        chosen = order[start : start + 64]
        found[chosen] = _logits(classifier, tokenizer, [encoded[i] for i in chosen]).argmax(-1).numpy()
    return found


def _logits(classifier: SequenceClassifier, tokenizer: Any, rows: list[list[int]]) -> Tensor:
    ids, mask = pad(rows, tokenizer.pad_token_id)
    with products("auto", "cpu"):
        return classifier(ids, mask).float()  # type: ignore[no-any-return]


def _encoded(tokenizer: Any, text: str) -> list[int]:
    ids = encode(tokenizer, text)
    return ids if len(ids) <= MOST_TOKENS else [*ids[: MOST_TOKENS - 1], ids[-1]]
