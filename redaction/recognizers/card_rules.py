"""What tells a card number from other long numbers: scheme ranges, Luhn, grouping, the words around it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final, final

_MAESTRO: Final = tuple(range(12, 20))
_LONG: Final = (16, 17, 18, 19)
_ISSUERS: Final = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),  # Mastercard, since 2017
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("6011", "6011", _LONG),  # Discover
    ("644", "659", _LONG),
    ("3500", "3599", _LONG),  # JCB issues 3528-3589; the rest is in use in test data
    ("1800", "1800", (15,)),  # JCB until 2001
    ("2131", "2131", (15,)),
    ("300", "305", (14, *_LONG)),  # Diners Club
    ("36", "36", (14, *_LONG)),
    ("38", "39", (14, *_LONG)),
    ("62", "62", _LONG),  # UnionPay
    ("81", "82", _LONG),  # UnionPay, RuPay
    ("508", "508", (16,)),  # RuPay
    ("2200", "2204", _LONG),  # Mir
    ("50", "50", _MAESTRO),
    ("56", "69", _MAESTRO),
)
"""First and last prefix, and lengths (ISO/IEC 7812-1 ranges as the schemes publish them)."""

_MAIN_LENGTHS: Final = {"3": (15, 16), "4": (16, 19), "5": (16,), "6": (16,), "2": (16,), "8": (16,)}
"""Lengths in which most cards are issued. Other numbers are often as long as the rest (EAN-13, parcels)."""

_MAESTRO_ONLY: Final = frozenset(("50", "56", "57", "58", "61", "63", "66", "67", "68", "69"))

_GROUPINGS: Final = frozenset(
    {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (6, 13), (4, 4, 4, 4, 3), (4, 4, 5), (6, 10), (4, 12), (8, 8)}
)

_CARD_WORDS = re.compile(
    r"card(?:(?<![a-z]card)s?(?![a-z])|[ _-]?(?:no|num|holder))|(?:debit|credit|bank|payment)[ _-]?card"
    r"|cc(?:(?<![a-z0-9]cc)(?![a-z0-9])|_?num)|visa(?<![a-z]visa)(?![a-z])|pan(?<![a-z]pan)(?![a-z])|maestro|amex"
    r"|master ?card|american express|diners|jcb|union ?pay|rupay|cv[vc]2?(?<![a-z]...)(?![a-z])|valid thru|expiry"
    r"|kreditkarte|kartennummer|carte (?:bancaire|de cr[ée]dit|bleue)|num[ée]ro de carte|tarjeta"
    r"|carta di credito|cart[ãa]o|creditcard|betaalkaart|karty|カード|卡号"
)
"""Words that say that the number by them is a card's, in lower case."""


def card_words(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Where in ``text[start:end]`` a card is spoken of."""
    start = max(0, start)
    lower = text[start:end].lower()
    return [(start + match.start(), start + match.end()) for match in _CARD_WORDS.finditer(lower)]


CARD_LABEL = re.compile(
    r"(?:(?:card|carte|tarjeta|cart[ãa]o|karte|pan|visa|mastercard|amex|maestro)s?"
    r"[ _-]?(?:no\.?|num(?:ber|ero)?|nr\.?|#)?"
    r"|kartennummer)[\s\"':=#(\[-]{0,4}(?:is|number|no\.?)?[\s\"':=#(\[-]{0,4}$",
    re.IGNORECASE,
)
"""The same directly before the number, to be matched up to its start."""

_OTHER = re.compile(
    r"(?:(?<![a-z])(?:order|invoice|inv|tracking|shipment|parcel|ticket|transaction|txn|trace|batch|case|booking)[ _-]?"
    r"(?:no\.?|num(?:ber)?|nr\.?|id|#)|timestamp|epoch|(?<![a-z])(?:ts|ean|upc|gtin|isbn|imei|order|invoice|inv|ord|trk"
    r"|tracking|awb|barcode|sku|millis|time|at))[\s\"':=#_(-]{0,4}$",
    re.IGNORECASE,
)
"""Directly before a number: it is the number of something else."""

_MONEY = re.compile(r"(?:[$€£¥₹]|(?<![A-Za-z])(?:USD|EUR|GBP|CHF|JPY|INR|AUD|CAD))[ ]?-?$")
_DATE_TIMES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d",
        r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])(?:19|20)\d\d(?:[01]\d|2[0-3])[0-5]\d",
        r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:19|20)\d\d(?:[01]\d|2[0-3])[0-5]\d",
        r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d$",
    )
)


@lru_cache(maxsize=16384)
def issuer_lengths(prefix: str) -> Mapping[int, bool]:
    """Which lengths a card number with these first four digits may have.

    Returns:
        Length to whether a large part of all cards is of this kind.
    """
    fits = (lengths for low, high, lengths in _ISSUERS if low <= prefix[: len(low)] <= high)
    main = () if prefix[:2] in _MAESTRO_ONLY else _MAIN_LENGTHS.get(prefix[:1], ())
    return {length: length in main for lengths in fits for length in lengths}


@final
class LuhnSums:
    """Luhn's check of any piece of a long row of digits in constant time (ISO/IEC 7812-1 annex B)."""

    def __init__(self, digits: str) -> None:
        plain = [ord(digit) - 48 for digit in digits]
        twice = [value * 2 - 9 * (value > 4) for value in plain]
        doubled = [list(plain), list(plain)]
        for parity in (0, 1):
            doubled[parity][parity::2] = twice[parity::2]
        self._sums = [list(accumulate(values, initial=0)) for values in doubled]

    def holds(self, start: int, end: int) -> bool:
        """Whether digit ``end - 1`` is the check digit of those from ``start`` on."""
        sums = self._sums[end % 2]  # doubled are the last but one, the last but three, ...
        return (sums[end] - sums[start]) % 10 == 0


def is_grouping(sizes: Sequence[int]) -> bool:
    """Whether cards are printed in groups of such sizes; all of one size (but the last) counts too.

    Groups of three are left out, as large amounts are written so, and longer ones, which have cents behind.
    """
    if len(sizes) == 1 or tuple(sizes) in _GROUPINGS:
        return True
    return sizes[0] in (1, 2, 4, 5, 6) and len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0]


def is_other(text: str, start: int, end: int, digits: str) -> bool:
    """Whether ``text[start:end]`` is a time, an amount, a fraction or announced as some other number."""
    before, after = text[max(0, start - 32) : start], text[end : end + 3]
    fraction = before[-1:] in {".", ","} and before[-2:-1].isdigit()
    cents = after[:1] in {".", ","} and after[1:2].isdigit()
    if fraction or cents or _MONEY.search(before) or _OTHER.search(before):
        return True
    return any(pattern.match(digits) for pattern in _DATE_TIMES) and len(digits) != 15
