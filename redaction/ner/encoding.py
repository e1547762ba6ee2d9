"""Text as the numbers that the name classifier reads: word pieces, and how each word is written.

The word pieces are lower-cased and without accents, so that rare names share pieces with common ones;
what that loses (capitals, digits, line breaks) comes back as one number for each word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Ints = NDArray[np.int64]

SHAPES: Final = ("mark", "lower", "title", "upper", "initial", "mixed", "digits", "alphanumeric", "uncased")
GAPS: Final = ("none", "space", "line", "wide", "start")
FEATURES: Final = len(SHAPES) * len(GAPS)
"""How many numbers :attr:`Encoded.features` may hold: shape of the word times what stands before it."""

_NUMBER_PIECES: Final = 2
_WORD_PIECES: Final = 6
"""A word's further pieces are left out: they say little of what it is, and long numbers and junk have many."""

_UPPER, _LOWER, _OTHER_LETTER, _DIGIT, _LINE, _SPACE = 1, 2, 3, 4, 5, 6


def _kind(char: str) -> int:
    if char in "\n\r\u2028\u2029":
        return _LINE
    if char.isspace():
        return _SPACE
    category = unicodedata.category(char)
    return {"Lu": _UPPER, "Lt": _UPPER, "Ll": _LOWER, "Nd": _DIGIT}.get(category, _OTHER_LETTER * category[0] in "LM")


_KINDS: Final = np.array([_kind(chr(code)) for code in range(0x3000)], np.int8)
"""Kind of each of the first characters of Unicode; beyond are scripts without capitals."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Texts as word pieces, one behind the other.

    Args:
        ids: [pieces] vocabulary numbers.
        features: [pieces] number of shape and gap of the piece's word, see :data:`FEATURES`.
        first: [words] number of each word's first piece.
        starts: [words] offset of each word in its text, code points.
        ends: [words] offset behind it.
        owners: [words] number of the word's text.
        bounds: [texts + 1] number of each text's first piece, and of all pieces.
    """

    ids: Ints
    features: Ints
    first: Ints
    starts: Ints
    ends: Ints
    owners: Ints
    bounds: Ints


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> Encoded:
    """Encode texts, all at once; no marks are added at their ends."""
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    sizes = [len(encoding.ids) for encoding in encodings]
    if not any(sizes):
        none = np.zeros(0, np.int64)
        return Encoded(none, none, none, none, none, none, np.zeros(len(texts) + 1, np.int64))
    shifts = np.repeat(_before([len(text) for text in texts]), sizes)  # where each piece's text begins
    owner = np.repeat(np.arange(len(texts)), sizes)
    ids = _joined(encoding.ids for encoding in encodings)
    words = _joined(encoding.word_ids for encoding in encodings)
    offsets = np.array([pair for encoding in encodings for pair in encoding.offsets], np.int64)
    first = np.flatnonzero((np.diff(words, prepend=-1) != 0) | (np.diff(owner, prepend=-1) != 0))
    starts = offsets[first, 0]
    ends = offsets[np.append(first[1:], len(ids)) - 1, 1]
    owners = owner[first]
    opening = np.diff(owners, prepend=-1) != 0
    written = _written("".join(texts), starts + shifts[first], ends + shifts[first], opening)
    sizes_of_words = np.diff(np.append(first, len(ids)))
    features = np.repeat(written, sizes_of_words)
    kept = np.minimum(sizes_of_words, np.where(_has_digits(written), _NUMBER_PIECES, _WORD_PIECES))
    keep = np.arange(len(ids)) - np.repeat(first, sizes_of_words) < np.repeat(kept, sizes_of_words)
    heads = np.append(0, np.cumsum(kept))
    bounds = heads[np.searchsorted(owners, np.arange(len(texts) + 1))]
    return Encoded(ids[keep], features[keep], heads[:-1], starts, ends, owners, bounds)


def _joined(parts: Iterable[Sequence[Any]]) -> Ints:
    return np.fromiter(chain.from_iterable(parts), np.int64)


def _has_digits(written: Ints) -> NDArray[np.bool_]:
    return np.isin(written // len(GAPS), [SHAPES.index("digits"), SHAPES.index("alphanumeric")])


def _before(sizes: Sequence[int]) -> Ints:
    """Where each part begins when parts of these sizes are laid end to end."""
    return np.cumsum([0, *sizes[:-1]], dtype=np.int64)


def _written(text: str, starts: Ints, ends: Ints, opening: NDArray[np.bool_]) -> Ints:
    """Number of shape and gap [words] of the words of ``text``; ``opening`` marks the first word of a text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = np.where(codes < len(_KINDS), _KINDS[np.minimum(codes, len(_KINDS) - 1)], np.int8(_OTHER_LETTER))
    sums = {kind: np.append(0, np.cumsum(kinds == kind)) for kind in (_UPPER, _LOWER, _OTHER_LETTER, _DIGIT, _LINE)}
    upper, lower, other, digits = (sums[kind][ends] - sums[kind][starts] for kind in (1, 2, 3, 4))
    letters = upper + lower + other
    shapes = np.select(
        [
            (letters == 0) & (digits == 0),
            letters == 0,
            digits > 0,
            upper + lower == 0,
            upper == 0,
            (upper == 1) & (letters == 1),
            lower == 0,
            (kinds[starts] == _UPPER) & (upper == 1),
        ],
        [
            SHAPES.index(name)
            for name in ("mark", "digits", "alphanumeric", "uncased", "lower", "initial", "upper", "title")
        ],
        SHAPES.index("mixed"),
    )
    before = np.append(0, ends[:-1])
    lines = sums[_LINE][starts] - sums[_LINE][before]
    gaps = np.select(
        [opening, starts == before, lines > 0, starts - before == 1],
        [GAPS.index(name) for name in ("start", "none", "line", "space")],
        GAPS.index("wide"),
    )
    written: Ints = shapes * len(GAPS) + gaps
    return written
