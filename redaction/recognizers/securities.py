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
from redaction.recognizers.cues import LINK


class _Kind(NamedTuple):
    type: str
    shape: re.Pattern[str]
    valid: Callable[[str], bool]
    cue: re.Pattern[str]
    alone: float
    """Score of a valid one that nothing announces."""
    wrong: float
    """Score of an announced one whose check digit does not fit."""


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])")


def _cue(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])", re.IGNORECASE)


def _is_figi(code: str) -> bool:
    """python-stdnum does not know the prefix KY, which the standard (OMG FIGI 1.0) reserves too."""
    return bool(figi.is_valid(code)) and code[:2] != "KY"


_KINDS: Final = (
    _Kind("ISIN", _shape(r"[A-Z]{2}[A-Z0-9]{9}[0-9]"), isin.is_valid, _cue("isin"), 0.9, 0.5),
    _Kind("LEI", _shape(r"[0-9A-Z]{18}[0-9]{2}"), lei.is_valid, _cue("lei|legal entity(?: identifier)?"), 0.95, 0.5),
    _Kind("FIGI", _shape(r"[B-DF-HJ-NP-TV-Z]{2}G[B-DF-HJ-NP-TV-Z0-9]{8}[0-9]"), _is_figi, _cue("figi|bbgid"), 0.8, 0.5),
    _Kind("CUSIP", _shape(r"[0-9A-Z]{3}[0-9A-Z*@#]{5}[0-9]"), cusip.is_valid, _cue("cusips?"), 0.3, 0.5),
    _Kind("SEDOL", _shape(r"[B-DF-HJ-NP-TV-Z0-9]{6}[0-9]"), sedol.is_valid, _cue("sedol"), 0.3, 0.5),
    _Kind("WKN", _shape(r"[A-HJ-NP-Z0-9]{6}"), wkn.is_valid, _cue("wkn|wertpapierkennnummer"), 0.0, 0.0),
)
_GROUPED: Final = (
    (
        "ISIN",
        re.compile(rf"(?<![^\W_])isin{LINK}([a-z]{{2}}(?:[ -]?[0-9a-z]){{9}}[ -]?[0-9])(?![0-9a-z])", re.IGNORECASE),
    ),
    (
        "LEI",
        re.compile(
            rf"(?<![^\W_])lei{LINK}([0-9a-z](?:[ -]?[0-9a-z]){{17}}(?:[ -]?[0-9]){{2}})(?![0-9a-z])", re.IGNORECASE
        ),
    ),
)
_CHECKS: Final = {"ISIN": isin.is_valid, "LEI": lei.is_valid}
_MANY_DIGITS: Final = 2


@RECOGNIZERS.register("security_id")
@final
class SecurityId:
    """ISIN (ISO 6166), LEI (ISO 17442), CUSIP, SEDOL, FIGI by check digit; WKN, which has none, by its word."""

    name = "security_id"
    types = tuple(kind.type for kind in _KINDS)
    trigger = r"[0-9A-Z*@#]{6}|(?i)isin|\blei\b"
    version = "1"
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
        found = []
        for kind in _KINDS:
            for match in kind.shape.finditer(text):
                if sum(map(str.isdigit, match[0])) < _MANY_DIGITS and kind.type != "WKN":
                    continue
                near = cued(kind.cue, text, *match.span())
                valid = (near or kind.alone > 0) and kind.valid(match[0])
                score = (1.0 if near else kind.alone) if valid else kind.wrong if near else 0.0
                if score > 0.3 and any(map(str.isdigit, match[0])):
                    found.append(Detection(*match.span(), kind.type, score, self.name, validated=valid))
        known = {(d.start, d.end) for d in found}
        for type_, pattern in _GROUPED:
            found += [
                Detection(*match.span(1), type_, 1.0, self.name, validated=True)
                for match in pattern.finditer(text)
                if match.span(1) not in known and _CHECKS[type_](re.sub("[ -]", "", match[1]).upper())
            ]
        return found
