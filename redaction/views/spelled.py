"""Numbers and addresses as people say them: "four one double one", "ada at example dot com"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from redaction.views.view import Edit

_OTHER_LANGUAGES: Final = (
    "null eins zwei drei vier fünf sechs sieben acht neun",
    "zéro un deux trois quatre cinq six sept huit neuf",
    "cero uno dos tres cuatro cinco seis siete ocho nueve",
)

_DIGITS: Final = {
    **dict.fromkeys(("zero", "oh", "o", "nought", "naught", "nil"), "0"),
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "niner": "9",
    **dict(
        zip(
            ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
            "0123456789",
            strict=True,
        )
    ),
    "zwo": "2",
    **dict(zip(["zéro", "un", "deux", "trois", "quatre", "cinq", "sept", "huit", "neuf"], "012345789", strict=True)),
    **dict(
        zip(
            ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"],
            "0123456789",
            strict=True,
        )
    ),
}
"""English, German, French and Spanish."""
_TIMES: Final = {"double": 2, "triple": 3, "treble": 3}

_LEAST: Final = 4
"""Digits that a run must have."""

DIGIT_WORD: Final = rf"(?:{'|'.join(sorted(_DIGITS, key=len, reverse=True))})"
_TOKEN: Final = rf"(?:(?:double|triple|treble)[\s-]{{1,2}})?(?:{DIGIT_WORD}|[0-9])\b"
_RUN: Final = re.compile(rf"\b{_TOKEN}(?:(?:[\s,.-]{{1,3}}|\s(?:dash|hyphen|space)\s){_TOKEN})++", re.IGNORECASE)
_ONE: Final = re.compile(rf"(?:(double|triple|treble)[\s-]{{1,2}})?({DIGIT_WORD}|[0-9])\b", re.IGNORECASE)
_WORDED: Final = re.compile(DIGIT_WORD, re.IGNORECASE)
_COUNTRY: Final = re.compile(r"(?<![A-Za-z])([A-Z]) ([A-Z]) \Z")
"""The two letters of an IBAN, said one by one."""

_AT: Final = re.compile(r"\s{0,2}[\[({<]\s?at\s?[\])}>]\s{0,2}", re.IGNORECASE)
_DOT: Final = re.compile(r"\s{0,2}[\[({<]\s?dot\s?[\])}>]\s{0,2}", re.IGNORECASE)
_WIDE_AT: Final = re.compile(r"(?<=[\w.-])(?: @ ?|@[ \n]|_at_)(?=[\w-]{1,63}\.[a-z]{2,})")
_DEFANGED: Final = re.compile(r"\[\.\]|\(\.\)")
_DEFANGED_SCHEME: Final = re.compile(r"\bhxxp(?=s?:)", re.IGNORECASE)
"""How those who report addresses make them harmless."""
_SAID: Final = re.compile(
    r"(?<![\w@])[\w-]{1,64}+(?: dot [\w-]{1,64}+){0,3}+( at )[\w-]{1,64}+(?: dot [\w-]{1,64}+){1,4}", re.IGNORECASE
)
_SAID_DOT: Final = re.compile(" dot ", re.IGNORECASE)


def digit_of(word: str) -> str:
    """Return the digit that a word of :data:`DIGIT_WORD` says."""
    return _DIGITS[word.lower()]


def digits(text: str) -> Iterator[Edit]:
    """Runs of four and more digits, one of them at least a word; what parts them is left out."""
    for run in _RUN.finditer(text):
        tokens = [(*token.span(), _said(token)) for token in _ONE.finditer(text, *run.span())]
        if sum(len(said) for *_, said in tokens) < _LEAST or not _WORDED.search(run[0]):
            continue
        at = run.start()
        if country := _COUNTRY.search(text, max(0, at - 4), at):
            yield country.start(), at, country[1] + country[2]
        for start, end, said in tokens:
            if at < start:
                yield at, start, ""
            yield start, end, said
            at = end


def _said(token: re.Match[str]) -> str:
    digit = _DIGITS.get(token[2].lower(), token[2])
    return digit * _TIMES.get((token[1] or "").lower(), 1)


def addresses(text: str) -> Iterator[Edit]:
    """E-mail addresses with ``[at]``, ``(dot)`` or the bare words."""
    for pattern, sign in ((_AT, "@"), (_DOT, "."), (_WIDE_AT, "@"), (_DEFANGED, "."), (_DEFANGED_SCHEME, "http")):
        yield from ((*match.span(), sign) for match in pattern.finditer(text))
    for match in _SAID.finditer(text):
        yield *match.span(1), "@"
        yield from ((*dot.span(), ".") for dot in _SAID_DOT.finditer(text, *match.span()))
