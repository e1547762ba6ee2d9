"""Numbers and Latin words in scripts that put no spaces between words: "口座番号は1234567です"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from redaction.views.view import Edit

_SCRIPTS: Final = "\u0e00-\u0e4f\u0e80-\u0ecf\u1000-\u103f\u1780-\u17d3\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Thai, Lao, Burmese, Khmer, kana, Han; and Hangul, whose particles stand directly behind a number."""

SIGN: Final = rf"[0-9A-Za-z][{_SCRIPTS}]|[{_SCRIPTS}][0-9A-Za-z+]"
"""In RE2's syntax: whether one of these scripts touches a Latin letter or a digit."""

_BORDER: Final = re.compile(rf"(?<=[0-9A-Za-z])[{_SCRIPTS}]|[{_SCRIPTS}](?=[0-9A-Za-z+])")
_IS: Final = frozenset("はが是为為은는이가")
"""Particles that say "is": behind a label they stand for a colon."""


def spaced(text: str) -> Iterator[Edit]:
    """Edits that part the scripts: no recognizer takes what a letter touches for a whole number."""
    for match in _BORDER.finditer(text):
        at, char = match.start(), match[0]
        behind = " " if text[at + 1 : at + 2].isascii() and text[at + 1 : at + 2].strip() else ""
        before = " " if at and text[at - 1].isascii() and text[at - 1].isalnum() else ""
        yield at, at + 1, before + (":" if behind and char in _IS else char) + behind
