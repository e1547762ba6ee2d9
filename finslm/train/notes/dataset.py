"""The notes of a training run, kept as JSON lines so that a resumed run reads the very same."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol, final

from finslm.train import documents, names
from finslm.train.documents.dataset import UNSEEN, Told, digest_of, spans_of, tell, write_lines
from finslm.train.documents.generate import pools
from finslm.train.notes.generate import Notes
from finslm.train.notes.note import Note, Spans
from finslm.train.notes.redacted import as_served
from redaction import Redactor

_BUDGET_S: Final = 60.0
"""Time for one note, seconds: training waits, serving does not."""
_MADE_FOR_ONE: Final = 3
"""Notes made for each that is kept, at most; some cannot be redacted without a doubt and are left out."""


class Recipe(Protocol):
    """How many notes are made, and which share of the training notes is read as it is."""

    @property
    def train(self) -> int: ...
    @property
    def dev(self) -> int: ...
    @property
    def test(self) -> int: ...
    @property
    def unseen(self) -> int: ...
    @property
    def raw_share(self) -> float: ...


@final
@dataclass(frozen=True, slots=True)
class Row:
    """A note as it was written, and as the model sees it.

    Args:
        kind: see :data:`finslm.train.notes.note.KINDS`.
        structure: which of the structures it follows.
        raw_text, raw_summary, raw_facts, raw_said: as it was written, see :class:`finslm.train.notes.note.Note`.
        text, summary, facts, said: redacted; the same as the raw ones where it is read as it is.
        placeholders: what restores it.
    """

    kind: str
    structure: str
    raw_text: str = field(repr=False)
    raw_summary: str = field(repr=False)
    raw_facts: Spans = field(repr=False)
    raw_said: Spans = field(repr=False)
    text: str = field(repr=False)
    summary: str = field(repr=False)
    facts: Spans = field(repr=False)
    said: Spans = field(repr=False)
    placeholders: Mapping[str, str] = field(repr=False)


@final
@dataclass(frozen=True, slots=True)
class NoteSet:
    """What a run trains on, calibrates on and is tested on, and such as it trains on, which it never saw."""

    train: list[Row]
    dev: list[Row]
    test: list[Row]
    unseen: list[Row]
    sha256: Mapping[str, str]
    """Of the files."""


def load(recipe: Recipe, seed: int, folder: Path, told: Told) -> NoteSet:
    """Read the notes of a folder; those that are not there are made.

    Args:
        recipe: how many.
        seed: of the random source.
        folder: where they are kept.
        told: see :data:`finslm.train.documents.dataset.Told`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    redactor = Redactor.from_policy(None, budget_s=_BUDGET_S)
    maker = hashlib.sha256(f"{_generator()} {redactor.digest}".encode()).hexdigest()[:16]
    counts = {"train": recipe.train, "dev": recipe.dev, "test": recipe.test, UNSEEN: recipe.unseen}
    digests, rows = {}, {}
    for split, count in counts.items():
        share = recipe.raw_share if split in ("train", UNSEEN) else 0.0
        file = folder / f"{split}-{seed}-{count}-{share}-{maker}.jsonl"
        if not file.exists():
            # Structures of training, but another stream.
            of, drawn = ("train", seed + 1) if split == UNSEEN else (split, seed)
            made = _made(Notes(pools(folder / "pools"), of), drawn, count, share, redactor)
            write_lines(file, made, partial(tell, told, split, count))
        whole = file.read_bytes()
        digests[split] = hashlib.sha256(whole).hexdigest()
        rows[split] = [_row(json.loads(line)) for line in whole.decode().splitlines()]
    return NoteSet(**rows, sha256=digests)


def _generator() -> str:
    """SHA-256 (hex) of everything that says what a note looks like: here, in its values and in the pools."""
    folders = [Path(__file__).parent, *(Path(package.__path__[0]) for package in (documents, names))]
    return hashlib.sha256(" ".join(map(digest_of, folders)).encode()).hexdigest()


def _made(notes: Notes, seed: int, count: int, raw_share: float, redactor: Redactor) -> Iterator[Sequence[Any]]:
    """The fields of each row.

    Raises:
        RuntimeError: too many notes were left out.
    """
    chance = random.Random(f"raw {seed}")  # noqa: S311 - text for training, no secret
    number = 0
    for raw, seen, redacted in islice(as_served(notes.stream(seed, count * _MADE_FOR_ONE), redactor), count):
        number += 1
        if chance.random() < raw_share:
            yield _fields(raw, raw, {})
        else:
            yield _fields(raw, seen, redacted.placeholders)
    if number < count:
        raise RuntimeError(f"{number} of {count} notes could be redacted, of {count * _MADE_FOR_ONE} made")


def _fields(raw: Note, seen: Note, placeholders: Mapping[str, str]) -> Sequence[Any]:
    both = [(note.text, note.summary, note.facts, note.said) for note in (raw, seen)]
    return raw.kind, raw.structure, *both[0], *both[1], dict(placeholders)


def _row(fields: list[Any]) -> Row:
    kind, structure, raw_text, raw_summary, raw_facts, raw_said, text, summary, facts, said, placeholders = fields
    raw = (raw_text, raw_summary, spans_of(raw_facts), spans_of(raw_said))
    return Row(kind, structure, *raw, text, summary, spans_of(facts), spans_of(said), placeholders)
