"""Securities and the entities that issue them: public numbers, typed so that the policy can decide."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple, final

from stdnum import cusip, figi, isin, lei
from stdnum.de import wkn
from stdnum.gb import sedol

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, cued
from redaction.recognizers.cues import LINK, label, labelled


class _Kind(NamedTuple):
    type: str
    shape: re.Pattern[str]
    valid: Callable[[str], bool]
    cue: re.Pattern[str]
    label: re.Pattern[str]
    alone: float
    """Score of a valid one that nothing announces."""


def _kind(type_: str, shape: str, valid: Callable[[str], bool], words: str, alone: float) -> _Kind:
    bounded = re.compile(rf"(?<![A-Za-z0-9])(?:{shape})(?![A-Za-z0-9])")
    cue = re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])", re.IGNORECASE)
    return _Kind(type_, bounded, valid, cue, label(rf"(?<![^\W_])(?:{words})"), alone)


def _is_figi(code: str) -> bool:
    """python-stdnum does not know the prefix KY, which the standard (OMG FIGI 1.0) reserves too."""
    return bool(figi.is_valid(code)) and code[:2] != "KY"


_ISIN: Final = r"(?!BBG)[A-Z]{2}[A-Z0-9]{9}[0-9]"
"""Not BBG, with which most FIGIs begin: one in ten would be an ISIN of Barbados; behind its word any is taken."""

_LEI: Final = r"lei|legal entity(?: identifier)?(?: ?\(lei\))?"
_KINDS: Final = (
    _kind("ISIN", _ISIN, isin.is_valid, "isins?", 0.9),
    _kind("LEI", r"[0-9A-Z]{18}[0-9]{2}", lei.is_valid, _LEI, 0.95),
    _kind("FIGI", r"[B-DF-HJ-NP-TV-Z]{2}G[B-DF-HJ-NP-TV-Z0-9]{8}[0-9]", _is_figi, "figi|bbgid", 0.8),
    _kind("CUSIP", r"[0-9A-Z]{3}[0-9A-Z*@#]{5}[0-9]", cusip.is_valid, "cusips?", 0.0),
    _kind("SEDOL", r"[B-DF-HJ-NP-TV-Z0-9]{6}[0-9]", sedol.is_valid, "sedols?", 0.0),
)
_FITS_BY_CHANCE: Final = re.compile(r"[0-9]+|(?:BE|BG|CZ|PL|RO|SK)[0-9]{10}")
"""Mere digits, and VAT numbers in the shape of an ISIN: one in ten has its check digit, one in 97 that of a LEI."""

_GROUPED: Final = (
    (
        "ISIN",
        isin.is_valid,
        re.compile(
            rf"(?<![^\W_])isin{LINK}((?-i:[A-Za-z]{{2}}(?:[ -]?[0-9A-Za-z]){{9}}[ -]?[0-9]))(?![0-9a-z])",
            re.IGNORECASE,
        ),
    ),
    (
        "LEI",
        lei.is_valid,
        re.compile(
            rf"(?<![^\W_])(?:{_LEI}){LINK}((?-i:[0-9A-Za-z](?:[ -]?[0-9A-Za-z]){{17}}(?:[ -]?[0-9]){{2}}))(?![0-9a-z])",
            re.IGNORECASE,
        ),
    ),
)
_WKN: Final = re.compile(
    rf"(?<![^\W_])(?:wkn|wertpapierkennnummer)(?: ?[/|,] ?\w{{1,10}})?{LINK}"
    r"((?-i:(?=[A-Z]{0,5}[0-9])[A-HJ-NP-Z0-9]{6}))(?![^\W_])",
    re.IGNORECASE,
)
_MANY_DIGITS: Final = 2
_WRONG: Final = 0.5
"""Score of one whose check digit does not fit."""


@RECOGNIZERS.register("security_id")
@final
class SecurityId:
    """ISIN (ISO 6166), LEI (ISO 17442), CUSIP, SEDOL, FIGI by check digit; WKN, which has none, by its word.

    Policies keep these in the clear, so one is proven only where no other number could be meant.
    """

    name = "security_id"
    types = (*(kind.type for kind in _KINDS), "WKN")
    trigger = r"[0-9A-Z*@#]{6}|(?i)isin|\blei|_lei|legal entity"
    version = "2"
    examples = (
        "bought ⟦US0378331005⟧ today",
        "LEI ⟦5493001KJTIIGC8Y1R12⟧",
        "CUSIP: ⟦037833100⟧",
        "SEDOL ⟦B0YBKJ7⟧",
        "FIGI ⟦BBG000B9XRY4⟧",
        "WKN ⟦A0M41A⟧",
    )
    counter_examples = ("US0378331006", "the order 037833100", "ABCDEFG", "INVOICE 2024", "STATEMENT OF ACCOUNT")

    def detect(self, text: str) -> list[Detection]:
        """Find numbers of securities and their issuers."""
        judged = (self._judge(kind, text, match) for kind in _KINDS for match in kind.shape.finditer(text))
        found = [detection for detection in judged if detection]
        known = {(d.start, d.end) for d in found if d.validated}
        for type_, valid, pattern in _GROUPED:
            found += [
                Detection(*match.span(1), type_, 1.0, self.name, validated=True)
                for match in pattern.finditer(text)
                if match.span(1) not in known and valid(re.sub("[ -]", "", match[1]).upper())
            ]
        wkns = (match.span(1) for match in _WKN.finditer(text) if wkn.is_valid(match[1]))
        return found + [Detection(*span, "WKN", 1.0, self.name, validated=True) for span in wkns]

    def _judge(self, kind: _Kind, text: str, match: re.Match[str]) -> Detection | None:
        """A valid one that is announced, or whose kind needs no word; a wrong one directly behind its word."""
        if sum(map(str.isdigit, match[0])) < _MANY_DIGITS:
            return None
        named = labelled(kind.label, text, match.start())
        near = named or cued(kind.cue, text, *match.span())
        if not near and (not kind.alone or match[0].isdigit()):
            return None
        if kind.valid(match[0]):
            sure = named or not _FITS_BY_CHANCE.fullmatch(match[0])
            return Detection(*match.span(), kind.type, 1.0 if near else kind.alone, self.name, validated=sure)
        return Detection(*match.span(), kind.type, _WRONG, self.name) if named else None
