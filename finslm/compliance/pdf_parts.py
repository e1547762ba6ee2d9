"""The blocks of the report as reportlab flowables: tables that break between rows, charts, facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, Spacer
from reportlab.platypus import Table as Grid

from finslm.compliance.charts import GRID, INK, MUTED, SERIES
from finslm.compliance.document import Block, Cell, Chart, Column, Facts, Kind, Row, Table, shown
from finslm.compliance.pdf_fonts import BOLD, REGULAR, checked
from finslm.compliance.pictures import Line, Picture, Rect, Text

MAX_ROWS: Final = 60
MAX_HALF_ROWS: Final = 24
"""Longer tables take the whole width, since what stands side by side cannot break over pages."""
MAX_WHOLE_ROWS: Final = 6
"""Shorter tables are not broken over pages."""
GUTTER: Final = 18.0
_COLOURS: Final = {
    "passed": SERIES[0][1],
    "not passed": SERIES[2][1],
    "evidenced": SERIES[0][1],
    "partly": "#8a6414",
    "not evidenced": SERIES[2][1],
    "the bank's own": MUTED,
}
_MIN_TEXT: Final = 6.4
"""Smallest text of a chart, points."""


def style(size: float, *, colour: str = INK, font: str = REGULAR, right: bool = False, **more: float) -> ParagraphStyle:
    """A style of this size, points, with a leading that fits it."""
    return ParagraphStyle(
        f"{font}-{size}-{colour}-{right}",
        fontName=font,
        bulletFontName=font,
        fontSize=size,
        textColor=HexColor(colour),
        alignment=2 if right else 0,
        **{"leading": size * 1.34, **more},
    )


_CELL: Final = style(7.2)
_STRONG: Final = style(7.2, font=BOLD)
_NUMBER: Final = style(7.2, right=True)
_HASH: Final = style(6.2, leading=7.2 * 1.34)
_HEAD: Final = style(6.6, colour=MUTED, font=BOLD)
_HEAD_RIGHT: Final = style(6.6, colour=MUTED, font=BOLD, right=True)
_NAME: Final = style(7.6, colour=MUTED)
_VALUE: Final = style(7.6)
NOTE: Final = style(7.4, colour=MUTED)
H3: Final = style(8.4, font=BOLD, spaceBefore=9, spaceAfter=3)
_BY_KIND: Final[dict[Kind, ParagraphStyle]] = {"strong": _STRONG, "number": _NUMBER, "hash": _HASH}


def text(words: str, look: ParagraphStyle) -> Paragraph:
    """A paragraph of plain words: what looks like markup stays as it is written."""
    return Paragraph(escape(checked(words)), look)


@final
@dataclass(frozen=True, slots=True)
class Group:
    """Flowables that belong together; ``whole`` when no page may end among them."""

    flowables: list[Flowable]
    whole: bool


def groups(found: tuple[Block, ...], width: float) -> Iterator[Group]:
    """Flowables of a section's blocks; two halves stand side by side."""
    waiting: list[list[Flowable]] = []
    for block in found:
        if not block.shown:
            continue
        if not _is_half(block):
            yield from _beside(waiting, width)
            yield Group(
                list(_block(block, width)), whole=not isinstance(block, Table) or len(block.rows) <= MAX_WHOLE_ROWS
            )
            continue
        waiting.append(list(_block(block, (width - GUTTER) / 2)))
        if len(waiting) == 2:
            yield from _beside(waiting, width)
    yield from _beside(waiting, width)


def _is_half(block: Block) -> bool:
    if isinstance(block, Table):
        return block.half and len(block.rows) <= MAX_HALF_ROWS
    return isinstance(block, Chart) and block.half


def _beside(waiting: list[list[Flowable]], width: float) -> Iterator[Group]:
    """What is waiting, in one row; nothing waits afterwards."""
    if waiting:
        cells = [waiting[0], "", waiting[1] if len(waiting) == 2 else ""]
        half = (width - GUTTER) / 2
        look = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("FONT", (0, 0), (-1, -1), REGULAR), *_padding(0, 0, 9, 0)]
        yield Group([Grid([cells], colWidths=(half, GUTTER, half), style=look)], whole=True)
        waiting.clear()


def _block(block: Block, width: float) -> Iterator[Flowable]:
    if isinstance(block, Facts):
        yield Spacer(0, 5)
        yield _facts(block, width)
        return
    if block.title:
        yield text(block.title, H3)
    if isinstance(block, Chart):
        yield from _chart(block, width)
        return
    if block.note:
        yield text(block.note, NOTE)
    yield grid(block, width)
    if (left_out := len(block.rows) - MAX_ROWS) > 0:
        yield text(f"{left_out:,} more rows are in the CSV and JSON forms of this report.", NOTE)


