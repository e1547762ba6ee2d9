"""The fonts of the PDF: Bitstream Vera, which comes with reportlab, embedded as PDF/A asks."""

from __future__ import annotations

from functools import cache
from typing import Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from finslm.compliance.request import refusal

REGULAR: Final = "Vera"
BOLD: Final = "VeraBd"
_FILES: Final = {REGULAR: "Vera.ttf", BOLD: "VeraBd.ttf"}


def register() -> None:
    """Make the fonts known to reportlab; a second time does nothing."""
    known = pdfmetrics.getRegisteredFontNames()
    for name, file in _FILES.items():
        if name not in known:
            pdfmetrics.registerFont(TTFont(name, file))


@cache
def _glyphs() -> frozenset[int]:
    register()
    faces = (pdfmetrics.getFont(name).face for name in _FILES)
    return frozenset.intersection(*(frozenset(face.charToGlyph) for face in faces))


def checked(words: str) -> str:
    """``words``, which the fonts can show whole; PDF/A allows no glyph that stands for a missing one.

    Raises:
        InvalidRequest: a character has no glyph.
    """
    missing = {character for character in words if ord(character) not in _glyphs()}
    if missing:
        code = min(map(ord, missing))
        raise refusal("format", f"the PDF has no glyph for U+{code:04X}: choose another form, or another name")
    return words
