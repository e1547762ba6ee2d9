"""From the words of a document to values a program can compute with: currencies, amounts, days."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final

CURRENCY_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "EUR": ("€", "euro", "euros"),
    "USD": ("$", "us$", "dollar", "dollars", "us dollars", "us dollar"),
    "GBP": ("£", "pound", "pounds", "pounds sterling", "sterling"),
    "CHF": ("franc", "francs", "swiss francs", "fr.", "sfr"),
    "JPY": ("¥", "yen"),
    "SEK": ("kronor", "swedish kronor", "swedish krona"),
    "NOK": ("norwegian kroner",),
    "DKK": ("danish kroner",),
    "PLN": ("zł", "zloty", "zlotys"),
    "CAD": ("c$", "canadian dollars"),
    "AUD": ("a$", "australian dollars"),
    "SGD": ("s$", "singapore dollars"),
    "HKD": ("hk$", "hong kong dollars"),
    "AED": ("dirham", "dirhams"),
    "ZAR": ("rand",),
    "CZK": ("kč", "czech koruna"),
    "HUF": ("forint", "forints"),
    "INR": ("₹", "rupee", "rupees", "rs."),
}
"""How an amount's currency (ISO 4217) is written besides its code; words that several have stand for the largest."""

_CODES: Final = {word: code for code, words in CURRENCY_WORDS.items() for word in words}
_CODE: Final = re.compile(r"[a-z]{3}")
_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_ISO: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_NUMERIC: Final = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?(?: of)?[-. ]*([a-z]{3,9})\.?[-, ]*(\d{4})")
_MONTH_FIRST: Final = re.compile(r"([a-z]{3,9})\.? *(\d{1,2})(?:st|nd|rd|th)?[, ]+(\d{4})")


def currency(written: str) -> str | None:
    """The ISO 4217 code of a currency as written, or None for what is none that is known."""
    word = " ".join(written.casefold().split())
    return _CODES.get(word) or (word.upper() if _CODE.fullmatch(word) else None)


def decimal(written: str) -> str | None:
    """An amount as a decimal string with a point, ``1.250,00`` as ``1250.00``; None where it can be read in two ways.

    One mark with three digits behind it (``1.250``) parts thousands, as nobody writes thousandths of money; a mark
    that stands twice does too.
    """
    text = re.sub(r"[\s'’\u00a0]", "", written).removesuffix(".-").removesuffix(",-")
    if not re.fullmatch(r"\d+(?:[.,]\d+)*", text):
        return None
    marks = [char for char in text if not char.isdigit()]
    groups = re.split(r"[.,]", text)
    cents = ""
    if marks and len(groups[-1]) != 3 and (len(marks) == 1 or marks[-1] not in marks[:-1]):
        cents = groups.pop()
        marks.pop()
    if len({*marks}) > 1 or any(len(group) != 3 for group in groups[1:]):
        return None
    return f"{int(''.join(groups))}.{cents}" if cents else str(int("".join(groups)))


def iso_date(written: str) -> str | None:
    """A day as ISO 8601 writes it; None where day and month may be taken for one another, or it is none."""
    text = " ".join(written.casefold().split())
    if found := _ISO.fullmatch(text):
        return _day(found[1], found[2], found[3])
    if found := _NUMERIC.fullmatch(text):
        first, second = int(found[1]), int(found[2])
        if first > 12 or first == second:
            return _day(found[3], second, first)
        return _day(found[3], first, second) if second > 12 else None
    if found := _DAY_FIRST.fullmatch(text):
        return _day(found[3], _month(found[2]), found[1])
    if found := _MONTH_FIRST.fullmatch(text):
        return _day(found[3], _month(found[1]), found[2])
    return None


def _month(name: str) -> int:
    return _MONTHS.index(name[:3]) + 1 if name[:3] in _MONTHS else 0


def _day(year: str | int, month: str | int, day: str | int) -> str | None:
    try:
        return dt.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
