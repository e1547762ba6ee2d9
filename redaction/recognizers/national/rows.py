"""Rows of digits and letters in a text that may be a number in groups, and the numbers that can be read from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_CHUNK: Final = r"(?:[A-Za-z]{0,6}[0-9][0-9A-Za-z]{0,21}+|[A-Z]{1,6})(?![^\W_])"
"""A piece of a number: digits, perhaps with letters, or a few capitals."""
_PARTING: Final = r"(?:[ ./+(-]|[ ][.-][ ]|[ \t]?-?\r?\n[ \t]?)"
_ROW: Final = re.compile(rf"[0-9](?<![0-9].)[0-9A-Za-z]{{0,21}}+(?![^\W_])(?:{_PARTING}{_CHUNK})*+")
_PIECE: Final = re.compile(_CHUNK)
_LETTERS_BEFORE: Final = re.compile(r"(?<![^\W_])[A-Za-z]{1,12}$")
_CAPITALS_BEFORE: Final = re.compile(r"(?<![^\W_])(?:[A-Z]{1,6}[ .-]){1,2}$")
_HEADED: Final = re.compile(r"(?<=[A-Za-z])|(?<=[A-Z][ .-])")
"""Where either of the two may match: a short row is no number without the letters before it."""
_LOOK_BACK = 16

_DIALLED: Final = re.compile(r"\+(?:[0-9]{1,4}[ -])?$")
_CODE_CHARS = 6
"""A plus sign, and the calling code of a country, before a phone number."""

_MOST_CHUNKS = 9
SHORTEST: Final = 8
LONGEST: Final = 18
"""Fewest and most digits and letters of the numbers that are read."""
_FEWEST_DIGITS = 4


class Reading(NamedTuple):
    """A number as it may be read from a text.

    Args:
        start: where it starts.
        end: where it ends.
        number: without separators, in capitals.
        glued: a word stands directly before it, so that only this word can say that it begins here.
    """

    start: int
    end: int
    number: str
    glued: bool


def is_whole(text: str, reading: Reading) -> bool:
    """Whether it is in capitals, on one line, no part of a longer number in groups, and no phone number with a plus."""
    start, end = reading.start, reading.end
    written = text[start:end]
    if reading.glued or "\n" in written or written != written.upper():
        return False
    if _DIALLED.search(text[max(0, start - _CODE_CHARS) : start]):
        return False
    partings = {"-", ".", "/", *(c for c in written if not c.isalnum())}
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    goes_on = len(before) == 2 and before[1] in partings and before[0].isdigit()
    return not goes_on and not (len(after) == 2 and after[0] in partings and after[1].isdigit())


def readings(text: str) -> Iterator[Reading]:
    """Every number that can be read from the text, the parts of longer ones among them; linear in the text."""
    for match in _ROW.finditer(text):
        start, end = match.span()
        if end - start < SHORTEST and not _HEADED.match(text, start):
            continue
        if sum(map(match[0].count, "0123456789")) >= _FEWEST_DIGITS:
            yield from _of_row(text, _chunks(text, start, end))


def _chunks(text: str, start: int, end: int) -> list[tuple[int, int, bool]]:
    """Start and end of each piece of a row, and whether it is glued to a word."""
    chunks = [(*match.span(), False) for match in _PIECE.finditer(text, start, end)]
    letters = text[start - 1 : start].isalpha()
    if letters:
        chunks[0] = start, chunks[0][1], True
    if not _HEADED.match(text, start):
        return chunks
    before = text[max(0, start - _LOOK_BACK) : start]
    found = _LETTERS_BEFORE.search(before) if letters else _CAPITALS_BEFORE.search(before)
    if found is None:
        return chunks
    head = start - len(before) + found.start()
    if letters:
        return [(head, chunks[0][1], False), *chunks]
    return [*((*match.span(), False) for match in _PIECE.finditer(text, head, start)), *chunks]


def _of_row(text: str, chunks: list[tuple[int, int, bool]]) -> Iterator[Reading]:
    for first, (start, _, glued) in enumerate(chunks):
        number = ""
        for from_, to, stuck in chunks[first : first + _MOST_CHUNKS]:
            if stuck and from_ != start:
                continue  # the same digits once more, without the letters before them
            number += text[from_:to]
            if len(number) > LONGEST:
                break
            if len(number) >= SHORTEST:
                yield Reading(start, to, number.upper(), glued)
