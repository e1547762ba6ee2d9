"""A document as numbered units: each sentence of its paragraphs, each row of its table with the headers in its words.

A unit is what an answer cites. Its number and its offsets are those of the document as the caller sent it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from finslm.answering.figures import is_year, sole_figure

_END: Final = re.compile(r"(?<=[.!?;:])[\"”’)]*\s+(?=[A-Z0-9(“\"‘$•<])")
_ABBREVIATED: Final = re.compile(
    r"(?:\b(?:Inc|Ltd|Co|Corp|No|Nos|vs|Mr|Mrs|Ms|Dr|St|Jr|Sr|approx|e\.g|i\.e|cf|U\.S|U\.K)|\b[A-Z])\.$"
)
_YEAR: Final = re.compile(r"\b(?:19|20)\d\d\b")
SENTENCE_CHARS: Final = 600
"""A longer sentence is cut at the next space: lists without full stops would otherwise be one unit."""

UNIT_CHARS: Final = 2000
"""Of a row's words with those above it: the encoder reads 160 tokens."""
HEAD_CHARS: Final = 200
"""Of what stands above a column."""

Row = tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Document:
    """Paragraphs and tables.

    Args:
        table: rows of cells, of all tables one after the other.
        starts: number of the row with which each table begins.
    """

    paragraphs: tuple[str, ...] = field(repr=False)
    table: tuple[Row, ...] = field(default=(), repr=False)
    starts: tuple[int, ...] = (0,)

    def tables(self) -> Iterator[range]:
        """The rows of each table."""
        for start, end in zip(self.starts, (*self.starts[1:], len(self.table)), strict=True):
            yield range(start, end)

    def table_of(self, row: int) -> range:
        """The rows of the table that a row is in."""
        return next(rows for rows in self.tables() if row in rows)


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """A cell below the column headers, beside the row header."""

    row: int
    column: int
    text: str = field(repr=False)
    header: str = field(repr=False)
    """The words above it, from the top down."""


@final
@dataclass(frozen=True, slots=True)
class Unit:
    """What can be cited.

    Args:
        number: from 1, the table's rows first.
        text: what is read; for a row its headers are among its words.
        paragraph: number of the paragraph from 0; None: a row of the table.
        start, end: half-open offsets in the paragraph, code points; 0 for a row.
        row: number of the table's row from 0; None: a sentence.
        label: the row's own header with that of its section.
        cells: of a row that has values.
        is_header: a row of column headers.
    """

    number: int
    text: str = field(repr=False)
    paragraph: int | None = None
    start: int = 0
    end: int = 0
    row: int | None = None
    label: str = field(default="", repr=False)
    cells: tuple[Cell, ...] = field(default=(), repr=False)
    is_header: bool = False


def units(document: Document) -> list[Unit]:
    """The document's units in order."""
    found = [unit for rows in document.tables() for unit in _rows(document.table[rows.start : rows.stop], rows.start)]
    for number, paragraph in enumerate(document.paragraphs):
        for start, end in sentences(paragraph):
            found.append(Unit(len(found) + 1, paragraph[start:end], number, start, end))
    return found


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Half-open offsets of each sentence, spaces around it left out."""
    start = 0
    for match in _END.finditer(text):
        if _ABBREVIATED.search(text, max(0, match.start() - 12), match.start()):
            continue
        yield from _pieces(text, start, match.start())
        start = match.end()
    yield from _pieces(text, start, len(text))


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        start += len(text[start:end]) - len(text[start:end].lstrip())
        stop = end if end - start <= SENTENCE_CHARS else text.rfind(" ", start, start + SENTENCE_CHARS)
        if stop <= start:  # no space: cut the word
            stop = min(end, start + SENTENCE_CHARS)
        if text[start:stop].strip():
            yield start, start + len(text[start:stop].rstrip())
        start = stop


def header_rows(table: Sequence[Row]) -> int:
    """How many of the first rows name columns: those before the first figure that is no year.

    A table without figures has one.
    """
    for number, row in enumerate(table):
        named = bool(row and row[0].strip())
        if any(_is_value(cell) for cell in row[1:]) or (named and number and not any(c.strip() for c in row[1:])):
            return max(number, 1)
        if named and number and not any(_YEAR.search(cell) for cell in row[1:]):
            return number
    return min(1, len(table))


def _is_value(cell: str) -> bool:
    figure = sole_figure(cell)
    return cell.strip() in {"-", "—", "–", "$-", "$—"} or (figure is not None and not is_year(cell))


def _rows(table: Sequence[Row], first: int) -> Iterator[Unit]:
    """Units of one table.

    Args:
        first: number of its first row.
    """
    count = header_rows(table)
    heads = [_spread(row) for row in table[:count]]
    # What stands above every column is said once: rows stay short.
    apart = [head for head in heads if len({*filter(None, head)}) > 1]
    shared = "".join(f" ({head[1]})" for head in heads if head not in apart and len(head) > 1 and head[1])
    section = ""
    for number, row in enumerate(table, first):
        own = row[0].strip() if row else ""
        filled = [c for c in range(1, len(row)) if row[c].strip()]
        if number < first + count:
            text = " | ".join(c.strip() for c in row if c.strip())
            yield Unit(number + 1, text[:SENTENCE_CHARS], row=number, is_header=True)
        elif not filled:
            section = own.rstrip(":")
            yield Unit(number + 1, own[:SENTENCE_CHARS], row=number, label=own[:SENTENCE_CHARS])
        else:
            label = f"{section}: {own}" if section else own
            if own.lower().startswith("total"):
                section = ""  # a total ends its section
            cells = tuple(Cell(number, c, row[c].strip(), _above(heads, c)) for c in filled)
            label = label[:SENTENCE_CHARS]
            values = _until(UNIT_CHARS, (f"{_above(apart, c.column)} {c.text}".strip() for c in cells), "; ")
            text = f"{label}{shared[:SENTENCE_CHARS]}: {values}"[:UNIT_CHARS]
            yield Unit(number + 1, text, row=number, label=label, cells=cells)


def _spread(row: Row) -> list[str]:
    """A header row with its gaps filled by the nearest name: published tables lose which columns a name spans."""
    names = [cell.strip()[:HEAD_CHARS] if place else "" for place, cell in enumerate(row)]
    left, right, filled = 0, len(row), [""] * len(row)
    distance = [0] * len(row)
    for place, name in enumerate(names):
        left = place if name else left
        filled[place], distance[place] = (names[left], place - left) if left and place else ("", len(row))
    for place in range(len(row) - 1, 0, -1):
        right = place if names[place] else right
        if right - place < distance[place] and right < len(row):
            filled[place] = names[right]
    return filled


def _above(heads: Sequence[Sequence[str]], column: int) -> str:
    names = dict.fromkeys(head[column] for head in heads if column < len(head) and head[column])
    return _until(2 * HEAD_CHARS, names, " ")


def _until(most: int, words: Iterable[str], between: str) -> str:
    """Joined, and not much longer than ``most`` characters: what a caller repeats does not add up."""
    found, size = [], 0
    for word in words:
        found.append(word)
        size += len(word) + len(between)
        if size > most:
            break
    return between.join(found)
