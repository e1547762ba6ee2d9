"""The report's charts: plain SVG, made here, readable in print and without colour (each has its figures in text)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from markupsafe import Markup, escape

from finslm.compliance.model import InForce, Tally

INK, MUTED, GRID = "#1c2a36", "#5d6b78", "#e3e8ec"
SERIES = (("answered", "#1f6f78"), ("refused", "#d9a441"), ("failed", "#b5483a"))
"""How a call ended, and its colour; they differ in lightness too."""


def time_chart(rows: Sequence[Tally]) -> Markup:
    """Stacked columns: calls over time by how they ended."""
    width, height, left, right, bottom, top = 1000.0, 230.0, 46.0, 14.0, 28.0, 10.0
    peak = _nice_ceiling(max((row.calls for row in rows), default=0))
    step = (width - left - right) / max(1, len(rows))
    scale = (height - bottom - top) / peak
    parts = [_grid(peak, left, width, height - bottom, scale)]
    every = max(1, -(-len(rows) // 12))
    for i, row in enumerate(rows):
        x, y = left + i * step, height - bottom
        for name, colour in SERIES:
            tall = getattr(row, name) * scale
            y -= tall
            if tall:
                parts.append(
                    _rect(
                        x + step * 0.12,
                        y,
                        max(1.0, step * 0.76),
                        tall,
                        colour,
                        f"{row.name}: {name} {getattr(row, name)}",
                    )
                )
        if i % every == 0:
            parts.append(_text(x + step / 2, height - 9, _short(row.name), "middle"))
    return _svg(width, height, parts, "Calls over time, by how they ended")


def bar_chart(counts: Mapping[str, int], colour: str = SERIES[0][1], limit: int = 14) -> Markup:
    """Horizontal bars, the longest first; what is beyond ``limit`` is summed in one."""
    rows = list(counts.items())
    if len(rows) > limit:
        rows = [*rows[: limit - 1], (f"{len(rows) - limit + 1} others", sum(n for _, n in rows[limit - 1 :]))]
    line, left, right, width = 24.0, 178.0, 64.0, 480.0
    peak = max((n for _, n in rows), default=1) or 1
    parts = []
    for i, (name, n) in enumerate(rows):
        y = i * line + 4
        length = (width - left - right) * n / peak
        parts += [
            _text(left - 10, y + 13, name, "end", INK),
            _rect(left, y + 2, max(1.0, length), line - 9, colour, f"{name}: {n}"),
            _text(left + length + 8, y + 13, f"{n:,}", "start", INK),
        ]
    return _svg(width, max(1, len(rows)) * line + 6, parts, "Counts")


def span_chart(version: InForce, start: str, end: str) -> Markup:
    """A bar from first to last use within the period."""
    begin, whole = datetime.fromisoformat(start), datetime.fromisoformat(end) - datetime.fromisoformat(start)
    first, last = ((datetime.fromisoformat(t) - begin) / whole * 200 for t in (version.first_time, version.last_time))
    parts = [
        _rect(0, 6, 200, 4, GRID, "the period"),
        _rect(first, 3, max(3.0, last - first), 10, SERIES[0][1], f"{version.first_time} to {version.last_time}"),
    ]
    return _svg(200, 16, parts, "In use")


def _grid(peak: int, left: float, width: float, floor: float, scale: float) -> Markup:
    parts = []
    for quarter in range(5 if peak >= 4 else 2):
        value = peak * quarter // (4 if peak >= 4 else 1)
        y = floor - value * scale
        parts.append(
            Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}"/>').format(left, width, _n(y), _n(y), GRID)
        )
        parts.append(_text(left - 8, y + 4, f"{value:,}", "end"))
    return Markup("").join(parts)


def _nice_ceiling(value: int) -> int:
    """The next of 4, 8, 12, 16, 20, 40, 80, 120, ... so that quarters are whole numbers."""
    if value <= 1:
        return 1
    power = 1
    while True:
        for base in (4, 8, 12, 16, 20):
            if value <= base * power:
                return base * power
        power *= 10


def _short(name: str) -> str:
    """A label of the time axis: ``13:00``, ``31 Jan``, ``Jan 2026`` or ``2026``."""
    if len(name) == 13:
        return f"{name[11:]}:00"
    if len(name) == 10:
        return f"{int(name[8:])} {_MONTHS[int(name[5:7]) - 1]}"
    return f"{_MONTHS[int(name[5:7]) - 1]} {name[:4]}" if len(name) == 7 else name


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _svg(width: float, height: float, parts: Sequence[Markup], label: str) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _n(width), _n(height), label, Markup("").join(parts)
    )


def _rect(x: float, y: float, width: float, height: float, colour: str, title: str) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="{}"><title>{}</title></rect>').format(
        _n(x), _n(y), _n(width), _n(height), colour, title
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = MUTED) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}" fill="{}">{}</text>').format(
        _n(x), _n(y), anchor, colour, escape(text)
    )


def _n(value: float) -> str:
    """A coordinate with at most two decimals: the same on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
