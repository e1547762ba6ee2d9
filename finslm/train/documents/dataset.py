"""The documents of a training run, kept as JSON lines so that a resumed run reads the very same."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, final

from finslm.train.documents.generate import KINDS, Documents, pools
from finslm.train.documents.redacted import as_served
from finslm.train.tagging_recipe import DocumentsRecipe
from redaction import Redactor

UNSEEN: Final = "unseen"
"""Made as those of training, and in no training."""
_BUDGET_S: Final = 60.0
"""Time for one document, seconds: training waits, serving does not."""

Spans = tuple[tuple[int, int, str], ...]
Told = Callable[[str, int, int], None]
"""Called with the split and how many of its documents are made, of how many."""


@final
@dataclass(frozen=True, slots=True)
class Row:
    """A document as it was written, and as the model sees it.

    Args:
        kind: see :data:`finslm.train.documents.generate.KINDS`.
        structure: which of the structures it follows.
        raw, raw_spans: as it was written.
        text, spans: redacted; the same as ``raw`` where it is read as it is.
        placeholders: what restores it.
    """

    kind: str
    structure: str
    raw: str = field(repr=False)
    raw_spans: Spans = field(repr=False)
    text: str = field(repr=False)
    spans: Spans = field(repr=False)
    placeholders: Mapping[str, str] = field(repr=False)

    @property
    def task(self) -> str:
        """The task that reads it."""
        return KINDS[self.kind].task

    @property
    def unredacted(self) -> Row:
        """The same document read as it is."""
        return Row(self.kind, self.structure, self.raw, self.raw_spans, self.raw, self.raw_spans, {})


@final
@dataclass(frozen=True, slots=True)
class DocumentSet:
    """What a run trains on, calibrates on and is tested on; and such as it trains on, which it never saw."""

    train: list[Row]
    dev: list[Row]
    test: list[Row]
    unseen: list[Row]
    sha256: Mapping[str, str]


def load(recipe: DocumentsRecipe, seed: int, folder: Path, told: Told) -> DocumentSet:
    """Read the documents of a folder; those that are not there are made.

    Args:
        recipe: how many.
        seed: of the random source.
        folder: where they are kept.
        told: see :data:`Told`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"train": recipe.train, "dev": recipe.dev, "test": recipe.test, UNSEEN: recipe.unseen}
    redactor = Redactor.from_policy(None, budget_s=_BUDGET_S)
    maker = hashlib.sha256(f"{digest_of(Path(__file__).parent)} {redactor.digest}".encode()).hexdigest()[:16]
    digests, rows = {}, {}
    for split, count in counts.items():
        file = folder / f"{split}-{seed}-{count}-{recipe.raw_share}-{maker}.jsonl"
        if not file.exists():
            share = recipe.raw_share if split in ("train", UNSEEN) else 0.0
            # Structures of training, but another stream.
            drawn = ("train", seed + 1) if split == UNSEEN else (split, seed)
            made = _made(*drawn, count, share, folder / "pools", redactor)
            write_lines(file, map(_fields, made), partial(tell, told, split, count))
        whole = file.read_bytes()
        digests[split] = hashlib.sha256(whole).hexdigest()
        rows[split] = [_row(json.loads(line)) for line in whole.decode().splitlines()]
    return DocumentSet(**rows, sha256=digests)


def digest_of(folder: Path) -> str:
    """SHA-256 (hex) of everything in a folder that says what a made text looks like."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".py", ".txt", ".yaml"):
            whole.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()


def tell(told: Told, split: str, count: int, number: int) -> None:
    """Say how many documents of a split are made."""
    told(split, number, count)


def _made(split: str, seed: int, count: int, raw_share: float, cache: Path, redactor: Redactor) -> Iterator[Row]:
    chance = random.Random(f"raw {seed}")  # noqa: S311 - text for training, no secret
    for each in as_served(Documents(pools(cache), split).stream(seed, count), redactor):
        placeholders = each.redacted.placeholders if each.redacted else {}
        raw, seen = each.raw, each.seen
        row = Row(raw.kind, raw.structure, raw.text, raw.spans, seen.text, seen.spans, placeholders)
        yield row.unredacted if chance.random() < raw_share else row


def write_lines(file: Path, rows: Iterable[Sequence[Any]], told: Callable[[int], None]) -> None:
    """Write rows as JSON lines; the file is there once all of them are."""
    part = file.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        for number, fields in enumerate(rows, 1):
            out.write(json.dumps(fields, ensure_ascii=True) + "\n")
            told(number)
    part.replace(file)


def _fields(row: Row) -> Sequence[Any]:
    return row.kind, row.structure, row.raw, row.raw_spans, row.text, row.spans, dict(row.placeholders)


def _row(fields: list[Any]) -> Row:
    kind, structure, raw, raw_spans, text, spans, placeholders = fields
    return Row(kind, structure, raw, spans_of(raw_spans), text, spans_of(spans), placeholders)


def spans_of(listed: list[list[Any]]) -> Spans:
    """Spans as JSON gave them."""
    return tuple((start, end, name) for start, end, name in listed)
