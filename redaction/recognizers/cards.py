"""Payment card numbers."""

from __future__ import annotations

import re
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import DIGITS_8, RECOGNIZERS

_RUN = re.compile(r"(?<!\d)\d(?:[ .\u00a0\u202f/-]?\d){11,}+")
"""Digits with at most one separator between two of them, 12 or more."""

_ISSUERS: Final = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),  # Mastercard, since 2017
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("6011", "6011", (16, 17, 18, 19)),  # Discover
    ("644", "659", (16, 17, 18, 19)),
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("300", "305", (14, 15, 16, 17, 18, 19)),  # Diners Club
    ("36", "36", (14, 15, 16, 17, 18, 19)),
    ("38", "39", (14, 15, 16, 17, 18, 19)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("81", "82", (16, 17, 18, 19)),  # UnionPay, RuPay
    ("2200", "2204", (16,)),  # Mir
    ("50", "50", (12, 13, 14, 15, 16, 17, 18, 19)),  # Maestro
    ("56", "69", (12, 13, 14, 15, 16, 17, 18, 19)),
)
"""First and last prefix, and lengths (ISO/IEC 7812-1 ranges as the schemes publish them)."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the rest (ISO/IEC 7812-1 annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _lengths(digits: str) -> list[int]:
    """The lengths a card number that begins like ``digits`` may have, longest first."""
    fits = (lengths for low, high, lengths in _ISSUERS if low <= digits[: len(low)] <= high)
    return sorted({length for lengths in fits for length in lengths}, reverse=True)


@RECOGNIZERS.register("card_number")
@final
class CardNumber:
    """Primary account numbers: scheme prefix, its lengths, Luhn; digits may be parted, also one by one."""

    name = "card_number"
    types = ("CREDIT_CARD",)
    trigger = DIGITS_8
    version = "1"
    examples = (
        "paid with ⟦4111 1111 1111 1111⟧ on Monday",
        "⟦2223-0031-2200-3222⟧ is a 2-series Mastercard",
        "amex ⟦378282246310005⟧, exp 12/26",
        "⟦4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1⟧",
        "card ⟦4111.1111.1111.1111⟧ 12/26",
    )
    counter_examples = (
        "card 4111 1111 1111 1112",
        "at 1699999999999 ms since the epoch",
        "the order 12345678901234567890123",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find card numbers, in each run of digits every one that begins and ends with a group of it."""
        found = []
        for run in _RUN.finditer(text):
            places = [i for i in range(run.start(), run.end()) if text[i].isdigit()]
            digits = "".join(text[i] for i in places)
            if not digits.isascii():
                digits = "".join(str(int(d)) for d in digits)
            found += self._in_run(places, digits)
        return found

    def _in_run(self, places: list[int], digits: str) -> list[Detection]:
        found = []
        for first in range(len(digits) - 11):
            if first and places[first] == places[first - 1] + 1:
                continue  # inside a group
            for length in _lengths(digits[first : first + 4]):
                last = first + length - 1
                whole = last < len(digits) and (last + 1 == len(digits) or places[last + 1] > places[last] + 1)
                if whole and luhn(digits[first : last + 1]):
                    span = places[first], places[last] + 1
                    found.append(Detection(*span, "CREDIT_CARD", 1.0, self.name, validated=True))
                    break
        return found
