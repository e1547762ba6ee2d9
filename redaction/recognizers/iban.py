"""IBAN: country, length and structure from the SWIFT registry (in schwifty), check by ISO 7064 mod 97-10."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, final

from schwifty import registry
from schwifty.exceptions import InvalidCountryCode

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS

_COUNTRIES: Final = frozenset(
    (  # noqa: SIM905
        "AD AE AL AO AT AX AZ BA BE BF BG BH BI BJ BL BR BY CF CG CH CI CM CR CV CY CZ DE DJ DK DO DZ EE EG ES FI "
        "FK FO FR GA GB GE GF GG GI GL GP GQ GR GT GW HN HR HU IE IL IM IQ IR IS IT JE JO KM KW KZ LB LC LI LT LU "
        "LV LY MA MC MD ME MF MG MK ML MN MQ MR MT MU MZ NC NE NI NL NO OM PF PK PL PM PS PT QA RE RO RS RU SA SC "
        "SD SE SI SK SM SN SO ST SV TD TF TG TL TN TR UA VA VG WF XK YE YT"
    ).split()
)
"""Those of the registry, those that use IBANs without being in it, and territories of France and Britain."""

_LONGEST: Final = 34
_TO_DIGIT: Final = str.maketrans("OQDILZSGB", "000112568")
_TO_LETTER: Final = str.maketrans("0158", "OISB")
_MOST_MISREAD = 4

_FIRST_DIGIT = re.compile(
    r"[0-9](?:(?<=[A-Za-z]{2}.)|(?<=[A-Za-z]{2}[ -].)|(?<=[A-Za-z]{2}[OILoil].)|(?<=[A-Za-z]{2}[ -][OILoil].))"
)
_START = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=(?i:iban)))[A-Za-z]{2}[ -]?(?:[0-9][0-9OILoil]|[OILoil][0-9])")
_SEPARATOR: Final = r"(?:[ \t-]?\n[ \t]?|\r\n|[ \u00a0\u202f./-])?+"
_KINDS: Final = {"n": "[0-9OQDILZSGBoqdilzsgb]", "a": "[A-Za-z0158]", "c": "[A-Za-z0-9]"}
_CUE = re.compile(r"iban|bank account|bankverbindung|kontoverbindung", re.IGNORECASE)
_CUE_CHARS = 40
_LABEL = re.compile(r"iban[\s\"':=#(_-]{0,6}(?:is|no\.?|number)?[\s\"':=#(-]{0,4}$", re.IGNORECASE)
_CAPITALS = re.compile(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){9,32}+(?![A-Za-z0-9])")


@cache
def structure(country: str) -> str:
    """The kind of each character behind the check digits: ``n`` digit, ``a`` capital letter, ``c`` either.

    Empty for a country that has no IBANs.
    """
    try:
        spec = registry.get_iban_spec(country)
    except InvalidCountryCode:
        return ""
    return "".join(kind * int(count) for count, kind in re.findall(r"(\d+)!?([nac])", spec.bban_spec))


@cache
def _pattern(country: str) -> re.Pattern[str]:
    """Length and structure, letters and digits perhaps mixed up, with separators between any two."""
    return re.compile(_SEPARATOR.join(["[A-Za-z]{2}", *(_KINDS[kind] for kind in f"nn{structure(country)}")]))


def mod_97(code: str) -> int:
    """Remainder of a code whose first four characters go last, letters as 10 to 35 (ISO 7064 mod 97-10)."""
    return int("".join([str(int(letter, 36)) for letter in code[4:] + code[:4]])) % 97


def _misread(code: str, kinds: str) -> str | None:
    """The code with letters and digits that are mixed up put right; None where it does not fit ``kinds``."""
    letters = []
    for letter, kind in zip(code, kinds, strict=True):
        if kind == "n" and not letter.isdigit():
            letter = letter.translate(_TO_DIGIT)
            if not letter.isdigit():
                return None
        elif kind == "a" and letter.isdigit():
            letter = letter.translate(_TO_LETTER)
            if letter.isdigit():
                return None
        letters.append(letter)
    fixed = "".join(letters)
    return fixed if sum(a != b for a, b in zip(fixed, code, strict=True)) <= _MOST_MISREAD else None


@final
class _Reading:
    """What stands where an IBAN may begin: its characters, and where each of them stands."""

    def __init__(self, text: str, start: int) -> None:
        self.text, self.start = text, start
        country = text[start : start + 2].upper()
        self.length = len(structure(country)) + 4
        match = _pattern(country).match(text, start)
        self.places = [i for i in range(*match.span()) if text[i].isalnum()] if match else []
        self.code = "".join([text[i] for i in self.places]).upper()
        self.fixed = _misread(self.code, f"aann{structure(country)}") if match else None

    @property
    def end(self) -> int:
        return self.places[-1] + 1

    def judge(self) -> tuple[float, bool] | None:
        """Score and whether it is proven; it may lengthen or shorten the code."""
        fixed = self.fixed
        if fixed is None:
            return self._one_off()
        follower = self.text[self.end : self.end + 1]
        holds = mod_97(fixed) == 1
        if fixed == self.code and holds and not follower.isdigit() and (not follower.isalnum() or self._one_piece()):
            return 1.0, True
        if follower.isalnum():
            return self._one_off()
        if holds and self._plausible(cued=self._cued() or len(self.code) > 16):
            return 0.6, False
        near = fixed == self.code or self._cued()
        return (0.55, False) if near and self._plausible(cued=self._cued()) else None

    def _one_off(self) -> tuple[float, bool] | None:
        """A code that is called an IBAN and has one character too few or too many."""
        match = _CAPITALS.match(self.text, self.start)
        if match is None or not _LABEL.search(self.text, max(0, self.start - 24), self.start):
            return None
        places = [i for i in range(*match.span()) if self.text[i] != " "]
        if abs(len(places) - self.length) != 1:
            return None
        self.places = places
        return 0.5, False

    def _one_piece(self) -> bool:
        return self.end - self.start == self.length

    def _cued(self) -> bool:
        return _CUE.search(self.text, max(0, self.start - _CUE_CHARS), self.start) is not None

    def _plausible(self, *, cued: bool) -> bool:
        """A code that is not proven must be written like an IBAN: in one piece or groups of four, and in capitals.

        The shortest ones (Norway, Belgium) in one piece are also what order numbers look like.
        """
        if cued:
            return True
        grouped = all((n % 4 == 0) == (b - a > 1) for n, (a, b) in enumerate(self._steps(), 1))
        in_capitals = self.text[self.start : self.start + 2].isupper()
        return in_capitals and (grouped or (self._one_piece() and self.length > 16))

    def _steps(self) -> zip[tuple[int, int]]:
        return zip(self.places, self.places[1:], strict=False)


def _starts(text: str, start: int, end: int) -> Iterator[int]:
    """Where in ``text[start:end]`` two letters of a country with IBANs and two check digits begin."""
    last = -1
    for digit in _FIRST_DIGIT.finditer(text, start, end):
        for at in range(max(start, digit.start() - 4, last + 1), digit.start() - 1):
            if text[at : at + 2].upper() in _COUNTRIES and _START.match(text, at):
                last = at
                yield at


def iban_spans(text: str, start: int) -> list[tuple[int, int]]:
    """Where something with an IBAN's country, length and structure lies that begins before ``start``, but near."""
    spans = []
    for at in _starts(text, max(0, start - 2 * _LONGEST), start + 4):
        reading = _Reading(text, at)
        if reading.judge() is not None:
            spans.append((at, reading.end))
    return spans


