"""Checks that no library has; each takes the number without separators, in capitals."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from stdnum.be import vat as be_vat
from stdnum.ch import uid as ch_uid
from stdnum.ch import vat as ch_vat
from stdnum.cn import ric as cn_ric
from stdnum.de import vat as de_vat
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError
from stdnum.fi import hetu as fi_hetu
from stdnum.fr import nir as fr_nir
from stdnum.fr import siren as fr_siren
from stdnum.gb import vat as gb_vat
from stdnum.it import iva as it_iva
from stdnum.kr import rrn as kr_rrn
from stdnum.no import mva as no_mva
from stdnum.pl import nip as pl_nip

from redaction.recognizers.cards import luhn

_NINO: Final = re.compile(r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]")


def nino(number: str) -> bool:
    """UK National Insurance number: letters that are issued (HMRC NIM39110); it has no check digit."""
    return _NINO.fullmatch(number) is not None


def ssn(number: str) -> bool:
    """US social security number: area, group and serial that can be issued (SSA, since June 2011)."""
    return number[:3] not in ("000", "666") and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


def itin(number: str) -> bool:
    """US individual taxpayer number: 9, and a group that the IRS issues (50-65, 70-88, 90-92, 94-99)."""
    group = int(number[3:5])
    return number[0] == "9" and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99)


_NRIC_WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2)
_NRIC: Final = {
    "S": (0, "JZIHGFEDCBA"),
    "T": (4, "JZIHGFEDCBA"),
    "F": (0, "XWUTRQPNMLK"),
    "G": (4, "XWUTRQPNMLK"),
    "M": (3, "XWUTRQPNJLK"),
}
"""First letter → what is added to the sum, and the check letters by remainder."""


def nric(number: str) -> bool:
    """Singapore NRIC and FIN, with the M series of 2022; the authority has not published how letters are computed."""
    offset, letters = _NRIC.get(number[0], (0, ""))
    if not letters:
        return False
    rest = (offset + sum(w * int(d) for w, d in zip(_NRIC_WEIGHTS, number[1:8], strict=True))) % 11
    return letters[rest] == number[8]


def hkid(number: str) -> bool:
    """Hong Kong identity card: one or two letters, six digits, check digit modulo 11 (A for ten)."""
    body, check = number[:-1].rjust(8), number[-1]
    values = [36 if c == " " else int(c, 36) for c in body]
    total = sum(v * w for v, w in zip(values, range(9, 1, -1), strict=True))
    return (total + (10 if check == "A" else int(check, 36))) % 11 == 0


def npi(number: str) -> bool:
    """US National Provider Identifier: Luhn with 80840 in front (45 CFR 162.406)."""
    digits = [int(d) for d in "80840" + number]
    doubled = [d if place % 2 == 0 else d * 2 - 9 * (d > 4) for place, d in enumerate(reversed(digits))]
    return number[0] in "12" and sum(doubled) % 10 == 0


def dea(number: str) -> bool:
    """US DEA registration: two letters (or a letter and 9), six digits, check digit (21 CFR 1301)."""
    d = [int(c) for c in number[2:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def medicare_au(number: str) -> bool:
    """Australian Medicare card: first digit 2 to 6, the ninth is a weighted sum modulo 10."""
    weights = (1, 3, 7, 9, 1, 3, 7, 9)
    return number[0] in "23456" and sum(w * int(d) for w, d in zip(weights, number[:8], strict=True)) % 10 == int(
        number[8]
    )


def pension_de(number: str) -> bool:
    """German social insurance number: area, birth date, letter, serial, check digit (VKVV, section 2)."""
    letter = f"{ord(number[8]) - 64:02}"
    digits = number[:8] + letter + number[9:11]
    products = (int(d) * w for d, w in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))
    return sum(p // 10 + p % 10 for p in products) % 10 == int(number[11])


def sin(number: str) -> bool:
    """Canadian social insurance number: Luhn; 0 and 8 are not issued as first digits."""
    return number[0] not in "08" and luhn(number)


def nir(number: str) -> bool:
    """French social security number: key of two digits modulo 97, quickly; then python-stdnum's whole check."""
    digits = number.replace("2A", "19", 1) if number[5:7] == "2A" else number
    digits = digits.replace("2B", "18", 1) if digits[5:7] == "2B" else digits
    return digits.isdigit() and 97 - int(digits[:13]) % 97 == int(digits[13:]) and bool(fr_nir.is_valid(number))


_RESIDENT_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def resident_cn(number: str) -> bool:
    """Chinese resident identity number: a birth date; ISO 7064 mod 11-2 (GB 11643).

    The place is not looked up: python-stdnum's check fails with KeyError on codes of whole provinces.
    """
    rest = sum(w * int(d) for w, d in zip(_RESIDENT_WEIGHTS, number[:17], strict=True)) % 11
    return "10X98765432"[rest] == number[17] and _has_date(cn_ric.get_birth_date, number)


def rrn(number: str) -> bool:
    """Korean resident registration number: a birth date; numbers since October 2020 have no check digit."""
    return _has_date(kr_rrn.get_birth_date, number)


