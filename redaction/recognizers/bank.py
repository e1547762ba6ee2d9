"""Accounts and the banks that hold them."""

from __future__ import annotations

import re
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import DIGITS_8, RECOGNIZERS, cued

_IBAN_LENGTHS: Final = {
    code: int(length)
    for code, length in (
        entry.split("=")
        for entry in (  # noqa: SIM905 - the registry's form, easy to compare
            "AD=24 AE=23 AL=28 AT=20 AZ=28 BA=20 BE=16 BG=22 BH=22 BI=27 BR=29 BY=28 CH=21 CR=22 CY=28 CZ=24 DE=22 "
            "DJ=27 DK=18 DO=28 EE=20 EG=29 ES=24 FI=18 FK=18 FO=18 FR=27 GB=22 GE=22 GI=23 GL=18 GR=27 GT=28 HN=28 "
            "HR=21 HU=28 IE=22 IL=23 IQ=23 IS=26 IT=27 JO=30 KW=30 KZ=20 LB=28 LC=32 LI=21 LT=20 LU=20 LV=21 LY=25 "
            "MC=27 MD=24 ME=22 MK=19 MN=20 MR=27 MT=31 MU=30 NI=28 NL=18 NO=15 OM=23 PK=24 PL=28 PS=29 PT=25 QA=29 "
            "RO=24 RS=22 RU=33 SA=24 SC=31 SD=18 SE=24 SI=19 SK=24 SM=27 SO=23 ST=25 SV=28 TL=23 TN=24 TR=26 UA=29 "
            "VA=22 VG=24 XK=20 YE=30"
        ).split()
    )
}
"""Length per country (SWIFT IBAN registry, ISO 13616-1)."""

_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ -]?[0-9]{2}")
_IBAN_REST = re.compile(r"(?:[ \u00a0\u202f\n-]?[A-Za-z0-9]){1,30}")


@RECOGNIZERS.register("iban")
@final
class Iban:
    """IBAN: the country's length first, then ISO 7064 mod 97-10, so that a word behind it does no harm."""

    name = "iban"
    types = ("IBAN_CODE",)
    trigger = r"(?i)[a-z]{2}[ -]?\d{2}"
    version = "1"
    examples = (
        "pay ⟦DE89370400440532013000⟧ today",
        "pay ⟦DE89 3704 0044 0532 0130 00⟧ 2 days from today",
        "⟦gb82 west 1234 5698 7654 32⟧",
        "to ⟦DE89 3704 0044\n0532 0130 00⟧.",
        "iban:⟦NO9386011117947⟧",
    )
    counter_examples = (
        "pay DE89370400440532013001 today",
        "pay DE8937040044053201300 today",
        "XX89370400440532013000",
        "AB12 is a room",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find IBANs in one run or in groups."""
        found = []
        for start in _IBAN_START.finditer(text):
            end = self._end(text, *start.span())
            if end is not None:
                found.append(Detection(start.start(), end, "IBAN_CODE", 1.0, self.name, validated=True))
        return found

    @staticmethod
    def _end(text: str, start: int, checked: int) -> int | None:
        length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
        rest = _IBAN_REST.match(text, checked) if length else None
        if length is None or rest is None:
            return None
        places = [i for i in range(start, rest.end()) if text[i].isascii() and text[i].isalnum()][:length]
        end = places[-1] + 1
        whole = len(places) == length and not text[end : end + 1].isalnum()
        code = "".join(text[i] for i in places)
        number = "".join(str(int(letter, 36)) for letter in code[4:] + code[:4])
        return end if whole and int(number) % 97 == 1 else None


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

_BIC = re.compile(r"\b[A-Z]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b")
_BIC_CUE = re.compile(r"\b(?:bic|swift|bank identifier)\b", re.IGNORECASE)


@RECOGNIZERS.register("bic")
@final
class Bic:
    """BIC (ISO 9362): it has no check digit, so a country code and a word that announces it are wanted."""

    name = "bic"
    types = ("BIC",)
    trigger = r"(?i)\b(?:bic|swift|bank identifier)\b"
    version = "1"
    examples = ("BIC: ⟦DEUTDEFF⟧", "swift code ⟦DEUTDEFF500⟧ please", "⟦BARCGB22⟧ (BIC)")
    counter_examples = ("the CUSTOMER is right", "DEUTDEFF", "BIC: DEUTQQFF", "SWIFT TRANSFER")

    def detect(self, text: str) -> list[Detection]:
        """Find announced BICs."""
        return [
            Detection(match.start(), match.end(), "BIC", 0.9, self.name, validated=True)
            for match in _BIC.finditer(text)
            if match[1] in _COUNTRIES and cued(_BIC_CUE, text, *match.span())
        ]


_ABA = re.compile(r"(?<![\w-])(?:[0-9]{9}|[0-9]{4}-[0-9]{4}-[0-9])(?![\w-])")
_ABA_CUE = re.compile(r"\b(?:aba|rtn|routing|transit|fedwire|ach)\b", re.IGNORECASE)
_ABA_WEIGHTS: Final = (3, 7, 1) * 3


@RECOGNIZERS.register("aba_routing_number")
@final
class AbaRoutingNumber:
    """ABA routing transit number: Federal Reserve prefix and weighted sum; proven only where it is announced.

    One number of nine digits in thirty has a fitting prefix and sum, so alone it scores .5.
    """

    name = "aba_routing_number"
    types = ("ABA_ROUTING_NUMBER",)
    trigger = DIGITS_8
    version = "1"
    examples = ("routing number ⟦021000021⟧", "ABA ⟦0210-0002-1⟧", "⟦011401533⟧")
    counter_examples = ("routing number 021000022", "ABA 991000021", "0210000210")

    def detect(self, text: str) -> list[Detection]:
        """Find routing numbers."""
        found = []
        for match in _ABA.finditer(text):
            digits = match[0].replace("-", "")
            prefix = int(digits[:2])
            known = prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
            if known and sum(w * int(d) for w, d in zip(_ABA_WEIGHTS, digits, strict=True)) % 10 == 0:
                sure = cued(_ABA_CUE, text, *match.span())
                score = 1.0 if sure else 0.5
                found.append(
                    Detection(match.start(), match.end(), "ABA_ROUTING_NUMBER", score, self.name, validated=sure)
                )
        return found
