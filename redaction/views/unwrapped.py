"""Readings for a search that knows what it looks for: encodings taken off, and words read out, on the least suspicion.

Where :func:`~redaction.views.readings.views_of` must not take a word for an encoding, this may: what it makes
up matches nothing.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Iterator
from typing import Final

import re2

from redaction.views.normalise import plain
from redaction.views.readings import DEPTH, apart, views_of
from redaction.views.spelled import DIGIT_WORD, digit_of
from redaction.views.view import Edit, View, edited

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{8,}+={0,2}")
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2}){5,})|(?:[0-9A-Fa-f]{2}[ :,-]){4,}[0-9A-Fa-f]{2}")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,200}>|<!--[^<>]{0,200}-->")
_ORDINARY: Final = re.compile(r"[A-Z]?[a-z/_-]+|[0-9_/-]+")
"""Words and numbers, of which base64 has hardly any."""

_NATO: Final = [
    "alfa",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliett",
    "kilo",
    "lima",
    "mike",
    "november",
    "oscar",
    "papa",
    "quebec",
    "romeo",
    "sierra",
    "tango",
    "uniform",
    "victor",
    "whiskey",
    "xray",
    "yankee",
    "zulu",
]
_LETTERS: Final = {**{word: word[0] for word in _NATO}, "alpha": "a", "juliet": "j", "whisky": "w", "x-ray": "x"}
_SILENT: Final = frozenset({"dash", "hyphen", "space", "dot", "point", "slash", "at", "underscore", "stroke"})

SPOKEN: Final = rf"double|triple|treble|{DIGIT_WORD}|{'|'.join(_LETTERS)}|{'|'.join(_SILENT)}"
"""Words that a value is read out with, as an alternation."""

_SAID: Final = re.compile(
    rf"\b(?:(double|triple|treble)[\s-]{{1,2}})?"
    rf"(?:({DIGIT_WORD})|({'|'.join(_LETTERS)})|({'|'.join(_SILENT)})|([0-9a-z]))\b",
    re.IGNORECASE,
)
_SIGN: Final = re2.compile(rf"(?i)\b(?:{DIGIT_WORD}|{'|'.join(_LETTERS)})\b")
_LEAST_SAID: Final = 4
"""Words read out below which a text is taken as it is."""


def unwrapped(text: str) -> list[View]:
    """Return the readings of a text: those of :func:`views_of`, and those that need not be likely.

    Raises:
        DetectionFailed: see :func:`views_of`.
    """
    found = views_of(text)
    level = found[:1]
    for _ in range(DEPTH):
        level = [*_further(level)]
        found += level
    return found


def _further(views: list[View]) -> Iterator[View]:
    for view in views:
        for edits in (_decoded(view.text), _spoken(view.text)):
            if edits:
                yield edited(view, edits)


def _decoded(text: str) -> list[Edit]:
    edits = [(*match.span(), hidden) for match in _HEX.finditer(text) if (hidden := _from_hex(match[0]))]
    edits += [
        (*match.span(), hidden)
        for match in _BASE64.finditer(text)
        if not _ORDINARY.fullmatch(match[0]) and (hidden := _from_base64(match[0]))
    ]
    if "<" in text:
        edits += ((*match.span(), "") for match in _TAG.finditer(text))
    return apart(edits)


def _from_base64(run: str) -> str:
    code = run.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    try:
        return _text(base64.b64decode(code + "=" * (-len(code) % 4), validate=True))
    except binascii.Error:
        return ""


def _from_hex(run: str) -> str:
    return _text(bytes.fromhex(re.sub(r"[ :,-]|^0x", "", run)))


def _text(data: bytes) -> str:
    try:
        text = data.replace(b"\0", b"").decode()
    except UnicodeDecodeError:
        return ""
    return plain(text) if text.isprintable() or text.replace("\n", " ").isprintable() else ""


def _spoken(text: str) -> list[Edit]:
    if len([*itertools.islice(_SIGN.finditer(text), _LEAST_SAID)]) < _LEAST_SAID:
        return []
    said = [*_SAID.finditer(text)]
    if sum(not match[5] for match in said) < _LEAST_SAID:
        return []
    return [(*match.span(), _meant(match)) for match in said if not match[5] or match[1]]


def _meant(match: re.Match[str]) -> str:
    times, digit, letter, silent, one = match.groups()
    if silent:
        return "."
    char = digit_of(digit) if digit else _LETTERS[letter.lower()] if letter else one
    return char * {"double": 2, "triple": 3, "treble": 3}.get((times or "").lower(), 1)