@RECOGNIZERS.register("iban")
@final
class Iban:
    """IBAN: the country's length first, so that a word behind it does no harm; then structure, then mod 97.

    One that is wrong in a digit or in its check digits, or read with O for 0 and the like, is found as well.
    """

    name = "iban"
    types = ("IBAN_CODE",)
    trigger = (
        rf"(?i)(?:{'|'.join(sorted(_COUNTRIES))})[ -]?(?:[0-9][0-9oil]|[oil][0-9])"
        r"(?:[\s\x{a0}\x{202f}./-]{0,3}[0-9a-z]){4}"
    )
    version = "2"
    examples = (
        "pay ⟦DE89370400440532013000⟧ today",
        "pay ⟦DE89 3704 0044 0532 0130 00⟧ 2 days from today",
        "⟦gb82 west 1234 5698 7654 32⟧",
        "to ⟦DE89 3704 0044\n0532 0130 00⟧.",
        "iban:⟦NO9386011117947⟧",
        "iban_number=⟦FR1420041010050500013M02606⟧&x=1",
        '{"accountIban":"⟦MT84MALT011000012345MTLCAST001S⟧"}',
        "one digit is wrong: ⟦DE89370400440532013001⟧",
        "badly read: ⟦DE89 37O4 0O44 0532 0130 00⟧",
        "IBAN: ⟦DE8937040044053201300⟧ lacks a digit",
        "⟦FI21-1234-5600-0007-85⟧",
    )
    counter_examples = (
        "pay DE8937040044053201300 today",
        "XX89370400440532013000",
        "AB12 is a room",
        "ORDER NO 1234567890123",
        "is 10 at 20 no 12 of the",
    )

    def __init__(self) -> None:
        structure("DE")  # reads the registry now, not at the first request

    def detect(self, text: str) -> list[Detection]:
        """Find IBANs in one run or in groups."""
        found = []
        for start in _starts(text, 0, len(text)):
            reading = _Reading(text, start)
            judged = reading.judge()
            if judged is not None:
                found.append(Detection(start, reading.end, "IBAN_CODE", judged[0], self.name, judged[1]))
        return found
