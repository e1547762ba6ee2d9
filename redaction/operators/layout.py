"""The letters and digits of a value, apart from how it is written: what format-preserving operators change."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final, final

from redaction.errors import CannotReplace

CLASSES: Final = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
"""A letter or digit is replaced by one of its own class, so that the format stays."""

_CLASS_OF: Final = {char: chars for chars in CLASSES for char in chars}


def in_ascii(value: str) -> str:
    """Return a value with compatibility forms resolved (NFKC) and the digits of any script as 0 to 9."""
    digits = ((char, unicodedata.decimal(char, None)) for char in unicodedata.normalize("NFKC", value))
    return "".join(char if digit is None else str(digit) for char, digit in digits)


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """A value taken apart. Its ``repr`` would show the value: never log one.

    Args:
        form: the value as it is written, compatibility forms resolved (NFKC), the digits of any script as 0 to 9.
        places: where the letters and digits stand in it.
    """

    form: str
    places: tuple[int, ...]

    @classmethod
    def of(cls, value: str) -> Layout:
        """Take a value apart.

        Raises:
            CannotReplace: it has letters or digits beyond 0-9, A-Z, a-z, or none at all.
        """
        form = in_ascii(value)
        places = tuple(place for place, char in enumerate(form) if char.isalnum())
        if not places or any(form[place] not in _CLASS_OF for place in places):
            raise CannotReplace("a value to be replaced in its own format has characters other than 0-9, A-Z, a-z")
        return cls(form, places)

    @property
    def symbols(self) -> str:
        """The letters and digits alone."""
        return "".join(self.form[place] for place in self.places)

    def write(self, symbols: str) -> str:
        """Return the value with other letters and digits, as many, in the places of its own."""
        chars = list(self.form)
        for place, symbol in zip(self.places, symbols, strict=True):
            chars[place] = symbol
        return "".join(chars)


def mask(symbols: str) -> str:
    """Return the format: ``9`` for a digit, ``A`` and ``a`` for letters."""
    return "".join("9" if symbol.isdigit() else "A" if symbol.isupper() else "a" for symbol in symbols)


def size(symbols: str) -> int:
    """Return how many values have the format of this one."""
    return prod(len(_CLASS_OF[symbol]) for symbol in symbols)


def rank(symbols: str) -> int:
    """Return the place of a value among all of its format, from 0."""
    number = 0
    for symbol in symbols:
        chars = _CLASS_OF[symbol]
        number = number * len(chars) + chars.index(symbol)
    return number


def unrank(number: int, classes: Sequence[str]) -> str:
    """Return the value at a place among all of the format of ``classes``."""
    symbols = []
    for symbol in reversed(classes):
        number, at = divmod(number, len(_CLASS_OF[symbol]))
        symbols.append(_CLASS_OF[symbol][at])
    return "".join(reversed(symbols))
