"""What an encoding hides: percent, escapes, quoted-printable, base64, hexadecimal, tags inside a word.

Each decoder yields edits. No decoding is longer than what it decodes. Escapes map character by character,
base64 and hexadecimal as a whole: no part of them can be replaced without breaking the rest.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

from redaction.views.normalise import plain
from redaction.views.view import Edit

_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_QUOTED: Final = re.compile(r"=\r?\n|(?:=[0-9A-Fa-f]{2})+")
_QUOTED_SURE: Final = re.compile(
    r"=3D|(?<![A-Za-z_])=20|=20(?![0-9])|=\r?\n|(?:=[0-9A-F]{2}){2}|=\?[\w-]{2,20}\?[qQ]\?"
)
_ESCAPE: Final = re.compile(
    r"\\{1,3}u[dD][89abAB][0-9a-fA-F]{2}\\{1,3}u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\{1,3}(?:u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}|U[0-9a-fA-F]{8}|[nrt\"/])"
    r"|(?:\\{1,2}x[0-9a-fA-F]{2})+|(?:\\[0-3][0-7]{2}){3,}"
)
_HEX_BYTE: Final = re.compile(r"\\{1,2}x([0-9a-fA-F]{2})")
_HEX_NUMBER: Final = re.compile(r"[0-9a-fA-F]{4,8}|[0-9a-fA-F]+(?=\})")
_CONTROL: Final = {"n": "\n", "r": "\n", "t": "\t", '"': '"', "/": "/"}
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{10,}+(?:\r?\n[A-Za-z0-9+/_-]{4,}+)*+={0,2}")
_BASE64_LEAST: Final = 16
"""Shorter runs count only with padding: letters and digits of a word decode to something now and then."""
_BASE64_PIECE: Final = re.compile(r"[A-Za-z0-9]{16,}+={0,2}|[A-Za-z0-9]{10,}+={1,2}")
_HEX: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:0x)?[0-9A-Fa-f]{12,}+(?![0-9A-Za-z])|\b[0-9A-Fa-f]{2}(?:[ :,-][0-9A-Fa-f]{2}\b){7,}+"
)
_TAG: Final = (
    r"(?:</?(?:a|abbr|b|bd[io]|big|code|del|em|font|i|ins|mark|nobr|s|small|span|strike|strong|su[bp]|tt|u|wbr)"
    r"(?:\s[^<>]{0,200})?/?>|<!--[^<>]{0,200}-->)"
)
_TAGS: Final = re.compile(
    rf"(?<=[\w@.-])(?:{_TAG})++(?=[\w@.-])|(?<=\d )(?:{_TAG})++(?=\d)|(?<=\d)(?:{_TAG})++(?= \d)", re.IGNORECASE
)


def percent(text: str) -> Iterator[Edit]:
    """RFC 3986, section 2.1."""
    if "%" not in text:
        return
    for match in _PERCENT.finditer(text):
        yield from _per_byte(match.start(), 3, bytes.fromhex(match[0].replace("%", "")))


def quoted_printable(text: str) -> Iterator[Edit]:
    """RFC 2045, section 6.7, and words of RFC 2047; only where more than one ``=`` with two digits says that it is."""
    if "=" not in text or not _QUOTED_SURE.search(text):
        return
    for match in _QUOTED.finditer(text):
        if match[0][-1] == "\n":
            yield *match.span(), ""
        else:
            yield from _per_byte(match.start(), 3, bytes.fromhex(match[0].replace("=", "")))


def escapes(text: str) -> Iterator[Edit]:
    """Escapes of JSON, JavaScript, Python and C, with a backslash or with some."""
    if "\\" not in text:
        return
    for match in _ESCAPE.finditer(text):
        mark = match[0].lstrip("\\")[0]
        if mark == "x":
            yield from _bytes_of_x(match)
        elif mark in "0123":
            codes = [int(code, 8) for code in match[0].split("\\")[1:]]
            yield from _per_byte(match.start(), 4, bytes(codes))
        else:
            yield *match.span(), _CONTROL.get(mark) or _character(match[0])


def _bytes_of_x(match: re.Match[str]) -> Iterator[Edit]:
    runs = [*_HEX_BYTE.finditer(match[0])]
    width = len(match[0]) // len(runs)
    if width * len(runs) == len(match[0]):
        yield from _per_byte(match.start(), width, bytes.fromhex("".join(run[1] for run in runs)))
    else:  # one and two backslashes by turns
        for run in runs:
            yield match.start() + run.start(), match.start() + run.end(), plain(chr(int(run[1], 16)))


def _character(escape: str) -> str:
    codes = [int(code, 16) for code in _HEX_NUMBER.findall(escape)]
    if len(codes) == 2:
        return plain(chr(0x10000 + ((codes[0] & 0x3FF) << 10) + (codes[1] & 0x3FF)))
    return plain(chr(codes[0])) if codes[0] < 0x110000 else "\ufffd"


def _per_byte(start: int, width: int, data: bytes) -> Iterator[Edit]:
    """Edits of a run in which each byte takes ``width`` characters."""
    try:
        chars, sizes = data.decode(), None
    except UnicodeDecodeError:
        chars, sizes = "".join(chr(byte) if byte < 128 else "\ufffd" for byte in data), 1
    for char in chars:
        end = start + width * (sizes or len(char.encode()))
        yield start, end, plain(char)
        start = end


def base_64(text: str) -> Iterator[Edit]:
    """RFC 4648, sections 4 and 5, padded or not, also over the lines of an e-mail and in data URLs."""
    for match in _BASE64.finditer(text):
        run = match[0]
        if (hidden := _from_base64(run)) is not None:
            yield *match.span(), hidden
            continue
        for piece in _BASE64_PIECE.finditer(text, *match.span()):  # a path, a line that was not part of it
            if (hidden := _from_base64(piece[0])) is not None:
                yield *piece.span(), hidden


def _from_base64(run: str) -> str | None:
    bare = run.rstrip("=")
    if len(bare) < _BASE64_LEAST and bare == run:
        return None
    if bare.isdigit() or bare[1:].islower() or (bare.isalpha() and bare.isupper()):
        return None
    code = re.sub(r"\s", "", bare).translate({ord("-"): "+", ord("_"): "/"})
    try:
        data = base64.b64decode(code + "=" * (-len(code) % 4), validate=True)
    except binascii.Error:
        return None
    if data[1::2].count(0) > len(data) // 3:  # PowerShell writes UTF-16
        data = data.replace(b"\0", b"")
    return _readable(data)


def hexadecimal(text: str) -> Iterator[Edit]:
    """Hexadecimal digits of ASCII text, in one run or in pairs."""
    for match in _HEX.finditer(text):
        digits = re.sub(r"[ :,-]|^0x", "", match[0])
        hidden = None if len(digits) % 2 else _readable(bytes.fromhex(digits))
        # A number may spell something by chance; it is taken for text only when it spells a number.
        if hidden is not None and (not digits.isdigit() or sum(map(str.isdigit, hidden)) >= 8):
            yield *match.span(), hidden


def _readable(data: bytes) -> str | None:
    """The text, if it is text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    odd = sum(not (char.isprintable() or char.isspace() or unicodedata.category(char) == "Cf") for char in text)
    return plain(text) if text and odd * 20 <= len(text) else None


def tags(text: str) -> Iterator[Edit]:
    """Formatting tags of HTML inside a word or a number; a tag between two words or cells parts them."""
    return ((*match.span(), "") for match in _TAGS.finditer(text))


DECODERS: Final[tuple[Callable[[str], Iterator[Edit]], ...]] = (
    percent,
    escapes,
    quoted_printable,
    base_64,
    hexadecimal,
)
"""They go together into one reading; where two want the same characters, the first has them."""
