"""CSV and its kin (RFC 4180, and what Python's csv.reader reads): where the cells stand, which row is the header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from redaction.structured import vocabulary
from redaction.structured.document import Kind, Leaf, Malformed, Reading, check_leaves, slice_view
from redaction.structured.fields import Field, words
from redaction.views import View

DELIMITERS: Final = ",;\t|"

_SAMPLE_ROWS: Final = 50
"""Rows looked at to find the delimiter and the header."""

_SAMPLE_CHARS: Final = 100_000

_HEADER_CHARS: Final = 48
"""A longer cell heads no column."""

_BREAK = re.compile(r"\r\n|\n|\r")
_DOUBLED = re.compile('""')


class Cell(NamedTuple):
    """Where a cell's content stands; quotes are outside."""

    start: int
    end: int
    quoted: bool
    rest: int
    """Where the cell ends: behind the closing quote something may follow that a lenient reader appends."""


def rows(document: str, start: int, delimiter: str) -> Iterator[list[Cell]]:
    """Yield the rows; empty lines are none.

    Raises:
        Malformed: a quote is not closed.
    """
    plain = re.compile(rf"[^{re.escape(delimiter)}\r\n]*+")
    row: list[Cell] = []
    at, end = start, len(document)
    while at < end:
        cell = _cell(document, at, plain)
        row.append(cell)
        at = cell.rest
        if at < end and document[at] == delimiter:
            at += 1
            if at < end:
                continue
            row.append(Cell(at, at, quoted=False, rest=at))
        line = _BREAK.match(document, at)
        at = line.end() if line else at
        if len(row) > 1 or row[0].rest > row[0].start:
            yield row
        row = []


def _cell(document: str, at: int, plain: re.Pattern[str]) -> Cell:
    if not document.startswith('"', at):
        end = _end(plain, document, at)
        return Cell(at, end, quoted=False, rest=end)
    close = document.find('"', at + 1)
    while close >= 0 and document.startswith('""', close):
        close = document.find('"', close + 2)
    if close < 0:
        raise Malformed("a quoted cell is not closed", at)
    return Cell(at + 1, close, quoted=True, rest=_end(plain, document, close + 1))


def _end(plain: re.Pattern[str], document: str, at: int) -> int:
    found = plain.match(document, at)
    return found.end() if found else at


def sniff(document: str, start: int) -> tuple[str, float, int]:
    """Return the likeliest delimiter, the share of sampled rows with the usual number of cells, and that number.

    Raises:
        Malformed: under every delimiter a quote is not closed.
    """
    best, broken = (",", 0.0, 1), None
    for delimiter in DELIMITERS:
        try:
            counts = Counter(map(len, islice(_sample(document, start, delimiter), _SAMPLE_ROWS)))
        except Malformed as error:
            broken = error
            continue
        if not counts:
            continue
        width, often = max(counts.items(), key=lambda item: (item[0] > 1, item[1], item[0]))
        share = often / counts.total()
        if width > 1 and (share, width) > best[1:]:
            best = (delimiter, share, width)
    if broken is not None and best[2] == 1:
        raise broken
    return best


def _sample(document: str, start: int, delimiter: str) -> Iterator[list[Cell]]:
    """The rows of the beginning; a cell that the cut leaves open ends it, unless the cut is the end itself."""
    cut = document[start : start + _SAMPLE_CHARS]
    try:
        yield from rows(cut, 0, delimiter)
    except Malformed:
        if len(cut) == len(document) - start:
            raise


def text_of(document: str, cell: Cell) -> str:
    """Return what a cell says."""
    text = document[cell.start : cell.end]
    return text.replace('""', '"') if cell.quoted else text


def has_header(document: str, sample: Sequence[Sequence[Cell]]) -> bool:
    """Whether the first row names the columns: short words, no data, and known words or other cells below."""
    if not sample:
        return False
    names = [text_of(document, cell).strip() for cell in sample[0]]
    if not any(names) or not all(_may_head(name) for name in names if name):
        return False
    return knows(names) or (len(names) > 1 and _numbers_below(document, names, sample[1:]))


def knows(names: Sequence[str]) -> bool:
    """Whether at least half of the headers have a word that headers have."""
    known = (not vocabulary.FIELD_WORDS.isdisjoint(vocabulary.normal(words(name)).split()) for name in names)
    return sum(known) * 2 >= len(names)


def _may_head(name: str) -> bool:
    letters = any(map(str.isalpha, name))
    return letters and len(name) <= _HEADER_CHARS and "@" not in name and sum(map(str.isdigit, name)) < 4


def _numbers_below(document: str, names: Sequence[str], below: Sequence[Sequence[Cell]]) -> bool:
    """Whether a column without a digit in its name has one in every cell."""
    for place, name in enumerate(names):
        column = [text_of(document, row[place]) for row in below if place < len(row)]
        if column and not any(map(str.isdigit, name)) and all(any(map(str.isdigit, cell)) for cell in column):
            return True
    return False


def csv_leaves(document: str, delimiter: str | None = None) -> tuple[list[Leaf], str]:
    """Return the leaves of a table and its delimiter; a byte order mark may stand before it.

    Raises:
        Malformed: a quote is not closed.
        DocumentTooLarge: too many cells.
    """
    start = int(document.startswith("\ufeff"))
    chosen = delimiter or sniff(document, start)[0]
    sample = list(islice(_sample(document, start, chosen), _SAMPLE_ROWS))
    top, header = Field(), has_header(document, sample)
    names = [text_of(document, cell).strip() for cell in sample[0]] if header else []
    columns = [top.child(name) for name in names]
    leaves: list[Leaf] = []
    for number, row in enumerate(rows(document, start, chosen)):
        for place, cell in enumerate(row):
            if place == len(columns):
                columns.append(Field())
            heads = header and number == 0
            leaves += _leaves(document, cell, top if heads else columns[place], Kind.MARKUP if heads else Kind.STRING)
            check_leaves(max(len(leaves), len(columns)))
    return leaves, chosen


def _leaves(document: str, cell: Cell, column: Field, kind: Kind) -> Iterator[Leaf]:
    if cell.end > cell.start:
        view = _undouble(document, cell) if cell.quoted else slice_view(document, cell.start, cell.end)
        yield Leaf(cell.start, cell.end, view, column, kind, quoted=cell.quoted)
    behind = cell.end + 1
    if cell.quoted and cell.rest > behind:
        yield Leaf(behind, cell.rest, slice_view(document, behind, cell.rest), column, kind)


def _undouble(document: str, cell: Cell) -> View:
    if document.find('""', cell.start, cell.end) < 0:
        return slice_view(document, cell.start, cell.end)
    reading, at = Reading(), cell.start
    for pair in _DOUBLED.finditer(document, cell.start, cell.end):
        reading.plain(document[at : pair.start()], at)
        reading.unit('"', *pair.span())
        at = pair.end()
    reading.plain(document[at : cell.end], at)
    return reading.view()
