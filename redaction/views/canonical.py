"""Letters and digits only, in one form each, with their places: what is left of a value however it is dressed up."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from redaction.views.confusables import skeleton

_ALNUM: Final = np.array([chr(code).isalnum() and code < 128 for code in range(256)])
_DROP: Final = {code: None for code in range(128) if not chr(code).isalnum()}
_LOWER: Final[dict[int, str | None]] = {**_DROP, **{code: chr(code + 32) for code in range(65, 91)}}
_CACHED: Final = 1 << 13


@final
@dataclass(frozen=True, slots=True)
class Canonical:
    """The letters and digits of a text: in lower case, without accents, lookalikes as Latin letters.

    Args:
        chars: them. Its ``repr`` is hidden: it may be confidential.
        places: per character of ``chars``, its code point in the text.
        codes: ``chars`` as numbers.
    """

    chars: str = field(repr=False)
    places: NDArray[np.int64] = field(repr=False)
    codes: NDArray[np.uint32] = field(repr=False)


def canonical(text: str) -> Canonical:
    """Return the letters and digits of a text that :func:`~redaction.views.normalise.normalise` has read."""
    if text.isascii():
        chars = text.lower().translate(_DROP)
        places = np.flatnonzero(_ALNUM[np.frombuffer(text.encode(), np.uint8)])
        return Canonical(chars, places, np.frombuffer(chars.encode(), np.uint8).astype(np.uint32))
    wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    odd = {char: _folded(char) for char in set(text) if char > "\x7f"}
    if any(len(folded) > 1 for folded in odd.values()):
        pieces = [odd[char] if char in odd else _folded(char) for char in text]
        chars = "".join(pieces)
        places = np.repeat(np.arange(len(text)), [len(piece) for piece in pieces])
    else:
        known = np.array([ord(char) for char, folded in odd.items() if folded], np.uint32)
        kept = _ALNUM[np.minimum(wide, 255)] | np.isin(wide, known)
        chars = text.translate(_LOWER | {ord(char): folded for char, folded in odd.items()})
        places = np.flatnonzero(kept)
    return Canonical(chars, places, np.frombuffer(chars.encode("utf-32-le", "surrogatepass"), np.uint32))


@lru_cache(_CACHED)
def _folded(char: str) -> str:
    if char <= "\x7f":
        return char.lower() if char.isalnum() else ""
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    parts = unicodedata.normalize("NFKD", skeleton(char)).lower()
    return "".join(part for part in parts if part.isalnum())
