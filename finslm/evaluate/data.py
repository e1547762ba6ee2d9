"""Rows to train and test on, put together from the data sets that a recipe names."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, final

from pydantic import BaseModel, ConfigDict, Field

from finslm.errors import ConfigError
from finslm.evaluate.datasets import DATASETS, DataSet, Example, Files, Splits, folded
from finslm.evaluate.datasets.classification import OUT_OF_SCOPE

SPLITS: Final = ("train", "dev", "test")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PartRecipe(_Part):
    """Rows of one data set; see :mod:`finslm.evaluate.datasets`."""

    dataset: str
    path: Path
    """Folder or file of the set, relative to the data folder given to the command."""
    options: dict[str, str] = Field(default_factory=dict)
    """What this data set takes beside its path."""
    without: tuple[str, ...] = ()
    """Labels whose rows are left out."""
    label: str | None = None
    """All rows get this label."""
    rows_per_label: int | None = Field(default=None, ge=1)
    """At most so many rows of each label of the set to train on, drawn by the seed."""
    label_rows: bool = False
    """Whether the words of each label's name are a training row of it too."""
    splits: tuple[Literal["train", "dev", "test"], ...] = Field(default=("train", "dev", "test"), min_length=1)
    """The splits that are taken; without ``test``, the set is trained on and others are tested on."""


class DataRecipe(_Part):
    """What is trained and tested on."""

    parts: tuple[PartRecipe, ...] = Field(min_length=1)
    dev_share: float = Field(gt=0, lt=0.5)
    """Share of the training rows held back to choose the epoch and calibrate, where a set publishes none for that;
    test rows are never used so."""
    labels: tuple[str, ...] | None = None
    """The labels that the data must have, no more and no fewer; None: those it has."""
    redact: bool = True
    """Texts go through the redaction stage before they are trained or tested on, as they do before they are served."""


@final
@dataclass(frozen=True, slots=True)
class Dataset:
    """Three disjoint lists of rows, the labels in order, and the SHA-256 of each file they came from."""

    train: Sequence[Example]
    dev: Sequence[Example]
    test: Sequence[Example]
    labels: tuple[str, ...]
    file_sha256: dict[str, str]
    overlap: int
    """Test texts that also stand in the training files (dropped from train and dev)."""
    seen: frozenset[int]
    """Test rows whose text, letter case and spaces aside, is also trained on; scores are given without them too."""
    sources: tuple[DataSet, ...] = ()
    skipped: int = 0
    """Malformed rows that were left out because the run was told to."""
    origins: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Split → for each of its rows, which of ``sources`` it came from."""

    def without(self, dropped: Mapping[str, frozenset[int]]) -> Dataset:
        """Without some rows.

        Args:
            dropped: split → positions of its rows.
        """
        kept = {
            split: [i for i in range(len(getattr(self, split))) if i not in dropped.get(split, frozenset())]
            for split in SPLITS
        }
        seen = frozenset(new for new, old in enumerate(kept["test"]) if old in self.seen)
        train, dev, test = ([getattr(self, split)[i] for i in kept[split]] for split in SPLITS)
        origins = {split: tuple(self.origins[split][i] for i in kept[split]) for split in self.origins}
        return replace(self, train=train, dev=dev, test=test, seen=seen, origins=origins)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over every text and label, in order."""
        whole = hashlib.sha256()
        for split in SPLITS:
            rows = [[row.text, row.label] for row in getattr(self, split)]
            whole.update(json.dumps([split, self.labels, rows]).encode())
        return whole.hexdigest()

    @property
    def duplicates(self) -> int:
        """Rows to train on or to hold back whose text, letter case and spaces aside, came before; they stay."""
        texts = [folded(row.text) for row in (*self.train, *self.dev)]
        return len(texts) - len({*texts})

    @property
    def unknown(self) -> frozenset[int]:
        """Test rows that fit no label that is trained: for measuring how well such texts are told apart."""
        return frozenset(i for i, row in enumerate(self.test) if row.label not in self.labels)


