"""A picture as shapes in points, y downwards: painted as SVG in the page and with the same geometry in the PDF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from markupsafe import Markup

Anchor = Literal["start", "middle", "end"]


@final
@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle; ``title`` is what a reader sees who points at it."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    title: str = ""


@final
@dataclass(frozen=True, slots=True)
class Line:
    """A hairline."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str


@final
@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; ``y`` is its base line."""

    x: float
    y: float
    text: str
    anchor: Anchor
    colour: str


Shape = Rect | Line | Text


@final
@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes, in the order in which they are painted."""

    width: float
    height: float
    label: str
    shapes: tuple[Shape, ...]

    def svg(self) -> Markup:
        """The picture as one SVG element; all text is escaped."""
        return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
            _n(self.width), _n(self.height), self.label, Markup("").join(map(_svg, self.shapes))
        )


def _svg(shape: Shape) -> Markup:
    if isinstance(shape, Rect):
        title = Markup("<title>{}</title>").format(shape.title) if shape.title else ""
        return Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="{}">{}</rect>').format(
            _n(shape.x), _n(shape.y), _n(shape.width), _n(shape.height), shape.colour, title
        )
    if isinstance(shape, Line):
        ends = map(_n, (shape.x1, shape.y1, shape.x2, shape.y2))
        return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="{}"/>').format(*ends, shape.colour)
    return Markup('<text x="{}" y="{}" text-anchor="{}" fill="{}">{}</text>').format(
        _n(shape.x), _n(shape.y), shape.anchor, shape.colour, shape.text
    )


def _n(value: float) -> str:
    """A coordinate with at most two decimals: the same on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