def grid(table: Table, width: float) -> Grid:
    """A table whose head is repeated on each page."""
    widths = [share / 100 * width for share in table.widths()]
    head = [text(c.title, _HEAD_RIGHT if c.kind == "number" else _HEAD) for c in table.columns]
    rows = [_cells(row, table.columns, widths) for row in table.rows[:MAX_ROWS]]
    look = [
        ("FONT", (0, 0), (-1, -1), REGULAR, 7.2),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, HexColor(INK)),
        ("LINEBELOW", (0, 1), (-1, -1), 0.3, HexColor(GRID)),
        *_padding(0, 7, 2.2, 2.6),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
    ]
    if not rows:
        rows = [[text(table.empty, NOTE), *[""] * (len(head) - 1)]]
        look.append(("SPAN", (0, 1), (-1, 1)))
    return Grid([head, *rows], colWidths=widths, repeatRows=1, style=look)


def _cells(row: Row, columns: tuple[Column, ...], widths: list[float]) -> list[Flowable]:
    return [_cell(cell, column, wide) for cell, column, wide in zip(row, columns, widths, strict=True)]


def _cell(cell: Cell, column: Column, width: float) -> Flowable:
    if isinstance(cell, Picture):
        return Drawing(cell, width - 7)
    words = shown(cell, column.kind)
    if column.kind == "status":
        return text(words, style(7.2, font=BOLD, colour=_COLOURS[words]))
    return text(words, _BY_KIND.get(column.kind, _CELL))


def _facts(facts: Facts, width: float) -> Grid:
    rows = [[text(name, _NAME), text(value, _VALUE)] for name, value in facts.rows]
    look = [("FONT", (0, 0), (-1, -1), REGULAR), ("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(0, 8, 1.4, 1.6)]
    return Grid(rows, colWidths=(112, width - 112), style=look)


def _chart(chart: Chart, width: float) -> Iterator[Flowable]:
    if chart.legend:
        yield Legend(chart.legend, width)
    yield Drawing(chart.picture, width)
    yield Spacer(0, 6)


def _padding(left: float, right: float, top: float, bottom: float) -> Iterator[tuple[object, ...]]:
    sides = (("LEFT", left), ("RIGHT", right), ("TOP", top), ("BOTTOM", bottom))
    return ((f"{side}PADDING", (0, 0), (-1, -1), value) for side, value in sides)


@final
class Drawing(Flowable):  # type: ignore[misc]
    """A picture, scaled to a width."""

    canv: Canvas

    def __init__(self, picture: Picture, width: float) -> None:
        super().__init__()
        self._picture, self._scale = picture, width / picture.width
        self.width, self.height = width, picture.height * self._scale

    def draw(self) -> None:
        """Paint the shapes; theirs is y downwards, a page's is upwards."""
        for shape in self._picture.shapes:
            if isinstance(shape, Rect):
                self._rect(shape)
            elif isinstance(shape, Line):
                self._line(shape)
            else:
                self._text(shape)

    def _rect(self, shape: Rect) -> None:
        k = self._scale
        self.canv.setFillColor(HexColor(shape.colour))
        y = self.height - (shape.y + shape.height) * k
        self.canv.rect(shape.x * k, y, shape.width * k, shape.height * k, stroke=0, fill=1)

    def _line(self, shape: Line) -> None:
        k, h = self._scale, self.height
        self.canv.setStrokeColor(HexColor(shape.colour))
        self.canv.setLineWidth(0.4)
        self.canv.line(shape.x1 * k, h - shape.y1 * k, shape.x2 * k, h - shape.y2 * k)

    def _text(self, shape: Text) -> None:
        self.canv.setFillColor(HexColor(shape.colour))
        self.canv.setFont(REGULAR, max(_MIN_TEXT, 11.5 * self._scale))
        draw = {"start": "drawString", "middle": "drawCentredString", "end": "drawRightString"}[shape.anchor]
        getattr(self.canv, draw)(shape.x * self._scale, self.height - shape.y * self._scale, checked(shape.text))


@final
class Legend(Flowable):  # type: ignore[misc]
    """What the colours of a chart stand for."""

    canv: Canvas

    def __init__(self, entries: tuple[tuple[str, str], ...], width: float) -> None:
        super().__init__()
        self._entries, self.width, self.height = entries, width, 13.0

    def draw(self) -> None:
        """A square and a word for each."""
        x = 24.0
        for name, colour in self._entries:
            self.canv.setFillColor(HexColor(colour))
            self.canv.rect(x, 3, 6.5, 6.5, stroke=0, fill=1)
            self.canv.setFillColor(HexColor(MUTED))
            self.canv.setFont(REGULAR, 7)
            self.canv.drawString(x + 10, 3.8, name)
            x += 10 + self.canv.stringWidth(name, REGULAR, 7) + 16