def _has_date(birth_date: Callable[[str], object], number: str) -> bool:
    try:
        birth_date(number)
    except ValidationError:
        return False
    return True


def hetu(number: str) -> bool:
    """Finnish personal identity code, with or without the sign of the century (a hyphen when it was dropped)."""
    signed = number if len(number) == 11 else f"{number[:6]}-{number[6:]}"
    return bool(fi_hetu.is_valid(signed))


def icao(number: str) -> bool:
    """Machine-readable check digit at the end: weights 7, 3, 1 (ICAO 9303-3, section 4.9)."""
    values = (int(c, 36) * (7, 3, 1)[place % 3] for place, c in enumerate(number[:-1]))
    return number[-1].isdigit() and sum(values) % 10 == int(number[-1])


_DE_DOCUMENT: Final = re.compile(r"[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}[0-9]?")


def document_de(number: str) -> bool:
    """German passport or identity card: letters that are used (PassV, annex); the check digit where it is there."""
    if _DE_DOCUMENT.fullmatch(number) is None:
        return False
    return len(number) == 9 or icao(number)


_MBI: Final = re.compile(r"[1-9][L][L0-9][0-9][L][L0-9][0-9][L]{2}[0-9]{2}".replace("L", "AC-HJKMNP-RT-Y"))


def mbi(number: str) -> bool:
    """US Medicare beneficiary identifier (CMS, format of 2018): letters but S, L, O, I, B, Z in fixed places."""
    return _MBI.fullmatch(number) is not None


_DRIVER_UK: Final = re.compile(
    r"[A-Z]{1,5}9{0,4}[0-9](?:[05][1-9]|[16][0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9][A-Z9]{2}[0-9A-Z][A-Z]{2}"
)


def driver_uk(number: str) -> bool:
    """UK driving licence: surname, birth date (month plus 50 for women), initials (DVLA, D1 notes)."""
    return _DRIVER_UK.fullmatch(number) is not None


_COMPANY_UK: Final = re.compile(r"(?:[0-9]{2}|SC|NI|OC|SO|NC|FC|SF|NF|GE|GS|IP|SP|RC|LP|SL|NL|R0|ZC|CE|CS)[0-9]{6}")


def company_uk(number: str) -> bool:
    """UK company number: eight digits, or the prefix of a register and six (Companies House)."""
    return _COMPANY_UK.fullmatch(number) is not None


def tax_hu(number: str) -> bool:
    """Hungarian tax number of a person: 8, nine digits, weights 1 to 9 modulo 11 (Act CL of 2017, annex 1)."""
    rest = sum(place * int(d) for place, d in enumerate(number[:9], 1)) % 11
    return number[0] == "8" and rest == int(number[9])


def taj_hu(number: str) -> bool:
    """Hungarian social security number (TAJ): weights 3 and 7 in turn, modulo 10 (Act XX of 1996)."""
    return sum((3, 7)[place % 2] * int(d) for place, d in enumerate(number[:8])) % 10 == int(number[8])


_TW_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
"""Their places count from 10."""
_TW_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 1, 1)


def id_tw(number: str) -> bool:
    """Taiwanese identity card and, since 2021, resident certificate: letter of the region, weights, modulo 10."""
    region = _TW_LETTERS.index(number[0]) + 10
    total = region // 10 + region % 10 * 9 + sum(w * int(d) for w, d in zip(_TW_WEIGHTS, number[1:], strict=True))
    return number[1] in "1289" and total % 10 == 0


def tin_ph(number: str) -> bool:
    """Philippine TIN: nine digits and, for branches, three or five more; the rule of its check is secret."""
    return number[:3] != "000"


_EU_VAT: Final = frozenset(state.upper() for state in eu_vat.MEMBER_STATES) - {"GR"} | {"EL"}
VAT_COUNTRIES: Final = _EU_VAT | {"CHE", "GB", "NO"}
"""With what a VAT number may begin."""


def vat_id(number: str) -> bool:
    """VAT number with its country: of the EU's member states, Northern Ireland, Great Britain, Switzerland, Norway."""
    country = number[:2]
    if country in _EU_VAT:
        return bool(eu_vat.is_valid(number))
    if country == "GB":
        return bool(gb_vat.is_valid(number))
    if country == "NO":
        return bool(no_mva.is_valid(number))
    return number[:3] == "CHE" and bool(ch_vat.is_valid(number) or ch_uid.is_valid(number))


_VAT_WITHOUT_COUNTRY: Final = (gb_vat, de_vat, it_iva, fr_siren, be_vat, pl_nip)


def vat_digits(number: str) -> bool:
    """VAT number without its country, of one of the larger states; of use only where it is announced."""
    return any(state.is_valid(number) for state in _VAT_WITHOUT_COUNTRY)


def passport_digits(number: str) -> bool:
    """Passport numbers have no check digit of their own; one digit over and over is a placeholder."""
    return len(set(number)) > 1


_PAN: Final = re.compile(r"[A-Z]{3}[ABCFGHJKLPT][A-Z](?!0000)[0-9]{4}[A-Z]")


def pan(number: str) -> bool:
    """Indian permanent account number: the fourth letter is the kind of holder (Income-tax Department)."""
    return _PAN.fullmatch(number) is not None
