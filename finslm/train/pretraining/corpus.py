"""Documents to train on and documents held out, from JSON Lines and text files. All are kept in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, final

from finslm.errors import ConfigError
from finslm.evaluate.datasets import Files
from finslm.train.pretraining.recipe import CorpusPart, CorpusRecipe

SUFFIXES: Final = (".jsonl", ".txt")
"""Files that are read; a folder's others are passed over."""

Redact = Callable[[str], str]
"""From a document to the one that is trained on.

Raises:
    ValueError: the document cannot be redacted wholly; the message shows none of it.
"""


@final
class Document(NamedTuple):
    """A text, and what it is held out or trained on together with."""

    text: str
    group: str


@final
@dataclass(slots=True)
class Corpus:
    """Two disjoint lists of documents, and what was left out."""

    train: list[str] = field(default_factory=list, repr=False)
    held_out: list[str] = field(default_factory=list, repr=False)
    """Those that are scored."""
    train_unread: int = 0
    """Documents beyond what is trained on."""
    held_out_unread: int = 0
    """Documents held out beyond what is scored."""
    duplicates: int = 0
    """Documents that stood there before, word for word."""
    skipped: int = 0
    """Malformed ones that were left out because the run was told to."""
    redacted: int = 0
    """Documents that passed the redaction stage."""
    sha256: dict[str, str] = field(default_factory=dict)
    """SHA-256 (hex) of each file, by its path in the data folder."""

    def counts(self) -> dict[str, int]:
        """Documents and bytes (UTF-8), for the card."""
        return {
            "train_documents": len(self.train),
            "train_bytes": byte_count(self.train),
            "held_out_documents": len(self.held_out),
            "held_out_bytes": byte_count(self.held_out),
            "train_unread": self.train_unread,
            "held_out_unread": self.held_out_unread,
            "duplicates_dropped": self.duplicates,
            "malformed_skipped": self.skipped,
            "redacted_documents": self.redacted,
        }


def byte_count(texts: list[str]) -> int:
    """Bytes of UTF-8."""
    return sum(len(text.encode()) for text in texts)


def load(recipe: CorpusRecipe, folder: Path, *, redact: Redact | None = None, skip_bad: bool = False) -> Corpus:
    """Read every part, drop exact duplicates, and hold some groups out.

    Args:
        folder: what the recipe's paths are relative to.
        redact: used on the parts that are to be redacted.
        skip_bad: leave malformed rows out and count them.

    Raises:
        ConfigError: a file is missing or has no documents, a row is malformed, or nothing is left to train on or to
            hold out.
    """
    corpus = Corpus()
    train: dict[bytes, str] = {}
    held: dict[bytes, str] = {}
    for part in recipe.parts:
        for document in _read(part, folder, corpus, redact, skip_bad=skip_bad):
            digest = hashlib.sha256(document.text.encode()).digest()
            corpus.duplicates += digest in train or digest in held
            if digest not in train and digest not in held:
                (held if _share(document.group) < recipe.held_out_share else train)[digest] = document.text
    corpus.held_out = _some(held, recipe.held_out_bytes)
    corpus.train = list(train.values()) if recipe.train_bytes is None else _some(train, recipe.train_bytes)
    corpus.held_out_unread, corpus.train_unread = len(held) - len(corpus.held_out), len(train) - len(corpus.train)
    if not corpus.train or not corpus.held_out:
        raise ConfigError(
            f"{folder}: {len(corpus.train)} documents to train on and {len(corpus.held_out)} held out: neither may be "
            f"without; corpus.held_out_share is {recipe.held_out_share}"
        )
    return corpus


def _share(group: str) -> float:
    """Where a group falls between 0 and 1, by its SHA-256."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64


def _some(documents: Mapping[bytes, str], most_bytes: int) -> list[str]:
    """By digest, as many whole documents as fit; the first one in any case."""
    chosen: list[str] = []
    left = most_bytes
    for _, text in sorted(documents.items()):
        left -= len(text.encode())
        if chosen and left < 0:
            break
        chosen.append(text)
    return chosen


def _read(
    part: CorpusPart, folder: Path, corpus: Corpus, redact: Redact | None, *, skip_bad: bool
) -> Iterator[Document]:
    if part.redacted and redact is None:
        raise ConfigError(f"{part.path} is to be redacted, and there is no redactor")
    for file in _files(folder / part.path):
        files = Files(file, skip_bad=skip_bad)
        name = str(file.relative_to(folder))
        for line, document in _documents(part, files):
            try:
                text = redact(document.text) if part.redacted and redact else document.text
            except ValueError as error:
                files.bad(file.name, line, str(error))
                continue
            corpus.redacted += part.redacted
            yield Document(text, document.group)
        corpus.skipped += files.skipped
        corpus.sha256[name] = files.sha256[file.name]


def _files(path: Path) -> list[Path]:
    found = sorted(f for f in path.rglob("*") if f.suffix in SUFFIXES and f.is_file()) if path.is_dir() else [path]
    if not found:
        raise ConfigError(f"{path}: no file with the suffix {' or '.join(SUFFIXES)}")
    if odd := [file for file in found if file.suffix not in SUFFIXES]:
        raise ConfigError(f"{odd[0]}: a file with the suffix {' or '.join(SUFFIXES)} is wanted")
    return found


def _documents(part: CorpusPart, files: Files) -> Iterator[tuple[int, Document]]:
    """Each document with its line; malformed ones are refused or counted."""
    if files.root.suffix == ".txt":
        rows: Iterator[tuple[int, dict[str, object]]] = iter([(1, {part.text: files.read(files.root.name)})])
    else:
        rows = files.json_lines(files.root.name)
    for line, row in rows:
        text = row.get(part.text)
        group = row.get(part.group) if part.group and files.root.suffix == ".jsonl" else ""
        if why := _wrong(text, group, part):
            files.bad(files.root.name, line, why)
        else:
            yield line, Document(str(text), f"{part.path}\0{group}" if group != "" else str(text))


def _wrong(text: object, group: object, part: CorpusPart) -> str | None:
    """Why a row is no document."""
    if not isinstance(text, str) or not text.strip():
        return f"field {part.text!r} must be a text with words in it, got {type(text).__name__}"
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return f"field {part.text!r} holds half a character (a lone surrogate)"
    if not isinstance(group, str | int) or isinstance(group, bool):
        return f"field {part.group!r}, by which rows stay together, must be a text or a number"
    return None
