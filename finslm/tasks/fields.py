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
_ISO_4217: Final = frozenset(
    re.findall(
        r"[A-Z]{3}",
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD "
        "BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN "
        "ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD "
        "IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD "
        "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD "
        "OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP "
        "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD "
        "UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ",
    )
)
THREE_DECIMALS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""Currencies with thousandths (ISO 4217): ``1.250`` of one can be read in two ways."""
_MONTHS: Final = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_ISO: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_NUMERIC: Final = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?(?: of)?[-. ]*([a-z]{3,9})\.?[-, ]*(\d{4})")
_MONTH_FIRST: Final = re.compile(r"([a-z]{3,9})\.? *(\d{1,2})(?:st|nd|rd|th)?[, ]+(\d{4})")


_PARTED: Final = re.compile(r"\d[\s'’]+\d")
_IN_THREES: Final = re.compile(r"[1-9][0-9]{0,2}([\s'’])[0-9]{3}(?:\1[0-9]{3})*(?:[.,][0-9]{1,2})?")


def currency(written: str) -> str | None:
    """The ISO 4217 code of a currency as written, or None for what is none that is known."""
    word = " ".join(written.casefold().split())
    code = _CODES.get(word) or _CODES.get(f"{word}.")
    return code or (word.upper() if word.upper() in _ISO_4217 else None)


def decimal(written: str) -> str | None:
    """An amount as a decimal string with a point, ``1.250,00`` as ``1250.00``; None where it can be read in two ways.

    One mark with three digits behind it (``1.250``) parts thousands, as nobody writes thousandths of most money; a mark
    that stands twice does too. ``0.125`` and ``1234.567`` are no thousands.
    """
    text = written.strip().removesuffix(".-").removesuffix(",-")
    if _PARTED.search(text) and not _IN_THREES.fullmatch(text):
        return None
    text = re.sub(r"[\s'’]", "", text)
    if not re.fullmatch(r"[0-9]+(?:[.,][0-9]+)*", text):
        return None
    marks = [char for char in text if not char.isdigit()]
    groups = re.split(r"[.,]", text)
    cents = ""
    if marks and len(groups[-1]) != 3 and (len(marks) == 1 or marks[-1] not in marks[:-1]):
        cents = groups.pop()
        marks.pop()
    if len({*marks}) > 1 or any(len(group) != 3 for group in groups[1:]):
        return None
    if marks and not re.fullmatch(r"[1-9][0-9]{0,2}", groups[0]):
        return None
    whole = "".join(groups).lstrip("0") or "0"  # not int(), which takes no number of more than 4,300 digits
    return f"{whole}.{cents}" if cents else whole


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
    """1 to 12, of a month's name, its first three letters or ``sept``; 0: none of these."""
    return 9 if name == "sept" else next((n for n, month in enumerate(_MONTHS, 1) if name in (month, month[:3])), 0)


def _day(year: str | int, month: str | int, day: str | int) -> str | None:
    try:
        return dt.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
