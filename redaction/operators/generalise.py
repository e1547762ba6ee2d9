"""Less exact values: bands of ages and amounts, the beginning of a postcode, the year of a date, a network."""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal
from itertools import pairwise
from typing import ClassVar, Final, Literal, final

from pydantic import Field

from redaction.operators import base
from redaction.operators.base import OPERATORS
from redaction.operators.dates import read
from redaction.operators.layout import in_ascii
from redaction.operators.plain import Plain

_OF_TYPES: Final = {
    "AGE": "age", "ZIP_CODE": "postcode", "UK_POSTCODE": "postcode", "DE_PLZ": "postcode",
    "DATE_TIME": "date", "DATE_OF_BIRTH": "date", "IP_ADDRESS": "network", "AMOUNT": "amount", "MONEY": "amount",
}  # fmt: skip
_OLDEST: Final = 90
"""From here on ages are one band (45 CFR 164.514(b)(2)(i)(C))."""
_FEW_LIVE_THERE: Final = re.compile("036|059|063|102|203|556|692|790|821|823|830|831|878|879|884|890|893")
"""First three digits of US postcodes with 20,000 inhabitants or fewer (HHS guidance on 45 CFR 164.514, census 2000)."""
_UK: Final = re.compile(r"([A-Z]{1,2}[0-9][0-9A-Z]?)\s*[0-9][A-Z]{2}", re.IGNORECASE)
_AMOUNT: Final = re.compile(r"[0-9](?:[0-9.,' ]*[0-9])?")
_WORDS: Final = re.compile(
    r"[^\W\d_]{4,}(?<!million)(?<!billion)(?<!thousand)(?<!hundred)(?<!dollar)(?<!dollars)(?<!euro)(?<!euros)"
    r"(?<!pounds)(?<!pound)(?<!francs)(?<!cents)\b|@",
    re.IGNORECASE,
)
"""What is no amount, nor the name of a currency."""
_DECIMALS: Final = re.compile(r"[.,]([0-9]{1,2})$")
_YOUNG: Final = re.compile("month|week|day", re.IGNORECASE)
"""Of those who are not yet counted in years."""
_POSTCODE_CHARS: Final = range(3, 11)
_IPV4_BITS, _IPV6_BITS = 16, 32


@final
class GeneraliseOptions(base.Options):
    """How coarse."""

    kind: Literal["", "age", "postcode", "date", "amount", "network"] = ""
    """What the values are, where the type does not say so."""
    years: int = Field(10, ge=2, le=50)
    """Width of a band of ages; from 90 on there is one."""
    keep: int = Field(3, ge=1, le=4)
    """Characters of a postcode that stay; of a British one the district at most."""
    date: Literal["year", "month", "decade"] = "year"
    """What stays of a date."""
    order: Literal["dmy", "mdy"] = "dmy"
    """What 03/05/1980 means: day or month first."""


@OPERATORS.register("generalise")
@final
class Generalise(Plain[GeneraliseOptions]):
    """Keeps what statistics need. What cannot be made out is left out: ``[AGE]`` stands there."""

    Options: ClassVar[type[base.Options]] = GeneraliseOptions

    @staticmethod
    def unsuited(type_: str, options: base.Options) -> str:
        """Return why a type cannot be made coarser, or nothing."""
        if type_ in _OF_TYPES:
            return ""
        if options.model_dump()["kind"]:
            from redaction.policy.known import finders  # it knows the recognizers, which know the policies

            return "kind is for types of your own" if type_ in finders() else ""
        return f"only {', '.join(sorted(_OF_TYPES))} have coarser values; say what the values are with kind"

    def replace(self, type_: str, value: str) -> str:
        """Return the coarser value."""
        value = in_ascii(value)
        match self._options.kind or _OF_TYPES[type_]:
            case "age":
                coarse = self._age(value)
            case "postcode":
                coarse = self._postcode(value)
            case "date":
                coarse = self._date(value, born=type_ == "DATE_OF_BIRTH")
            case "amount":
                coarse = _amount(value)
            case _:
                coarse = _network(value)
        return coarse if coarse and coarse != value else f"[{type_}]"

    def _age(self, value: str) -> str:
        number = re.search(r"(?<![0-9])[0-9]{1,3}(?![0-9])", value)
        if number is None:
            return ""
        unit = _YOUNG.search(value)
        age = int(number[0]) // (12 if unit[0].lower() == "month" else 366) if unit else int(number[0])
        low = age - age % self._options.years
        high = min(low + self._options.years, _OLDEST) - 1
        return f"{_OLDEST}+" if age >= _OLDEST else f"{low}-{high}"

    def _postcode(self, value: str) -> str:
        if british := _UK.search(value):
            return british[1][: self._options.keep].upper()
        chars = [char for char in value if char.isalnum()]
        if len(chars) not in _POSTCODE_CHARS or not any(map(str.isdigit, chars)):
            return ""
        kept = "".join(chars[: min(self._options.keep, len(chars) // 2 + 1)])
        if _FEW_LIVE_THERE.match(kept) and len(chars) in (5, 9) and "".join(chars).isdigit():
            kept = "0" * len(kept)
        return kept + "*" * (len(chars) - len(kept))

    def _date(self, value: str, *, born: bool) -> str:
        written = read(value, self._options.order, born=born)
        if written is None or "y" not in written.spans:
            return ""
        year = written.day.year
        match self._options.date:
            case "decade":
                return f"{year - year % 10}s"
            case "month" if {"m", "w"} & {*written.spans}:
                return f"{year:04d}-{written.day.month:02d}"
        return f"{year:04d}"


def _amount(value: str) -> str:
    """A band from 1, 2 or 5 times a power of ten to the next such number, with what stands around the amounts."""
    if not _AMOUNT.search(value) or _WORDS.search(value):
        return ""
    return _AMOUNT.sub(lambda found: _band(found[0]), value)


def _band(written: str) -> str:
    whole = _DECIMALS.sub("", written)
    number = Decimal(re.sub(r"[^0-9]", "", whole))
    if number < 1:
        low, high = Decimal(0), Decimal(1)
    else:
        unit = Decimal(10) ** (len(str(number)) - 1)
        steps = [unit, 2 * unit, 5 * unit, 10 * unit]
        low, high = next((a, b) for a, b in pairwise(steps) if number < b)
    return f"{low:,f}-{high:,f}"


def _network(value: str) -> str:
    try:
        address = ipaddress.ip_interface(value.strip().strip("[]").partition("%")[0]).ip
    except ValueError:
        return ""
    bits = _IPV4_BITS if address.version == 4 else _IPV6_BITS
    return str(ipaddress.ip_network((address, bits), strict=False))
