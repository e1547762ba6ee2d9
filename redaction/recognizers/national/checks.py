"""Checks that no library has; each takes the number without separators, in capitals."""

from __future__ import annotations

import re
from typing import Final

from stdnum.cn import ric
from stdnum.fr import nir as fr_nir

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
    """Singapore NRIC and FIN, with the M series of 2022."""
    offset, letters = _NRIC.get(number[0], (0, ""))
    if not letters:
        return False
    rest = (offset + sum(w * int(d) for w, d in zip(_NRIC_WEIGHTS, number[1:8], strict=True))) % 11
    return letters[10 - rest if number[0] == "M" else rest] == number[8]


def hkid(number: str) -> bool:
    """Hong Kong identity card: one or two letters, six digits, check digit modulo 11 (A for ten)."""
    body, check = number[:-1].rjust(8), number[-1]
    values = [36 if c == " " else int(c, 36) for c in body]
    total = sum(v * w for v, w in zip(values, range(9, 1, -1), strict=True))
    return (total + (10 if check == "A" else int(check, 36))) % 11 == 0


def my_number(number: str) -> bool:
    """Japanese individual number: 12 digits, the last one a check modulo 11 (Ordinance 85 of 2014)."""
    weights = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    rest = sum(w * int(d) for w, d in zip(weights, number[:11], strict=True)) % 11
    return int(number[11]) == (0 if rest <= 1 else 11 - rest)


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
    """Chinese resident identity number: ISO 7064 mod 11-2 (GB 11643), quickly; then python-stdnum's whole check."""
    if number[17] not in "0123456789X":
        return False
    rest = sum(w * int(d) for w, d in zip(_RESIDENT_WEIGHTS, number[:17], strict=True)) % 11
    return "10X98765432"[rest] == number[17] and bool(ric.is_valid(number))
