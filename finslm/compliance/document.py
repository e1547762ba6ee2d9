"""The report laid out: sections of facts, tables and charts. The page, the PDF and the tables are made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, final

from finslm.compliance.pictures import Picture

Kind = Literal["text", "strong", "number", "time", "hash", "details", "status", "picture"]
Cell = str | int | None | Picture
Row = tuple[Cell, ...]


@final
@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``share`` is its part of the width."""

    title: str
    kind: Kind = "text"
    share: float = 1.0


@final
@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns. ``id`` is the name of its file among the tables, and its anchor in the page."""

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    empty: str = "None in this period."
    note: str = ""
    half: bool = False
    """Two of these stand side by side where there is room."""
    shown: bool = True
    """False where a chart shows the same figures: then only the forms made of tables have it."""

    def widths(self) -> tuple[float, ...]:
        """Widths of the columns in per cent, two decimals."""
        whole = sum(column.share for column in self.columns)
        return tuple(round(column.share / whole * 100, 2) for column in self.columns)


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    id: str
    title: str
    rows: tuple[tuple[str, str], ...]
    shown: bool = True


@final
@dataclass(frozen=True, slots=True)
class Chart:
    """A picture under a title."""

    title: str
    picture: Picture
    legend: tuple[tuple[str, str], ...] = ()
    """Names and colours."""
    half: bool = False
    shown: bool = True


Block = Table | Facts | Chart


@final
@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands under it."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    note: str = ""


@final
@dataclass(frozen=True, slots=True)
class Document:
    """The whole report as it is shown."""

    report_id: str
    title: str
    period: str
    subject: str
    """System and environment, or nothing."""
    drawn: tuple[str, ...]
    passed: bool
    verdict: str
    verdict_detail: str
    figures: tuple[tuple[int, str], ...]
    sections: tuple[Section, ...]
    closing: str

    def tables(self) -> tuple[Table | Facts, ...]:
        """All blocks that are not charts, in order."""
        return tuple(block for section in self.sections for block in section.blocks if not isinstance(block, Chart))


def when(stamp: str) -> str:
    """``2026-01-31 23:59:59`` of a record's time."""
    return stamp[:19].replace("T", " ")


def shown(cell: Cell, kind: Kind) -> str:
    """A cell as text for a reader."""
    if cell is None:
        return "\u2013"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, Picture):
        return ""
    if kind == "details":
        return _DIGEST.sub("\\1\u2026", cell)
    return when(cell) if kind == "time" else cell


_DIGEST: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b")
"""A long digest among the details of an event: readers get its beginning, the tables have it whole."""
