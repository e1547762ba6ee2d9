"""(12) Where a value is not put back: in what would carry it somewhere else.

A model that was talked into it writes ``https://elsewhere.example/?q=<PERSON_1>``, and whoever shows the answer, or
follows the link, sends the value there. So a placeholder that stands in an address, a file name or the arguments of a
tool stays what it is, unless the policy names that place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final, final

from redaction.errors import RedactionError
from redaction.operators.placeholder import PLACEHOLDER

MAX_WORD: Final = 512
"""Characters of a word, from its first ``<`` on, that are waited for; in a longer one nothing is put back."""

TOOL_KEYS: Final = frozenset({"arguments", "function_call", "parameters", "tool_calls", "tool_input"})
"""Keys of a JSON document below which the arguments of a tool stand."""

_WORD = re.compile(r'[^\s"]+')
"""Not the quotes: a JSON document without spaces is not one word, and no reader of links takes one into a link."""
_BOUNDARY = re.compile(r'[\s"]')
_VALUE: Final = "\ufffc"
"""Stands for a placeholder of the request while a word is looked at."""
_AROUND = " \"'`*_()[]{}<>,.;:!?\u201c\u201d\u2018\u2019\u00ab\u00bb"
_URL = re.compile(r"://|^www\.|\b(?:mailto|tel|sms|data|file|javascript|ftp):|[?&][^?&=]*=|^//", re.IGNORECASE)
_FILE = re.compile(
    rf"{_VALUE}\S*\.[A-Za-z][A-Za-z0-9]{{1,4}}$|[\w~.:]+[/\\]\S*{_VALUE}|{_VALUE}[/\\]\S*\w|^[/\\]+\S*{_VALUE}"
)


class Place(StrEnum):
    """Where a value is put back only if the policy says so."""

    URL = "url"
    EMAIL = "email"
    FILE_NAME = "file_name"
    TOOL_ARGUMENTS = "tool_arguments"


def place_of(word: str, placeholders: Collection[str]) -> Place | None:
    """What a word with a placeholder in it is, where that is one of the places.

    Args:
        word: without white space and quotes.
        placeholders: those of the request; others are letters like any.
    """
    shown = PLACEHOLDER.sub(lambda match: _VALUE if match[0] in placeholders else match[0], word).strip(_AROUND)
    if shown.strip(_VALUE) == "":
        return None  # nothing but values: an address that the caller sent is one of them
    if _URL.search(shown):
        return Place.URL
    if re.search(rf"@\S*{_VALUE}|{_VALUE}\S*@", shown):
        return Place.EMAIL
    return Place.FILE_NAME if _FILE.search(shown) else None


def restore_in_place(text: str, placeholders: Mapping[str, str], allowed: Collection[Place], before: str = "") -> str:
    """Put values back, but in places that are not allowed.

    Args:
        before: the beginning of the text's first word, given out already.
    """

    def word(match: re.Match[str]) -> str:
        if len(match[0]) - max(0, match[0].find("<")) > MAX_WORD:
            return match[0]
        whole = before + match[0] if match.start() == 0 else match[0]
        place = place_of(whole, placeholders)
        if place is not None and place not in allowed:
            return match[0]
        return PLACEHOLDER.sub(lambda found: placeholders.get(found[0], found[0]), match[0])

    return _WORD.sub(word, text)


@final
class InPlaceRestorer:
    """:func:`restore_in_place` for a text that comes in chunks; joined, the results equal that of the whole.

    It holds back the end of the text from the first ``<`` of its last word on, for what follows decides too; of a word
    that is longer than ``MAX_WORD`` nothing is put back. One instance serves one stream and one thread.
    """

    def __init__(self, placeholders: Mapping[str, str], allowed: Collection[Place] = ()) -> None:
        self._placeholders, self._allowed = placeholders, frozenset(allowed)
        self._before = self._held = ""
        self._passing = False  # the rest of a word that is too long
        self._closed = False

    def feed(self, chunk: str) -> str:
        """Take a chunk; return what can be given out.

        Raises:
            RedactionError: the stream is closed.
        """
        if self._closed:
            raise RedactionError("the stream is closed; make a new one")
        given, text = "", self._held + chunk
        if self._passing:
            end = _BOUNDARY.search(text)
            self._passing = end is None
            at = len(text) if end is None else end.start()
            given, text = text[:at], text[at:]
        words = list(_WORD.finditer(text))
        last = words[-1].start() if words and words[-1].end() == len(text) else len(text)
        cut = text.find("<", last)
        given += self._give(text, len(text) if cut < 0 else cut)
        if len(self._held) > MAX_WORD:
            given, self._held, self._passing = given + self._held, "", True
        return given

    def close(self, *, cut: bool = False) -> str:
        """End the stream; return what was held back.

        Args:
            cut: the text may have been ended in its midst: the beginning of a placeholder's name is dropped.
        """
        self._closed = True
        text, self._held = self._held, ""
        if cut and (end := text.rfind("<")) >= 0 and ">" not in text[end:] and len(text) - end > 1:
            text = text[:end]
        return self._give(text, len(text))

    def _give(self, text: str, cut: int) -> str:
        piece, self._held = text[:cut], text[cut:]
        given = restore_in_place(piece, self._placeholders, self._allowed, self._before)
        word = _WORD.search(piece[::-1])
        if piece:
            tail = piece[len(piece) - word.end() :] if word is not None and word.start() == 0 else ""
            self._before = (self._before if len(tail) == len(piece) else "") + tail
        return given
