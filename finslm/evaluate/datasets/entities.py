"""Sets of sentences whose entities are marked word by word, in the forms in which their authors publish them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, final

from finslm.errors import ConfigError
from finslm.evaluate.datasets.base import Files

_TAG: Final = re.compile(r"O|[BI]-[\w-]+")
_DOCUMENT: Final = "-DOCSTART-"
_FINER_ORD: Final = {
    "0": "O",
    **{
        str(2 * n + i + 1): f"{mark}-{kind}"
        for n, kind in enumerate(("PER", "LOC", "ORG"))
        for i, mark in enumerate("BI")
    },
}
"""Numbers of FiNER-ORD's ``gold_label``: 0 is no entity, then PER, LOC and ORG, the first word and those after it."""


@final
@dataclass(frozen=True, slots=True)
class Sentence:
    """Words and their tags.

    Args:
        words: as published, parted at spaces.
        tags: of each word, IOB2: ``B-PER`` begins an entity, ``I-PER`` goes on with it, ``O`` is none.
    """

    words: tuple[str, ...] = field(repr=False)
    tags: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class EntitySet:
    """A published set of tagged sentences.

    Args:
        commercial: the licence allows to train what is shipped or sold; others are for evaluation by who may.
        files: of each split that is published, its file.
    """

    name: str
    title: str
    licence: str
    commercial: bool
    source: str
    files: dict[str, str]
    read_file: Callable[[Files, str], list[Sentence]] = field(repr=False)

    def read(self, files: Files, split: str = "test") -> list[Sentence]:
        """The sentences of a split.

        Raises:
            ConfigError: no such split or file; a row is malformed, unless such are to be skipped: then the sentence it
                stands in is left out.
        """
        if split not in self.files:
            raise ConfigError(f"{self.name}: no split {split!r}; published: {', '.join(self.files)}")
        return self.read_file(files, self.files[split])


def _conll(files: Files, name: str, between: str | None, columns: int) -> list[Sentence]:
    """One word a line, its tag in the last column, an empty line after each sentence.

    Args:
        between: what parts the columns; None: spaces.
    """
    lines = enumerate(files.read(name).split("\n"), 1)
    found: list[Sentence] = []
    for written, group in groupby(lines, key=lambda line: bool(line[1].strip())):
        if written:
            rows = [_row(files, name, number, line.rstrip("\r").split(between), columns) for number, line in group]
            found += _sentence([row for row in rows if row is None or row[0] != _DOCUMENT])
    return found


def _row(files: Files, name: str, number: int, cells: list[str], columns: int) -> tuple[str, str] | None:
    """Word and tag of a line; None: malformed, and counted."""
    if len(cells) != columns:
        files.bad(name, number, f"{columns} columns are wanted, there are {len(cells)}")
    elif not cells[0].strip():
        files.bad(name, number, "the word is empty")
    elif not _TAG.fullmatch(cells[-1]):
        files.bad(name, number, f"tag {cells[-1][:40]!r} is none of O, B-TYPE, I-TYPE")
    else:
        return cells[0], cells[-1]
    return None


def _sentence(rows: list[tuple[str, str] | None]) -> Iterator[Sentence]:
    """The sentence of these rows; none where one of them is malformed, or there are none."""
    whole = [row for row in rows if row is not None]
    if whole and len(whole) == len(rows):
        words, tags = zip(*whole, strict=True)
        yield Sentence(words, tags)


def _fin(files: Files, name: str) -> list[Sentence]:
    """Word, part of speech, ``-`` and tag in the older IOB1, which writes B only between neighbours of one type."""
    return [Sentence(s.words, tuple(iob2(s.tags))) for s in _conll(files, name, None, 4)]


def iob2(tags: tuple[str, ...]) -> Iterator[str]:
    """IOB1 as IOB2: the first word of every entity is B (Ratnaparkhi 1998; Tjong Kim Sang & Veenstra 1999)."""
    for before, tag in zip(("O", *tags), tags, strict=False):
        begins = tag.startswith("I-") and before[2:] != tag[2:]
        yield f"B-{tag[2:]}" if begins else tag


def _wnut(files: Files, name: str) -> list[Sentence]:
    return _conll(files, name, "\t", 2)


def _finer_ord(files: Files, name: str) -> list[Sentence]:
    """Rows of document, sentence, word and the number of its label."""
    found: list[Sentence] = []
    rows = files.csv(name, "doc_idx", "sent_idx", "gold_token", "gold_label")
    for _, group in groupby(rows, key=lambda row: (row[1]["doc_idx"], row[1]["sent_idx"])):
        own = [_numbered(files, name, line, row["gold_token"], row["gold_label"].strip()) for line, row in group]
        found += _sentence(own)
    return found


def _numbered(files: Files, name: str, line: int, word: str, label: str) -> tuple[str, str] | None:
    if word.strip() and label in _FINER_ORD:
        return word, _FINER_ORD[label]
    wrong = f"label {label[:40]!r} is not one of {', '.join(_FINER_ORD)}" if word.strip() else "the word is empty"
    files.bad(name, line, wrong)
    return None


_ALL: Final = (
    EntitySet(
        "fin",
        "FIN: loan agreements of the SEC, persons, organisations, places",
        "CC BY 3.0",
        commercial=True,
        source="Salinas Alvarado et al. 2015, Domain Adaption of Named Entity Recognition",
        files={"train": "FIN5_train.txt", "test": "FIN3_test.txt"},
        read_file=_fin,
    ),
    EntitySet(
        "wnut17",
        "WNUT-17: emerging and rare entities in social media, six types",
        "CC BY 4.0",
        commercial=True,
        source="Derczynski et al. 2017, Results of the WNUT2017 Shared Task",
        files={"train": "wnut17train.conll", "dev": "emerging.dev.conll", "test": "emerging.test.annotated"},
        read_file=_wnut,
    ),
    EntitySet(
        "finer-ord",
        "FiNER-ORD: financial news, persons, organisations, places",
        "CC BY-NC 4.0",
        commercial=False,
        source="Shah et al. 2023, FiNER-ORD: Financial Named Entity Recognition Open Research Dataset",
        files={"train": "train.csv", "dev": "val.csv", "test": "test.csv"},
        read_file=_finer_ord,
    ),
)

ENTITY_SETS: Final = {each.name: each for each in _ALL}
"""Those there are, by name."""
