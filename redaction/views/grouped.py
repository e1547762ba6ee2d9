"""Numbers whose groups stand further apart than people write them: columns, quoted lines, signs between digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from redaction.views.view import Edit

SIGN: Final = (
    r"[0-9A-Z](?:[ \t]{2,12}|\t|[ \t]*\r?\n[ \t]{3,12}|[ \t]*\r?\n[ \t]*[>|*\-][ \t>|*\-]*"
    r"| ?[_|*~^+] ?|[^\x00-\x7f]{1,4})[0-9A-Z]"
    r"|\b[0-9], ?[0-9], ?[0-9]\b|\b[A-Z0-9][ .,_|-] ?[A-Z0-9][ .,_|-] ?[0-9][ .,_|-] ?[0-9]\b"
)
"""In RE2's syntax: whether there is anything of the kind."""

_WIDE: Final = (
    r"(?:[ \t]{2,12}|\t|[ \t]*\r?\n(?:[ \t]{3,12}|[ \t]*[>|*-][ \t>|*-]{0,11})|[ ]?[_|*~^+] ?"
    r"|[^\w\s\x00-\x7f][^\w\x00-\x7f]{0,3})"
)
_PARTING: Final = re.compile(
    rf"(?<=[0-9]){_WIDE}(?=[0-9A-Z])|(?<=[A-Z]){_WIDE}(?=[0-9])|(?<=[0-9A-Z]{{4}}){_WIDE}(?=[0-9A-Z])"
    r"|(?<=\b[0-9]), ?(?=[0-9]\b)"
)
_LETTERED: Final = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Z][ .,_|-] ?){8,40}[0-9A-Z](?![0-9A-Za-z])")
_LEAST_DIGITS: Final = 8


def regrouped(text: str) -> Iterator[Edit]:
    """Edits that put one blank, or nothing between single characters, where something wider parts a number."""
    for match in _LETTERED.finditer(text):
        if sum(map(str.isdigit, match[0])) >= _LEAST_DIGITS:
            yield *match.span(), re.sub(r"[^0-9A-Z]", "", match[0])
    for match in _PARTING.finditer(text):
        yield *match.span(), " "
