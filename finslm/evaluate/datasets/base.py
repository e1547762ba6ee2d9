"""What a data set is, how its files are read, and the registry. A new format is one function here beside the others."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from finslm.errors import ConfigError


@final
@dataclass(frozen=True, slots=True)
class Example:
    """A text and its label."""

    text: str
    label: str


@final
@dataclass(frozen=True, slots=True)
class Splits:
    """The published splits; ``dev`` is empty where a set publishes none."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]


@final
@dataclass(slots=True)
class Files:
    """Reads files of one data set, and remembers what it read.

    Args:
        root: a folder, or the one file of the set.
        skip_bad: leave malformed rows out and count them; otherwise the first one refuses the file.
    """

    root: Path
    skip_bad: bool = False
    sha256: dict[str, str] = field(default_factory=dict)
    """SHA-256 (hex) of each file that was read, by its name."""
    skipped: int = 0
    """Malformed rows that were left out."""

    def path(self, name: str) -> Path:
        """The file ``name`` of the set, or the root where that is itself a file."""
        return self.root if self.root.is_file() else self.root / name

    def read(self, name: str, encoding: str = "utf-8") -> str:
        """The text of a file.

        Raises:
            ConfigError: not there, or not in this encoding.
        """
        path = self.path(name)
        try:
            content = path.read_bytes()
            self.sha256[path.name if path == self.root else name] = hashlib.sha256(content).hexdigest()
            return content.decode(encoding)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}; --data names the folder that holds it") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: byte {error.start} is not {encoding}") from error

    def json(self, name: str) -> Any:
        """A whole JSON file.

        Raises:
            ConfigError: not there, or not JSON.
        """
        try:
            return json.loads(self.read(name))
        except ValueError as error:
            raise ConfigError(f"{self.path(name)}: {error}") from error

    def json_lines(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each line's object with its number, from 1; empty lines are passed over.

        Raises:
            ConfigError: not there; a line is no JSON object, unless such lines are skipped.
        """
        # Not splitlines(), which also splits at separators that stand inside JSON texts.
        for number, line in enumerate(self.read(name).split("\n"), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                self.bad(name, number, f"not JSON: {error}")
                continue
            if isinstance(row, dict):
                yield number, row
            else:
                self.bad(name, number, f"a JSON object is wanted, got {type(row).__name__}")

    def csv(self, name: str, *columns: str, encoding: str = "utf-8-sig") -> Iterator[tuple[int, dict[str, str]]]:
        """Each row by column with the number of its last line; the first line names the columns.

        Raises:
            ConfigError: not there, a column is missing; a row has other than the header's fields, unless such are
                skipped.
        """
        reader = csv.DictReader(io.StringIO(self.read(name, encoding), newline=""), strict=True)
        if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
            raise ConfigError(
                f"{self.path(name)}: no column {', '.join(missing)}; there are {', '.join(reader.fieldnames or ())}"
            )
        rows = iter(reader)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                self.bad(name, reader.reader.line_num, str(error))
                continue
            if None in row or None in row.values():
                self.bad(name, reader.line_num, f"{len(reader.fieldnames or ())} fields are wanted")
                continue
            yield reader.line_num, row

    def bad(self, name: str, line: int, why: str) -> None:
        """A malformed row: refuse it, or count it.

        Raises:
            ConfigError: rows are not to be skipped.
        """
        if not self.skip_bad:
            raise ConfigError(
                f"{self.path(name)}, line {line}: {why}; mend it, or leave such rows out with --skip-bad-rows"
            )
        self.skipped += 1

    def examples(self, name: str, rows: Iterable[tuple[int, str, object]]) -> tuple[Example, ...]:
        """Examples of numbered (line, text, label) rows; an empty text or label is a malformed row.

        Raises:
            ConfigError: a row is malformed, and rows are not to be skipped.
        """
        found = []
        for line, text, label in rows:
            if not isinstance(text, str) or not text.strip():
                self.bad(name, line, "the text is empty")
            elif not isinstance(label, str) or not label.strip():
                self.bad(name, line, "the label is empty")
            else:
                found.append(Example(text, label))
        return tuple(found)


Reader = Callable[[Files, Mapping[str, str]], Splits]
"""From the files of a set, and the options that a recipe gives it, to its splits."""


@final
@dataclass(frozen=True, slots=True)
class DataSet:
    """A published data set, or a form that a user's own files take.

    Args:
        commercial: the licence allows to train what is shipped or sold; others are for evaluation by who may.
        options: what a recipe may say beside the path, and what it means.
    """

    name: str
    title: str
    licence: str
    commercial: bool
    source: str
    read: Reader = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)

    def load(self, files: Files, options: Mapping[str, str]) -> Splits:
        """Read the set.

        Raises:
            ConfigError: an unknown option, or files that cannot be used.
        """
        if unknown := sorted(options.keys() - self.options.keys()):
            known = ", ".join(self.options) or "none"
            raise ConfigError(f"data set {self.name}: no option {', '.join(unknown)}; known: {known}")
        return self.read(files, options)


class DataSets:
    """Data sets by name."""

    def __init__(self) -> None:
        self._sets: dict[str, DataSet] = {}

    def register(
        self,
        name: str,
        title: str,
        *,
        licence: str,
        commercial: bool,
        source: str,
        options: Mapping[str, str] | None = None,
    ) -> Callable[[Reader], Reader]:
        """Decorate the function that reads a set.

        Raises:
            ConfigError: the name is taken.
        """

        def decorate(read: Reader) -> Reader:
            if name in self._sets:
                raise ConfigError(f"data set {name} is registered twice")
            self._sets[name] = DataSet(name, title, licence, commercial, source, read, options or {})
            return read

        return decorate

    def get(self, name: str) -> DataSet:
        """The set of that name.

        Raises:
            ConfigError: there is none.
        """
        if (found := self._sets.get(name)) is None:
            raise ConfigError(f"no data set {name!r}; known: {', '.join(sorted(self._sets))}")
        return found

    def __iter__(self) -> Iterator[DataSet]:
        return iter(self._sets[name] for name in sorted(self._sets))


DATASETS = DataSets()
"""Those there are."""


def folded(text: str) -> str:
    """A text without the difference of letter case and spaces: two that are equal so are the same row."""
    return " ".join(text.casefold().split())
