"""Rows to learn to write from: those of a file, redacted as in serving, and their digest."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from finslm.errors import ConfigError
from finslm.evaluate.datasets import Files
from finslm.tasks import TASKS, TaskKind
from finslm.train.writing.recipe import RowsRecipe
from redaction import Redactor
from redaction.for_good import known_placeholders_kept

SPLITS: Final = ("train", "dev", "test")
_BETWEEN: Final = "\n\n\n"
"""Stands between text and answer while they are redacted, so that a value gets the same placeholder in both."""

Told = Callable[[str, int, int], None]
"""Called with what is being made, how much of it is done, and of how much."""


@final
@dataclass(frozen=True, slots=True)
class Row:
    """A text, and what should be written of it.

    Args:
        task: whose prompt the text stands in.
        group: what figures are told apart by: a kind of text.
        text, answer: as the model is shown them.
        raw: the text as it came; empty where it is not known.
    """

    task: str
    group: str
    text: str = field(repr=False)
    answer: str = field(repr=False)
    raw: str = field(default="", repr=False)


@final
@dataclass(frozen=True, slots=True)
class RowSet:
    """What a run trains on, chooses the epoch by and is tested on; and such as it trains on, which it never saw."""

    train: Sequence[Row]
    dev: Sequence[Row]
    test: Sequence[Row]
    sha256: Mapping[str, str]
    """Of each file or list of documents that was read, by its name."""
    left_out: Mapping[str, int]
    """Why rows are not among them, and how many."""
    unseen: Sequence[Row] = ()
    """Of every kind that it trains on, or empty."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over all rows, in order."""
        whole = hashlib.sha256()
        for split in SPLITS:
            for row in getattr(self, split):
                whole.update(json.dumps([split, row.task, row.text, row.answer]).encode())
        return whole.hexdigest()


def together(parts: Iterable[RowSet]) -> RowSet:
    """Several sets as one; a row to train on whose text is tested on too is left out.

    Raises:
        ConfigError: a split has no row.
    """
    sets = list(parts)
    of = {split: [row for part in sets for row in getattr(part, split)] for split in SPLITS}
    left_out = sum((Counter(part.left_out) for part in sets), Counter[str]())
    tested = {row.text for row in of["test"]}
    for split in ("train", "dev"):
        kept = [row for row in of[split] if row.text not in tested]
        left_out["their text is tested on too"] += len(of[split]) - len(kept)
        of[split] = kept
    if empty := [split for split, rows in of.items() if not rows]:
        raise ConfigError(f"no row to {' and no row to '.join(empty)} on")
    sha256 = {name: digest for part in sets for name, digest in part.sha256.items()}
    # Of some kinds alone they would be told from the others by their kind.
    unseen = [row for part in sets for row in part.unseen] if all(part.unseen for part in sets) else []
    return RowSet(of["train"], of["dev"], of["test"], sha256, +left_out, unseen)


def read(recipe: RowsRecipe, data: Path, redactor: Redactor, told: Told, *, skip_bad: bool = False) -> RowSet:
    """Read a folder of rows, and redact them.

    Raises:
        ConfigError: a file is missing, a row is malformed or cannot be redacted (unless such rows are left out), or
            the task does not write.
    """
    known = TASKS.names(TaskKind.GENERATE)
    if recipe.task not in known:
        raise ConfigError(f"rows.task {recipe.task}: not a task that writes; those are {', '.join(known)}")
    files = Files(data / recipe.path, skip_bad=skip_bad)
    splits, left_out = {}, Counter[str]()
    for split in SPLITS:
        plain = list(_plain(files, f"{split}.jsonl"))
        told(f"{recipe.path} {split}", 0, len(plain))
        rows = _redacted(recipe, plain, redactor, data / recipe.path / f"{split}.jsonl", skip_bad=skip_bad)
        splits[split] = [row for row in rows if row is not None]
        left_out["cannot be redacted together with its answer"] += rows.count(None)
        told(f"{recipe.path} {split}", len(plain), len(plain))
    left_out["malformed"] += files.skipped
    sha256 = {f"{recipe.path}/{name}": digest for name, digest in files.sha256.items()}
    return RowSet(splits["train"], splits["dev"], splits["test"], sha256, +left_out)


def _plain(files: Files, name: str) -> Iterator[tuple[int, str, str]]:
    """Line, text and answer."""
    for number, row in files.json_lines(name):
        text, answer = row.get("text"), row.get("answer")
        if isinstance(text, str) and isinstance(answer, str) and text.strip() and answer.strip():
            yield number, text, answer.strip()
        else:
            files.bad(name, number, "text and answer are wanted, both texts and not empty")


def _redacted(
    recipe: RowsRecipe, plain: Sequence[tuple[int, str, str]], redactor: Redactor, file: Path, *, skip_bad: bool
) -> list[Row | None]:
    rows: list[Row | None] = []
    joined = [f"{text}{_BETWEEN}{answer}" for _, text, answer in plain]
    for (number, raw, _), redacted in zip(plain, redactor.redact_batch(joined), strict=True):
        text, between, answer = known_placeholders_kept(redacted).rpartition(_BETWEEN)
        left = sorted({each.type for each in redactor.second_look(redacted)})
        whole = bool(between) and not left
        if not whole and not skip_bad:
            why = (
                f"the second look found {', '.join(left)}" if left else "a value reaches from the text into the answer"
            )
            raise ConfigError(f"{file}, line {number}: {why}; mend the row, or leave it out with --skip-bad-rows")
        rows.append(Row(recipe.task, recipe.task, text, answer, raw) if whole else None)
    return rows
