"""The report as a PDF for the archive (PDF/A-2b): the same bytes for the same report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO
from typing import Final, final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
)
from reportlab.platypus import Table as Grid
from reportlab.platypus.tableofcontents import TableOfContents

from finslm.compliance.charts import GRID, INK, MUTED, SERIES
from finslm.compliance.compose import compose
from finslm.compliance.document import Document, Section, shown
from finslm.compliance.model import Report
from finslm.compliance.pdf_archive import Identity, archive
from finslm.compliance.pdf_fonts import BOLD, REGULAR, checked, register
from finslm.compliance.pdf_parts import NOTE, Group, groups, style, text

_MARGIN: Final = 48.0
_TOP: Final = 62.0
_BOTTOM: Final = 54.0
_WIDTH: Final = A4[0] - 2 * _MARGIN
TEAL: Final = SERIES[0][1]
_H2: Final = style(12.5, font=BOLD, spaceBefore=16, spaceAfter=5)


def to_pdf(report: Report) -> bytes:
    """Render ``report``.

    Raises:
        InvalidRequest: a name has a character that the fonts cannot show.
    """
    register()
    document = compose(report)
    out = BytesIO()
    pages = _Pages(out, document, _identity(report, document))
    pages.multiBuild([*_front(document), *_body(document)])
    return out.getvalue()


def _identity(report: Report, document: Document) -> Identity:
    """Ids from the whole report, so that a report with other figures is another document."""
    return Identity(
        title=checked(f"Compliance report {document.report_id}, {document.title}"),
        author=checked(report.generated_by),
        subject=checked(document.period),
        keywords=f"query {report.query.sha256}",
        creator=checked(f"{report.source.tool} {report.source.tool_version}"),
        time=report.generated_at,
        digest=hashlib.sha256(report.to_json().encode()).hexdigest()[:32],
    )


@final
class _Pages(BaseDocTemplate):  # type: ignore[misc]
    """The pages: running head from the second on, page numbers, a contents list that is filled in the next pass."""

    canv: Canvas

    def __init__(self, out: BytesIO, document: Document, identity: Identity) -> None:
        super().__init__(out, pagesize=A4, initialFontName=REGULAR)
        self._document, self._identity, self._total = document, identity, 0
        frame = Frame(_MARGIN, _BOTTOM, _WIDTH, A4[1] - _TOP - _BOTTOM, 0, 0, 0, 0)
        self.addPageTemplates(PageTemplate("page", [frame], onPage=self._running_lines))

    def _makeCanvas(self, filename: object = None, canvasmaker: object = None) -> Canvas:  # noqa: N802, ARG002
        """One that writes the same bytes each time, and knows no font but ours."""
        canvas = Canvas(self.filename, pagesize=A4, invariant=1, pdfVersion=(1, 7), initialFontName=REGULAR, lang="en")
        archive(canvas, self._identity)
        return canvas

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802
        """A heading goes into the contents and the outline."""
        if isinstance(flowable, _Heading):
            self.canv.bookmarkPage(flowable.key)
            self.canv.addOutlineEntry(flowable.words, flowable.key, 0)
            self.notify("TOCEntry", (0, flowable.entry, self.page, flowable.key))

    def afterPage(self) -> None:  # noqa: N802
        """The last pass knows how many there are from the pass before it."""
        self._last = self.page

    def _running_lines(self, canvas: Canvas, _: BaseDocTemplate) -> None:
        if self.page == 1:
            self._total = getattr(self, "_last", 0)
        canvas.setFont(REGULAR, 6.8)
        canvas.setFillColor(HexColor(MUTED))
        canvas.setStrokeColor(HexColor(GRID))
        canvas.setLineWidth(0.5)
        left, right = f"Report {self._document.report_id}", f"page {self.page} of {self._total}"
        canvas.line(_MARGIN, _BOTTOM - 12, A4[0] - _MARGIN, _BOTTOM - 12)
        canvas.drawString(_MARGIN, _BOTTOM - 23, checked(self._document.drawn[0]))
        canvas.drawRightString(A4[0] - _MARGIN, _BOTTOM - 23, right)
        if self.page > 1:
            title = " \u00b7 ".join(filter(None, ("Compliance report", self._document.title, self._document.subject)))
            canvas.drawString(_MARGIN, A4[1] - 40, checked(_shortened(title)))
            canvas.drawRightString(A4[0] - _MARGIN, A4[1] - 40, left)
            canvas.line(_MARGIN, A4[1] - 46, A4[0] - _MARGIN, A4[1] - 46)


def _shortened(words: str, limit: int = 88) -> str:
    return words if len(words) <= limit else f"{words[: limit - 3]}..."


@final
class _Heading(Paragraph):  # type: ignore[misc]
    """Heading of a section."""

    def __init__(self, number: int, section: Section) -> None:
        coloured, space = f'<font color="{TEAL}">{number}</font>', "&nbsp;"  # two spaces are as wide as a digit
        self.words, self.key = f"{number}  {section.title}", f"s-{section.id}"
        self.entry = f"{space * 2 * (number < 10)}{coloured}{space * 4}{section.title}"
        super().__init__(f"{coloured}{space * 3}{section.title}", _H2)


def _front(document: Document) -> Iterator[Flowable]:
    """The first page: what, when, whether it is complete, the figures, the contents."""
    drawn = [
        text(line, style(7.6, colour=MUTED, right=True)) for line in (*document.drawn, f"Report {document.report_id}")
    ]
    eyebrow = ", ".join(filter(None, ("Compliance report", document.subject)))
    title = [
        text(eyebrow.upper(), style(7.6, colour=TEAL, font=BOLD)),
        text(document.title, style(21, font=BOLD, spaceBefore=3, spaceAfter=5)),
        text(document.period, style(9.4)),
    ]
    look = [
        *_plain(),
        ("VALIGN", (0, 0), (-1, -1), "BOTTOM"),
        ("LINEBELOW", (0, 0), (-1, -1), 2, HexColor(INK), "butt"),
    ]
    look += [("BOTTOMPADDING", (0, 0), (-1, -1), 12)]
    yield Grid([[title, drawn]], colWidths=(_WIDTH - 150, 150), style=look)
    yield Spacer(0, 16)
    yield _verdict(document)
    yield Spacer(0, 14)
    yield _figures(document)
    yield Spacer(0, 20)
    yield text("Contents", style(10.5, font=BOLD, spaceAfter=4))
    contents = TableOfContents(dotsMinLevel=-1, levelStyles=[style(8.2, spaceBefore=3.4)])
    contents.tableStyle = [*_plain()]
    yield contents
    yield Spacer(0, 18)
    yield text(document.closing, NOTE)
    yield PageBreak()


def _verdict(document: Document) -> Grid:
    colour, ground = (TEAL, "#eef5f5") if document.passed else (SERIES[2][1], "#faf0ee")
    words = [
        text(document.verdict, style(10.6, font=BOLD, colour=colour, spaceAfter=2)),
        text(document.verdict_detail, style(8.2)),
    ]
    look = [
        *_plain(),
        ("BACKGROUND", (0, 0), (-1, -1), HexColor(ground)),
        ("LINEBEFORE", (0, 0), (0, -1), 3.5, HexColor(colour), "butt"),
        ("LEFTPADDING", (0, 0), (-1, -1), 14),
        ("TOPPADDING", (0, 0), (-1, -1), 9),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 10),
        ("RIGHTPADDING", (0, 0), (-1, -1), 12),
    ]
    return Grid([[words]], colWidths=(_WIDTH,), style=look)


def _figures(document: Document) -> Grid:
    cells = [
        [text(shown(value, "number"), style(14.5, font=BOLD)), text(label, style(6.8, colour=MUTED))]
        for value, label in document.figures
    ]
    look = [
        *_plain(),
        ("BOX", (0, 0), (-1, -1), 0.5, HexColor(GRID)),
        ("INNERGRID", (0, 0), (-1, -1), 0.5, HexColor(GRID)),
        ("LEFTPADDING", (0, 0), (-1, -1), 8),
        ("TOPPADDING", (0, 0), (-1, -1), 7),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 9),
        ("RIGHTPADDING", (0, 0), (-1, -1), 5),
    ]
    return Grid([cells], colWidths=(_WIDTH / len(cells),) * len(cells), style=look)


def _plain() -> Iterator[tuple[object, ...]]:
    yield "FONT", (0, 0), (-1, -1), REGULAR
    yield "VALIGN", (0, 0), (-1, -1), "TOP"
    for side in ("LEFT", "RIGHT", "TOP", "BOTTOM"):
        yield f"{side}PADDING", (0, 0), (-1, -1), 0


def _body(document: Document) -> Iterator[Flowable]:
    for number, section in enumerate(document.sections, 1):
        head: list[Flowable] = [_Heading(number, section)]
        if section.note:
            head += [text(section.note, NOTE), Spacer(0, 3)]
        for group in groups(section.blocks, _WIDTH):
            yield from _kept(head, group)
            head = []


def _kept(head: list[Flowable], group: Group) -> Iterator[Flowable]:
    """A heading stands on the page of what follows it, or of its first rows."""
    if group.whole:
        yield KeepTogether([*head, *group.flowables])
        return
    yield CondPageBreak(130 if head else 84)
    yield from (*head, *group.flowables)
