"""Stars in the place of letters and digits, but for the first or last few."""

from __future__ import annotations

from typing import ClassVar, Final, final

from pydantic import Field

from redaction.operators import base
from redaction.operators.base import OPERATORS
from redaction.operators.plain import Plain

_CARD: Final = "CREDIT_CARD"
_CARD_KEPT: Final = (6, 4)
"""Digits of a card number that may be shown, first and last (PCI DSS 4.0.1, 3.4.1)."""
_CARD_DIGITS: Final = 13
"""Of the shortest card number of which that many may be."""


@final
class MaskOptions(base.Options):
    """What is kept."""

    keep_first: int = Field(0, ge=0, le=64)
    """Letters and digits at the beginning that stay."""
    keep_last: int = Field(0, ge=0, le=64)
    """And at the end. Never more than half of a value stays; of a card number the first 6 and last 4 may."""
    char: str = Field("*", pattern=r"^[^\w\s<>]$")
    """Stands for each of the others."""


@OPERATORS.register("mask")
@final
class Mask(Plain[MaskOptions]):
    """Keeps spaces and signs, so that a number still looks like one."""

    Options: ClassVar[type[base.Options]] = MaskOptions

    def replace(self, type_: str, value: str) -> str:
        """Return the value with most of its letters and digits masked; one that has none is masked as a whole."""
        places = [place for place, char in enumerate(value) if char.isalnum()]
        if not places:
            return self._options.char * len(value)
        first, last = self._kept(type_, len(places))
        hidden = {*places[first : len(places) - last]}
        return "".join(self._options.char if place in hidden else char for place, char in enumerate(value))

    def _kept(self, type_: str, count: int) -> tuple[int, int]:
        first, last = self._options.keep_first, self._options.keep_last
        if type_ == _CARD and count >= _CARD_DIGITS:
            return min(first, _CARD_KEPT[0]), min(last, _CARD_KEPT[1])
        last = min(last, count // 2)
        return min(first, count // 2 - last), last
