"""The data card of a run: what was trained on, under which licence, and what the redaction stage found in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from finslm.evaluate.data import SPLITS, Dataset
from finslm.evaluate.datasets import DataSet, Example
from finslm.train.recipe import Recipe
from finslm.train.redacted import Redaction

if TYPE_CHECKING:
    from finslm.train.redacted import Finding

FILE: Final = "DATA_CARD.md"
_LICENCES: Final = {
    "MIT": "mit",
    "CC BY 4.0": "cc-by-4.0",
    "CC BY 3.0": "cc-by-3.0",
    "CC BY-NC-SA 3.0": "cc-by-nc-sa-3.0",
    "CC BY-NC 4.0": "cc-by-nc-4.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0",
    "Apache-2.0": "apache-2.0",
}
"""Our names of licences → the hub's; others are ``other``, with the name beside."""
_NAMES: Final = {"train": "to train on", "dev": "held back", "test": "to test on"}


def write(recipe: Recipe, dataset: Dataset, redaction: Redaction | None, folder: Path) -> None:
    """Write ``DATA_CARD.md``: YAML front matter as Hugging Face's data set cards have it, then tables.

    Args:
        dataset: as it is trained on.
        redaction: what was done to it; None: nothing, the recipe says so.
        folder: of the run.
    """
    parts = [_front(recipe, dataset), f"# Rows of {recipe.name}", _summary(dataset, redaction)]
    for number, source in enumerate(dataset.sources):
        parts += [f"## {source.title}", _source(source, dataset, recipe, number)]
        parts += [_rows(dataset, number), _labels(dataset, number)]
        if redaction is not None:
            parts.append(_found(redaction, number))
    (folder / FILE).write_text("\n\n".join(parts) + "\n", "utf-8")


def _front(recipe: Recipe, dataset: Dataset) -> str:
    licences = list(dict.fromkeys(_LICENCES.get(source.licence, "other") for source in dataset.sources))
    rows = sum(len(getattr(dataset, split)) for split in SPLITS)
    lines = [
        "---",
        f"pretty_name: {json.dumps(f'Rows of {recipe.name}')}",
        "license:",
        *(f"- {licence}" for licence in licences),
        "language: [en]",
        "task_categories: [text-classification]",
        f"size_categories: [{_size(rows)}]",
        "tags: [finance]",
    ]
    if "other" in licences:
        names = "; ".join(source.licence for source in dataset.sources if source.licence not in _LICENCES)
        lines.append(f"license_name: {json.dumps(names)}")
    return "\n".join([*lines, "---"])


def _size(rows: int) -> str:
    return next(
        (name for most, name in ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K")) if rows < most), "n>100K"
    )


def _summary(dataset: Dataset, redaction: Redaction | None) -> str:
    lines = [
        f"{dataset.overlap} texts that stand word for word among the test rows were dropped from training. "
        f"{dataset.duplicates} rows to train on or held back repeat an earlier one, letter case and spaces aside; they "
        f"stay. {len(dataset.seen)} test rows stand in training in that way. {dataset.skipped} malformed rows were "
        "left out.",
        f"SHA-256 over all texts and labels, in order: `{dataset.digest}`.",
    ]
    if redaction is None:
        lines.append("The texts are as their authors published them: the recipe says `redact: false`.")
        return "\n\n".join(lines)
    lines.append(
        "Every text went through the redaction stage first, as it does in serving: what it found is replaced by "
        f"placeholders. {redaction.overlap} more rows were dropped from training because, so replaced, they stand "
        f"among the test rows; {redaction.refused} were left out because the second look found something. Policy "
        f"`{redaction.policy_digest}`, redactor `{redaction.redactor_digest}`."
    )
    return "\n\n".join(lines)


def _source(source: DataSet, dataset: Dataset, recipe: Recipe, number: int) -> str:
    path = str(recipe.data.parts[number].path)
    files = [f"- `{name}`: `{digest}`" for name, digest in dataset.file_sha256.items() if name.startswith(f"{path}/")]
    use = "allows commercial use" if source.commercial else "does not allow commercial use"
    return "\n".join([f"Source: {source.source}. Licence: {source.licence}, which {use}. SHA-256:", "", *files])


def _of(dataset: Dataset, number: int, split: str) -> list[Example]:
    return [row for row, of in zip(getattr(dataset, split), dataset.origins[split], strict=True) if of == number]


def _rows(dataset: Dataset, number: int) -> str:
    lines = []
    for split in SPLITS:
        if rows := _of(dataset, number, split):
            words = np.array([len(row.text.split()) for row in rows])
            chars = np.array([len(row.text) for row in rows])
            figures = [*np.percentile(words, [50, 95]), words.max(), np.median(chars), chars.max()]
            lines.append([_NAMES[split], len(rows), *(round(float(each)) for each in figures)])
    columns = ["rows", "number", "words, median", "95 % have at most", "most", "characters, median", "most"]
    return _table(columns, lines)


def _labels(dataset: Dataset, number: int) -> str:
    counts = {split: Counter(row.label for row in _of(dataset, number, split)) for split in SPLITS}
    labels = sorted({label for each in counts.values() for label in each})
    return _table(["label", *_NAMES.values()], [[label, *(counts[s][label] for s in SPLITS)] for label in labels])


def _found(redaction: Redaction, number: int) -> str:
    of = {split: redaction.found[number, split] for split in SPLITS if (number, split) in redaction.found}
    touched = ", ".join(f"{each.changed} of {each.texts} {_NAMES[split]}" for split, each in of.items())
    types = sorted({type_ for each in of.values() for type_ in each.by_type})
    if not types:
        return f"Redaction replaced nothing ({touched})."
    columns = ["replaced", *(f"pieces (texts) {_NAMES[split]}" for split in of)]
    return f"Redaction changed {touched}.\n\n" + _table(
        columns, [[t, *(_cell(f, t) for f in of.values())] for t in types]
    )


def _cell(found: Finding, type_: str) -> str:
    return f"{found.by_type.get(type_, 0)} ({found.texts_by_type.get(type_, 0)})"


def _table(columns: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    rule = "|".join(["---", *["---:"] * (len(columns) - 1)])
    body = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    return f"| {' | '.join(columns)} |\n|{rule}|\n{body}"
