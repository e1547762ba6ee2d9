"""Where the paragraphs and tables of a text stand: Markdown tables, tables with tabs, and everything else as prose.

A table is two lines or more, one below the other, that are parted into cells by bars (``| Revenue | 12 |``, with or
without bars at the ends and with or without the line of dashes) or by tabs. A paragraph ends with an empty line, a
table, a heading (``#``) or the next item of a list. Nothing is copied here: all are places in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final, NamedTuple, final

from finslm.answering.document import Document, Unit
from finslm.errors import FieldViolation, InvalidRequest

MAX_COLUMNS: Final = 256
MAX_CELLS: Final = 20_000
"""Of a document, all tables together."""
_BAR: Final = re.compile(r"(?<!\\)\|")
_TAB: Final = re.compile(r"\t")
_RULE: Final = re.compile(r":?-+:?")
"""A cell of the line of dashes below a Markdown table's head."""
_MARK: Final = re.compile(r"\s*(?:(?P<heading>#{1,6})|[-*•·]|\d{1,3}[.)])\s+(?=\S)")
"""What a heading or an item of a list begins with."""


@final
class Place(NamedTuple):
    """A half-open range of code points."""

    start: int
    end: int


@final
@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table, and the cells in it."""

    place: Place
    cells: tuple[Place, ...]


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """The paragraphs and the tables of a text, each in the order in which they stand."""

    paragraphs: tuple[Place, ...]
    tables: tuple[tuple[Line, ...], ...]

    @property
    def rows(self) -> list[Line]:
        """Those of all tables."""
        return [line for table in self.tables for line in table]

    def document(self, text: Callable[[Place], str]) -> Document:
        """The document.

        Args:
            text: what stands, or is shown, at a place.
        """
        starts = [0, *accumulate(map(len, self.tables))][: max(1, len(self.tables))]
        rows = (tuple(text(cell).replace("\\|", "|") for cell in row.cells) for row in self.rows)
        return Document(tuple(map(text, self.paragraphs)), tuple(rows), tuple(starts))

    def place(self, unit: Unit) -> Place:
        """Where a sentence or a row stands, if :meth:`document` was given the text itself."""
        if unit.row is not None:
            return self.rows[unit.row].place
        start = self.paragraphs[unit.paragraph or 0].start
        return Place(start + unit.start, start + unit.end)


def layout(text: str) -> Layout:
    """Find the paragraphs and tables of a text.

    Raises:
        InvalidRequest: a row, or the document, has more cells than are read.
    """
    paragraphs: list[Place] = []
    tables: list[tuple[Line, ...]] = []
    for mark, group in groupby(_lines(text), key=lambda line: _mark(text[line.start : line.end])):
        lines = list(group)
        rows = _table(text, lines, mark) if mark is not None and len(lines) > 1 else ()
        if rows:
            tables.append(rows)
            _check_size(tables)
        else:
            paragraphs += (each for each in _paragraphs(text, lines) if _says(text[each.start : each.end]))
    return Layout(tuple(paragraphs), tuple(tables))


def _check_size(tables: Sequence[Sequence[Line]]) -> None:
    widest = max(len(row.cells) for row in tables[-1])
    cells = sum(len(row.cells) for table in tables for row in table)
    if widest > MAX_COLUMNS or cells > MAX_CELLS:
        rule = f"at most {MAX_COLUMNS} cells in a row and {MAX_CELLS} in all, got {widest} and {cells}"
        raise InvalidRequest(f"document: {rule}; send the part that matters", FieldViolation("document", rule))


def _says(text: str) -> bool:
    """Whether there is a letter or a digit in it: a line across the page says nothing."""
    return any(map(str.isalnum, text))


def _lines(text: str) -> Iterator[Place]:
    """Each line without its end."""
    start = 0
    for line in text.splitlines(keepends=True):
        yield Place(start, start + len(line.rstrip("\r\n")))
        start += len(line)


def _mark(line: str) -> re.Pattern[str] | None:
    """What parts the cells of a line, if it has any."""
    if _BAR.search(line):
        return _BAR
    return _TAB if "\t" in line.strip() else None


def _table(text: str, lines: Sequence[Place], mark: re.Pattern[str]) -> tuple[Line, ...]:
    """The rows of a table; none where there is nothing but dashes."""
    shown = [text[line.start : line.end].strip() for line in lines]
    # A bar at an end is a border where all lines have one; else the cell outside of it is empty.
    left = mark is _BAR and all(line.startswith("|") for line in shown)
    right = mark is _BAR and all(line.endswith("|") and not line.endswith("\\|") for line in shown)
    rows = [Line(_stripped(text, line), tuple(_cells(text, line, mark, left=left, right=right))) for line in lines]
    return tuple(row for row in rows if not _is_rule(text, row))


def _cells(text: str, line: Place, mark: re.Pattern[str], *, left: bool, right: bool) -> Iterator[Place]:
    bars = [(bar.start(), bar.end()) for bar in mark.finditer(text, line.start, line.end)]
    starts, ends = [line.start, *(end for _, end in bars)], [*(start for start, _ in bars), line.end]
    last = len(starts) - 1 if right else len(starts)
    for start, end in zip(starts[left:last], ends[left:last], strict=True):
        yield _stripped(text, Place(start, end))


def _is_rule(text: str, row: Line) -> bool:
    return all(_RULE.fullmatch(text[cell.start : cell.end]) for cell in row.cells)


def _stripped(text: str, place: Place) -> Place:
    """Without the spaces around it."""
    inside = text[place.start : place.end]
    start = place.start + len(inside) - len(inside.lstrip())
    return Place(start, max(start, place.start + len(inside.rstrip())))


def _paragraphs(text: str, lines: Sequence[Place]) -> Iterator[Place]:
    """Lines that belong together; the marks of headings and items left out."""
    start = end = -1
    for line in lines:
        inside = _stripped(text, line)
        mark = _MARK.match(text, line.start, line.end)
        if start >= 0 and (mark or inside.start == inside.end):
            yield Place(start, end)
            start = -1
        if inside.start < inside.end:
            start = (mark.end() if mark else inside.start) if start < 0 else start
            end = inside.end
        if mark and mark["heading"]:
            yield Place(start, end)
            start = -1
    if start >= 0:
        yield Place(start, end)
