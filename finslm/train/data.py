"""Rows to train and test on."""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from finslm.errors import ConfigError
from finslm.train.recipe import DataRecipe


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text."""

    text: str
    label: str


@final
@dataclass(frozen=True, slots=True)
class Dataset:
    """Three disjoint lists of rows, the labels in order, and the SHA-256 of each file they came from."""

    train: Sequence[Row]
    dev: Sequence[Row]
    test: Sequence[Row]
    labels: tuple[str, ...]
    file_sha256: dict[str, str]
    overlap: int
    """Test texts that also stand in the training files (dropped from train and dev)."""
    seen: frozenset[int]
    """Test rows whose text, letter case and spaces aside, is also trained on; scores are given without them too."""


def load(recipe: DataRecipe, folder: Path, seed: int) -> Dataset:
    """Read the files, drop training rows whose text is also a test text, and hold back the dev rows.

    Raises:
        ConfigError: a file or column is missing, or the test file has a label that train lacks.
    """
    files = {"train": folder / recipe.train, "test": folder / recipe.test}
    rows = {split: _read(path, recipe.text, recipe.label) for split, path in files.items()}
    labels = tuple(sorted({row.label for row in rows["train"]}))
    if unknown := {row.label for row in rows["test"]} - set(labels):
        raise ConfigError(f"{files['test']}: {len(unknown)} labels that the training file lacks")
    test_texts = {row.text for row in rows["test"]}
    usable = [row for row in rows["train"] if row.text not in test_texts]
    overlap = len({row.text for row in rows["train"]} & test_texts)
    random.Random(seed).shuffle(usable)  # noqa: S311 - a repeatable split, not a secret
    held_back = round(len(usable) * recipe.dev_share)
    digests = {split: hashlib.sha256(path.read_bytes()).hexdigest() for split, path in files.items()}
    known = {_folded(row.text) for row in usable}
    seen = frozenset(i for i, row in enumerate(rows["test"]) if _folded(row.text) in known)
    return Dataset(usable[held_back:], usable[:held_back], rows["test"], labels, digests, overlap, seen)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _read(path: Path, text: str, label: str) -> list[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [Row(row[text], row[label]) for row in csv.DictReader(file)]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; --data names the folder that holds it") from error
    except KeyError as error:
        raise ConfigError(f"{path}: no column {error}; the recipe wants {text!r} and {label!r}") from error
