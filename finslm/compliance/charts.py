"""The report's charts, readable in print and without colour (each has its figures in text)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from finslm.compliance.model import InForce, Tally
from finslm.compliance.pictures import Line, Picture, Rect, Shape, Text

INK, MUTED, GRID = "#1c2a36", "#5d6b78", "#dfe5e9"
SERIES = (("answered", "#1f6f78"), ("refused", "#d9a441"), ("failed", "#b5483a"))
"""How a call ended, and its colour; they differ in lightness too."""
SLATE = "#46607a"


def time_chart(rows: Sequence[Tally]) -> Picture:
    """Stacked columns: calls over time by how they ended."""
    width, height, left, right, bottom, top = 1000.0, 230.0, 46.0, 14.0, 28.0, 10.0
    peak = nice_ceiling(max((row.calls for row in rows), default=0))
    step = (width - left - right) / max(1, len(rows))
    scale, every = (height - bottom - top) / peak, max(1, -(-len(rows) // 12))
    shapes: list[Shape] = [*_grid(peak, left, width, height - bottom, scale)]
    for i, row in enumerate(rows):
        shapes += _column(row, left + i * step, height - bottom, step, scale)
        if i % every == 0:
            shapes.append(Text(left + i * step + step / 2, height - 9, axis_label(row.name), "middle", MUTED))
    return Picture(width, height, "Calls over time, by how they ended", tuple(shapes))


def _column(row: Tally, x: float, floor: float, step: float, scale: float) -> Iterator[Rect]:
    y = floor
    for name, colour in SERIES:
        calls = getattr(row, name)
        y -= calls * scale
        if calls:
            wide = max(1.0, step * 0.76)
            yield Rect(x + step * 0.12, y, wide, calls * scale, colour, f"{row.name}: {name} {calls}")


def bar_chart(counts: Mapping[str, int], colour: str = SERIES[0][1], limit: int = 14) -> Picture:
    """Horizontal bars, the longest first; what is beyond ``limit`` is summed in one."""
    rows = list(counts.items())
    if len(rows) > limit:
        rows = [*rows[: limit - 1], (f"{len(rows) - limit + 1} others", sum(n for _, n in rows[limit - 1 :]))]
    line, left, right, width = 24.0, 178.0, 64.0, 480.0
    peak = max((n for _, n in rows), default=1) or 1
    shapes: list[Shape] = []
    for i, (name, n) in enumerate(rows):
        y, length = i * line + 4, (width - left - right) * n / peak
        shapes += [
            Text(left - 10, y + 13, name if len(name) <= 24 else f"{name[:23]}\u2026", "end", INK),
            Rect(left, y + 2, max(1.0, length), line - 9, colour, f"{name}: {n}"),
            Text(left + length + 8, y + 13, f"{n:,}", "start", INK),
        ]
    return Picture(width, max(1, len(rows)) * line + 6, "Counts", tuple(shapes))


def span_chart(version: InForce, start: str, end: str) -> Picture:
    """A bar from first to last use within the period."""
    begin, whole = datetime.fromisoformat(start), datetime.fromisoformat(end) - datetime.fromisoformat(start)
    first, last = ((datetime.fromisoformat(t) - begin) / whole * 200 for t in (version.first_time, version.last_time))
    bar = Rect(first, 3, max(3.0, last - first), 10, SERIES[0][1], f"{version.first_time} to {version.last_time}")
    return Picture(200, 16, "In use", (Rect(0, 6, 200, 4, GRID, "the period"), bar))


def _grid(peak: int, left: float, width: float, floor: float, scale: float) -> Iterator[Shape]:
    quarters = 4 if peak >= 4 else 1
    for quarter in range(quarters + 1):
        value = peak * quarter // quarters
        y = floor - value * scale
        yield Line(left, y, width, y, GRID)
        yield Text(left - 8, y + 4, f"{value:,}", "end", MUTED)


def nice_ceiling(value: int) -> int:
    """The next of 4, 8, 12, 16, 20, 40, 80, 120, ... so that quarters are whole numbers."""
    if value <= 1:
        return 1
    power = 1
    while True:
        for base in (4, 8, 12, 16, 20):
            if value <= base * power:
                return base * power
        power *= 10


def axis_label(name: str) -> str:
    """A label of the time axis: ``13:00``, ``31 Jan``, ``Jan 2026`` or ``2026``."""
    if len(name) == 13:
        return f"{name[11:]}:00"
    if len(name) == 10:
        return f"{int(name[8:])} {_MONTHS[int(name[5:7]) - 1]}"
    return f"{_MONTHS[int(name[5:7]) - 1]} {name[:4]}" if len(name) == 7 else name


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
