"""The main view: one plain form for each character, whatever script or escape it came in."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Final

from redaction.views.view import Edit, View, edited

_ENTITY: Final = re.compile(r"&(?:#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});?|[a-zA-Z][a-zA-Z0-9]{1,31};)")
_ODD_ASCII: Final = re.compile(rf"{_ENTITY.pattern}|[\x00-\x08\x0e-\x1f\x7f]+")
_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_ODD: Final = re.compile(rf"[^\x00-\x7f]+|{_ODD_ASCII.pattern}")
_RAISED: Final = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹")
_FOOTNOTE: Final = re.compile(r"(?<=[0-9A-Za-z])[⁰¹²³⁴-⁹]{1,2}(?![^\W_])")
"""Raised digits behind a number are no part of it."""

_IGNORABLE: Final = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties): shown as nothing."""

_STACKED: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
"""Accents that any letter can take; those that are left after composing belong to no name."""

_OWN: Final = {
    **dict.fromkeys("‘’‚‛ʼʻˈ′´`", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("·•∙⋅‧・․。｡", "."),
    **dict.fromkeys("⁄∕⧸", "/"),
    **dict.fromkeys("−⁃ー╴", "-"),
    **dict.fromkeys("\u0085\u2028\u2029", "\n"),
    **dict.fromkeys("™℠", ""),  # NFKC would write TM behind a name
    "、": ",",
    "\u2800": " ",
    "º": "º",
    "ª": "ª",
}
"""Where NFKC says nothing, or something else than a reader of forms would."""

_ENCLOSED: Final = {chr(first + n): chr(65 + n) for first in (0x1F150, 0x1F170) for n in range(26)}
"""White letters on black, which NFKC leaves."""

_LONGEST: Final = 4
"""A character that stands for more than so many is left: U+FDFA would blow a text up eighteenfold."""

_JAMO: Final = range(0x1160, 0x1200)
"""Vowels and finals of Korean syllables in parts; they compose with what stands before."""


def normalise(text: str) -> View:
    """Return the plain reading: NFKC, composed; nothing invisible; ASCII digits, dashes, quotes and spaces.

    Line breaks stay. Entities of HTML are decoded, twice escaped ones too. Lone surrogates become U+FFFD.
    """
    view = edited(View(text), list(_edits(text))) if _is_odd(text) else View(text)
    if "&" in view.text:  # &amp;#52;
        view = edited(view, [(*match.span(), _decoded(match[0])) for match in _ENTITY.finditer(view.text)])
    return view


def plain(text: str) -> str:
    """Return the text of :func:`normalise`."""
    return text if text.isascii() and not _ODD_ASCII.search(text) else normalise(text).text


def _is_odd(text: str) -> bool:
    if _ODD_ASCII.search(text):
        return True
    return not text.isascii() and any(map(_changes, set(text) - _everyday()))


def _changes(char: str) -> bool:
    return char > "\x7f" and (_extends(char) or _fold(char) != char)


@cache
def _everyday() -> frozenset[str]:
    """ASCII, and the letters of European languages that stay as they are."""
    return frozenset(char for char in map(chr, range(0x250)) if not _changes(char))


def _edits(text: str) -> Iterator[Edit]:
    last = 0
    pattern = _ODD if _ODD_ASCII.search(text) else _NON_ASCII  # mostly the quick one
    for match in pattern.finditer(text):
        start, end = match.span()
        if match[0][0] == "&":
            yield start, end, _decoded(match[0])
        elif match[0][0] <= "\x7f":
            yield start, end, ""
        else:
            if start > last and _extends(text[start]):
                start -= 1  # an accent belongs to the letter before it
            yield from _clusters(text, start, end)
        last = end


def _clusters(text: str, start: int, end: int) -> Iterator[Edit]:
    """One edit per letter with its accents, where it changes."""
    at = start
    while at < end:
        if text[at] in _RAISED and (footnote := _FOOTNOTE.match(text, at)):
            yield at, footnote.end(), " "
            at = footnote.end()
            continue
        if text[at] == "ー" and "\u3041" <= text[at - 1 : at] <= "\u30ff":  # a long vowel, not a dash
            at += 1
            continue
        behind = at + 1
        while behind < end and behind - at < 32 and _extends(text[behind]):
            behind += 1
        cluster = text[at:behind]
        folded = _fold(cluster)
        if folded != cluster:
            yield at, behind, folded
        at = behind


@lru_cache(1 << 13)
def _extends(char: str) -> bool:
    """Whether a character belongs to the one before it."""
    mark = unicodedata.combining(char) != 0 or unicodedata.category(char) == "Me" or ord(char) in _JAMO
    return mark and not _IGNORABLE.match(char)


@lru_cache(1 << 13)
def _fold(cluster: str) -> str:
    """The plain form of one character with its accents."""
    if (own := _OWN.get(cluster)) is not None:
        return own
    flat = unicodedata.normalize("NFKC", cluster)
    if len(flat) > _LONGEST * len(cluster) or "\u2044" in flat:  # 5½ is not 51/2
        return cluster
    folded = ""
    for char in flat:
        if not (_STACKED.match(char) or (_extends(char) and (folded[-1:] or "a") <= "\x7f")):
            folded += _fold_char(char)
    return folded


def _fold_char(char: str) -> str:
    if char <= "\x7f":
        return char
    if _IGNORABLE.match(char):
        return ""
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    known = _OWN.get(char) or _ENCLOSED.get(char)
    return known or {"Pd": "-", "Zs": " ", "Cf": "", "Cs": "\ufffd"}.get(unicodedata.category(char), char)


def _decoded(entity: str) -> str:
    decoded = html.unescape(entity)
    if decoded == entity:
        return entity
    return "".join(_fold(char) if char > "\x1f" or char in "\t\n\r" else "" for char in decoded)