def load(recipe: DataRecipe, folder: Path, seed: int, *, skip_bad: bool = False) -> Dataset:
    """Read the files, drop training rows whose text is also a test text, and hold back the dev rows.

    Rows that are out of scope are trained on only where a part of the recipe gives them that label.

    Args:
        folder: what the recipe's paths are relative to.
        skip_bad: leave malformed rows out and count them.

    Raises:
        ConfigError: a file or column is missing, a row is malformed, nothing is left to train or test on, or the
            labels are not those that the recipe or the training rows have.
    """
    parts = [_read(part, folder, skip_bad=skip_bad) for part in recipe.parts]
    test = [row for _, splits, _ in parts for row in splits.test]
    test_texts = {row.text for row in test}
    overlap = len({row.text for _, splits, _ in parts for row in (*splits.train, *splits.dev)} & test_texts)
    chance = random.Random(seed)  # noqa: S311 - repeatable draws, not a secret
    numbered: list[tuple[Example, int]] = []
    dev: list[Example] = []
    dev_origins: list[int] = []
    for number, (part, (_, splits, _)) in enumerate(zip(recipe.parts, parts, strict=True)):
        own_train, own_dev = _own(part, splits, test_texts, recipe.dev_share, chance)
        numbered += [(row, number) for row in own_train]
        dev += own_dev
        dev_origins += [number] * len(own_dev)
    chance.shuffle(numbered)
    train = [row for row, _ in numbered]
    if not train or not dev or not test:
        raise ConfigError(
            f"{folder}: {len(train)} rows to train on, {len(dev)} to calibrate on, {len(test)} to test on: "
            "none may be without"
        )
    labels = tuple(sorted({row.label for row in train}))
    _check_labels(recipe, labels, dev, test)
    return Dataset(
        train=train,
        dev=dev,
        test=test,
        labels=labels,
        file_sha256={
            f"{part.path}/{name}": digest
            for part, (files, _, _) in zip(recipe.parts, parts, strict=True)
            for name, digest in files.sha256.items()
        },
        overlap=overlap,
        seen=seen_in((*train, *dev), test),
        sources=tuple(source for _, _, source in parts),
        skipped=sum(files.skipped for files, _, _ in parts),
        origins={
            "train": tuple(number for _, number in numbered),
            "dev": tuple(dev_origins),
            "test": tuple(number for number, (_, splits, _) in enumerate(parts) for _ in splits.test),
        },
    )


def seen_in(trained: Iterable[Example], test: Sequence[Example]) -> frozenset[int]:
    """Positions of the test rows whose text, letter case and spaces aside, is among those trained on."""
    known = {folded(row.text) for row in trained}
    return frozenset(i for i, row in enumerate(test) if folded(row.text) in known)


def _read(part: PartRecipe, folder: Path, *, skip_bad: bool) -> tuple[Files, Splits, DataSet]:
    source = DATASETS.get(part.dataset)
    files = Files(folder / part.path, skip_bad)
    splits = source.load(files, part.options)
    there = {row.label for name in SPLITS for row in getattr(splits, name)}
    if wrong := sorted(set(part.without) - there):
        raise ConfigError(f"data set {part.dataset}: no rows are labelled {', '.join(wrong)}: nothing to leave out")
    train, dev, test = (
        tuple(r for r in getattr(splits, name) if r.label not in part.without) if name in part.splits else ()
        for name in SPLITS
    )
    if part.label is not None:
        test = tuple(replace(row, label=part.label) for row in test)
    return files, Splits(train, dev, test), source


def _own(
    part: PartRecipe, splits: Splits, test_texts: set[str], dev_share: float, chance: random.Random
) -> tuple[list[Example], list[Example]]:
    """Rows of one data set to train on and to hold back, under the labels that they are trained with."""
    trained_out = part.label is not None
    train, dev = (
        [row for row in rows if row.text not in test_texts and (trained_out or row.label != OUT_OF_SCOPE)]
        for rows in (splits.train, splits.dev)
    )
    chance.shuffle(train)
    if not dev:
        held_back = round(len(train) * dev_share)
        dev, train = train[:held_back], train[held_back:]
    if (most := part.rows_per_label) is not None:
        train, dev = _drawn(train, most, chance), _drawn(dev, max(1, round(most * dev_share)), chance)
    if part.label_rows:
        named = (Example(words_of(label), label) for label in sorted({row.label for row in train}))
        train += [row for row in named if row.text not in test_texts]
    if part.label is not None:
        train, dev = ([replace(row, label=part.label) for row in rows] for rows in (train, dev))
    return train, dev


def words_of(label: str) -> str:
    """A label's name as text: ``Refund_not_showing_up`` is ``Refund not showing up``."""
    return " ".join(label.replace("_", " ").split())


def _drawn(rows: Iterable[Example], count: int, chance: random.Random) -> list[Example]:
    by_label: dict[str, list[Example]] = {}
    for row in rows:
        by_label.setdefault(row.label, []).append(row)
    return [row for own in by_label.values() for row in chance.sample(own, min(count, len(own)))]


def _check_labels(recipe: DataRecipe, labels: tuple[str, ...], dev: Sequence[Example], test: Sequence[Example]) -> None:
    if len(labels) < 2:
        raise ConfigError(f"the training rows have {len(labels)} label: two are the least there can be to choose from")
    if recipe.labels is not None and set(labels) != set(recipe.labels):
        missing, further = sorted(set(recipe.labels) - set(labels)), sorted(set(labels) - set(recipe.labels))
        raise ConfigError(
            f"the training rows' labels are not the recipe's: missing {', '.join(missing) or 'none'}, "
            f"further {', '.join(further) or 'none'}"
        )
    allowed = {*labels, OUT_OF_SCOPE}
    for name, rows in (("test", test), ("dev", dev)):
        if unknown := sorted({row.label for row in rows} - allowed):
            raise ConfigError(f"{len(unknown)} labels of the {name} rows are not trained: {', '.join(unknown[:5])}")
