"""BIC: which bank. It has no check digit, so a registry or a word that announces it is wanted."""

from __future__ import annotations

import re
from functools import cache
from typing import Final, final

from schwifty import registry

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, cued

_COUNTRIES: Final = frozenset(
    (  # noqa: SIM905
        "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY "
        "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK "
        "FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR "
        "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK "
        "ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
        "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
        "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
    ).split()
)
"""ISO 3166-1 alpha-2, and XK for Kosovo, which SWIFT uses."""

_SHAPE = re.compile(r"[A-Z](?<![A-Za-z0-9].)[A-Z]{3}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?![A-Za-z0-9])")
_CUE_WORD: Final = r"(?:bic|swift(?:[ _-]?bic)?|bank identifier)"
_CUE = re.compile(rf"(?<![a-z]){_CUE_WORD}(?![a-z])|(?:bic|swift)_?code", re.IGNORECASE)
_CALLED = re.compile(
    rf"(?i:{_CUE_WORD}(?:[ _/-]?(?:bic|code|address|number|no\.?))?)[\s\"']{{0,3}}(?i:[:=(]|is|code)[\s\"'(]{{0,4}}"
    r"((?i:[a-z]{4} ?([a-z]{2}) ?[a-z0-9]{2}(?: ?[a-z0-9]{3})?))(?![A-Za-z0-9])"
)
_PLAIN = re.compile(r"\b[Bb][Ii][Cc]\s{1,4}([A-Z]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?)(?![A-Za-z0-9])")
_BANK = re.compile(r"bank|banque|banco|banca|sparkasse|credit union|\bn\.a\.", re.IGNORECASE)
"""Beside a bank a code of the shape, with a digit in it, is likely its."""
_MESSAGE = re.compile(r":5[1-8]A:(?:/[^\n]{1,34}\n)?([A-Z]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?)(?![A-Za-z0-9])")
"""Fields 51A to 58A of a SWIFT MT message: a party by its BIC."""


_LIKELY: Final = 0.6


def _announced(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in ("bic", "swift", "bank identifier", ":5"))


@cache
def _listed(country: str) -> frozenset[str]:
    """The institutions (first eight characters) of a country in schwifty's registry; read once a country."""
    return frozenset(bank.bic[:8] for bank in registry.get_banks_by_country(country) if bank.bic)


@RECOGNIZERS.register("bic")
@final
class Bic:
    """BIC (ISO 9362): listed in the registry, or of the right shape with a word that announces it."""

    name = "bic"
    types = ("BIC",)
    trigger = r"[A-Z]{6}[A-Z0-9]{2}|(?i:bic|swift|bank identifier)|:5[1-8]A:"
    version = "3"
    examples = (
        "BIC: ⟦DEUTDEFF⟧",
        "swift code ⟦DEUTDEFF500⟧ please",
        "⟦BARCGB22⟧ (BIC)",
        "via ⟦DEUTDEFF⟧ in Frankfurt",
        "swift_code=⟦zzzzdeff⟧",
        '"bic": "⟦NEDSZAJJXXX⟧"',
        ":57A:⟦CHASUS33⟧",
        "BIC ⟦SBZAZAJJ⟧",
        "Northern Bank (⟦ZZZZUS33⟧)",
    )
    counter_examples = ("the CUSTOMER is right", "BIC: DEUTQQFF", "SWIFT TRANSFER", "SWIFT BUSINESS DAYS", "ZZZZDEFF")

    def detect(self, text: str) -> list[Detection]:
        """Find listed and announced BICs."""
        scores: dict[tuple[int, int], float] = {}
        for pattern in (_CALLED, _PLAIN, _MESSAGE) if _announced(text) else ():
            scores |= {match.span(1): 0.9 for match in pattern.finditer(text) if match[2].upper() in _COUNTRIES}
        for match in _SHAPE.finditer(text):
            if match[1] not in _COUNTRIES:
                continue
            if match[0][:8] in _listed(match[1]):
                scores[match.span()] = 1.0
            elif not match[0].isalpha() and cued(_CUE, text, *match.span()):
                scores[match.span()] = 0.9
            elif not match[0].isalpha() and cued(_BANK, text, *match.span()):
                scores.setdefault(match.span(), _LIKELY)
        return [Detection(*at, "BIC", score, self.name, validated=score > _LIKELY) for at, score in scores.items()]
