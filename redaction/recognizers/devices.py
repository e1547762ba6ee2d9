"""Machines, vehicles and travel documents that machines read."""

from __future__ import annotations

import ipaddress
import re
from itertools import pairwise
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, cued
from redaction.recognizers.cards import luhn
from redaction.recognizers.cues import LINK, label, labelled

_IPV4 = re.compile(
    r"(?<![^\W_])(?<!\.)(?<![A-Za-z]-)(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
    r"(?![^\W_]|-[A-Za-z]|\.[0-9]|,[0-9]{1,2}(?![0-9.])|\s?(?:€|EUR|CHF)(?![^\W_]))"
)
_IPV6 = re.compile(
    r"(?:(?<![\w:.])|(?<=[A-Za-z]{2}:))(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:\.[0-9]{1,3}){0,3}(?:%\w{1,12})?"
    r"(?![\w:])"
)
_NO_ADDRESS = re.compile(
    r"(?:(?<![^\W_])(?:v(?:er(?:sions?)?)?|release|build|firmware|section|clause|chapter)\.?[:=]?|§|[€$£]|\b(?:EUR|CHF|USD))\s?$"
    r"|(?:chrom(?:e|ium)|crios|edga?|opr|safari|version)/$",
    re.IGNORECASE,
)
"""What stands before a version, a section or an amount in thousands."""


@RECOGNIZERS.register("ip_address")
@final
class IpAddress:
    """IP address, version 4 (RFC 791) or 6 (RFC 4291, section 2.2)."""

    name = "ip_address"
    types = ("IP_ADDRESS",)
    trigger = r"[0-9]\.[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]?:[0-9A-Fa-f]{0,4}:"
    version = "2"
    examples = ("from ⟦192.168.10.4⟧, port 80", "⟦2001:db8::8a2e:370:7334⟧ asked", "⟦fe80::1%eth0⟧", "|⟦8.8.8.8⟧|")
    counter_examples = ("version 1.2.3.4", "999.1.1.1", "12:30:45", "1.2.3", "::", "a::b::c", "Chrome/120.0.0.0")

    def detect(self, text: str) -> list[Detection]:
        """Find addresses."""
        spans = (match.span() for pattern in (_IPV4, _IPV6) for match in pattern.finditer(text))
        return [
            Detection(start, end, "IP_ADDRESS", 0.95, self.name, validated=True)
            for start, end in spans
            if _is_ip(text[start:end]) and not _NO_ADDRESS.search(text, max(0, start - 12), start)
        ]


_PADDED = re.compile(r"(?<![0-9])0+(?=[0-9])")
"""Zeros before the digits of a part, as some logs write them."""


def _is_ip(text: str) -> bool:
    if text.count(":") and not any(map(str.isalnum, text)):
        return False
    try:
        ipaddress.ip_address(_PADDED.sub("", text) if ":" not in text else text)
    except ValueError:
        return False
    return True


_MAC = re.compile(
    r"(?<![0-9A-Za-z])(?<!(?<![0-9A-Za-z])[0-9A-Fa-f]{2}[:-])"
    r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![0-9A-Za-z]|[:-][0-9A-Fa-f]{2}(?![0-9A-Za-z]))"
    r"|(?<![\w.])[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w.]?\w)"
)
_MAC_BARE = re.compile(rf"(?<![^\W_])mac(?: ?addr(?:ess)?)?{LINK}([0-9A-F]{{12}})(?![0-9A-Za-z])", re.IGNORECASE)
_MAC_CUE = re.compile(r"(?<![^\W_])(?:mac|bssid|ethernet|hw ?addr)", re.IGNORECASE)


@RECOGNIZERS.register("mac_address")
@final
class MacAddress:
    """MAC address (IEEE 802, EUI-48)."""

    name = "mac_address"
    types = ("MAC_ADDRESS",)
    trigger = (
        r"[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}|(?i)mac"
    )
    version = "2"
    examples = ("mac ⟦00:1A:2B:3C:4D:5E⟧", "⟦00-1a-2b-3c-4d-5e⟧", "⟦001a.2b3c.4d5e⟧ (Cisco)")
    counter_examples = ("12:30:45", "00:1A:2B:3C:4D", "1234.5678.9012", "20-24-01-15-10-30")

    def detect(self, text: str) -> list[Detection]:
        """Find addresses."""
        spans = [
            match.span()
            for match in _MAC.finditer(text)
            if any(map(str.isalpha, match[0])) or cued(_MAC_CUE, text, *match.span())
        ]
        spans += [match.span(1) for match in _MAC_BARE.finditer(text)]
        return [Detection(*span, "MAC_ADDRESS", 0.9, self.name, validated=True) for span in spans]


_IMEI = re.compile(r"(?<![^\W_])(?<![.-])[0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{6}[ -]?[0-9]{1,2}(?![^\W_]|-[0-9])")
_IMEI_WORDS: Final = r"(?<![^\W_])(?:imei(?:sv)?(?: ?[12])?|handset|device id)"
_IMEI_CUE = re.compile(rf"{_IMEI_WORDS}(?![^\W_])", re.IGNORECASE)
_IMEI_LABEL = label(_IMEI_WORDS)


@RECOGNIZERS.register("imei")
@final
class Imei:
    """IMEI (3GPP TS 23.003): 15 digits and Luhn; American Express has both too, so the word is wanted.

    Directly behind the word a wrong digit is a near miss, and 16 digits are an IMEISV, which has no check digit.
    """

    name = "imei"
    types = ("IMEI",)
    trigger = r"(?i)imei|handset|device id"
    version = "2"
    examples = ("IMEI ⟦490154203237518⟧", "imei: ⟦49-015420-323751-8⟧", "IMEI2: ⟦490154203237518⟧")
    counter_examples = ("490154203237518", "the handset was ordered as 490154203237519")

    def detect(self, text: str) -> list[Detection]:
        """Find numbers of handsets."""
        found = []
        for match in _IMEI.finditer(text):
            digits = re.sub("[^0-9]", "", match[0])
            valid = len(digits) == _IMEI_DIGITS and luhn(digits)
            if valid and cued(_IMEI_CUE, text, *match.span()):
                found.append(Detection(*match.span(), "IMEI", 1.0, self.name, validated=True))
            elif labelled(_IMEI_LABEL, text, match.start()):
                found.append(Detection(*match.span(), "IMEI", 0.5, self.name))
        return found


_IMEI_DIGITS: Final = 15

_VIN = re.compile(r"(?<![A-Za-z0-9])[A-HJ-NPR-Za-hj-npr-z0-9]{17}(?![A-Za-z0-9])")
_VIN_CUE = re.compile(r"(?<![^\W_])vin(?: ?n(?:o|r|um|umber))?(?![^\W_])|vehicle|chassis|fahrgestell", re.IGNORECASE)
_VIN_VALUES: Final = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
_SERIAL_DIGITS: Final = 4
"""So many digits end every number (ISO 3779)."""

_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def vin_check(vin: str) -> bool:
    """Whether the ninth character is the check digit of North America (49 CFR 565.15)."""
    rest = sum(int(_VIN_VALUES.get(c, c)) * w for c, w in zip(vin.upper(), _VIN_WEIGHTS, strict=True)) % 11
    return vin[8].upper() == ("X" if rest == 10 else str(rest))


@RECOGNIZERS.register("vin")
@final
class Vin:
    """Vehicle identification number (ISO 3779): check digit, or a word where the maker uses none."""

    name = "vin"
    types = ("VIN",)
    trigger = r"(?i)[A-HJ-NPR-Z0-9]{17}"
    version = "2"
    examples = ("⟦1HGCM82633A004352⟧ was sold", "VIN: ⟦WVWZZZ1JZXW000001⟧")
    counter_examples = ("1HGCM82643A004352", "12345678901234567", "ABCDEFGHJKLMNPRST")

    def detect(self, text: str) -> list[Detection]:
        """Find numbers of vehicles."""
        found = []
        for match in _VIN.finditer(text):
            mixed = any(map(str.isdigit, match[0])) and any(map(str.isalpha, match[0]))
            near = mixed and cued(_VIN_CUE, text, *match.span())
            valid = mixed and vin_check(match[0])
            if near or (valid and match[0][-_SERIAL_DIGITS:].isdigit()):
                score = 1.0 if near and valid else 0.85 if near else 0.6
                found.append(Detection(*match.span(), "VIN", score, self.name, validated=near))
        return found


_MRZ_LINE = re.compile(r"(?<![A-Z0-9<])[A-Z0-9<]{30,44}(?![A-Z0-9<])")
_NAME_LINE = re.compile(r"(?:[PVIAC][A-Z<][A-Z<]{3})?[A-Z]{2,}(?:<[A-Z]+)*<<[A-Z]+[A-Z<]*<")
_MRZ_WEIGHTS: Final = (7, 3, 1)
_MRZ_SHAPES: Final = {44: 2, 36: 2, 30: 3}
"""Length of a line → how many lines (ICAO 9303 parts 4 to 7)."""

_PAIR: Final = 2


def _mrz_digit(field: str, digit: str) -> bool:
    values = (0 if c == "<" else int(c, 36) for c in field)
    return str(sum(v * _MRZ_WEIGHTS[n % 3] for n, v in enumerate(values)) % 10) == digit.replace("<", "0")


@RECOGNIZERS.register("mrz")
@final
class Mrz:
    """The machine readable zone of a passport or identity card (ICAO 9303), all its lines as one.

    A line that stands alone, or beside one that was misread, still has the name or the numbers in it.
    """

    name = "mrz"
    types = ("MRZ",)
    trigger = r"[A-Z0-9<]{2}<[A-Z0-9<]{5}"
    version = "2"
    examples = (
        "⟦P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10⟧",
        "⟦I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<⟧",
        "⟦P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<⟧",
    )
    counter_examples = ("<<<<<<<<", "A<B<C", "L898902C37UTO7408122F1204159ZE184226B<<<<<10")

    def detect(self, text: str) -> list[Detection]:
        """Find machine readable zones."""
        found, lines = [], [m for m in _MRZ_LINE.finditer(text) if "<" in m[0]]
        at = 0
        while at < len(lines):
            block = lines[at : at + _MRZ_SHAPES.get(len(lines[at][0]), 0)]
            if _is_zone([m[0] for m in block]) and _in_a_row(block, text):
                found.append(Detection(block[0].start(), block[-1].end(), "MRZ", 1.0, self.name, validated=True))
                at += len(block)
                continue
            size = 1
            if _NAME_LINE.fullmatch(lines[at][0]):
                size = len(block) if len(block) == _PAIR and _in_a_row(block, text) else 1
                found.append(Detection(lines[at].start(), lines[at + size - 1].end(), "MRZ", 0.8, self.name))
            elif _has_numbers(lines[at][0]):
                found.append(Detection(*lines[at].span(), "MRZ", 0.8, self.name))
            at += size
        return found


def _is_zone(lines: list[str]) -> bool:
    """Whether there are as many lines as their width says, and check digits of the number or the dates fit."""
    if not lines or len(lines) != _MRZ_SHAPES[len(lines[0])] or any(len(line) != len(lines[0]) for line in lines):
        return False
    if len(lines) == _PAIR:
        return _has_numbers(lines[1])
    number, dates = (lines[0][5:14], lines[0][14]), lines[1]
    return _mrz_digit(*number) or (_mrz_digit(dates[0:6], dates[6]) and _mrz_digit(dates[8:14], dates[14]))


def _has_numbers(line: str) -> bool:
    """Whether it is a second of two lines: the check digits of the document's number and of the birth date fit."""
    return line[13:19].isdigit() and _mrz_digit(line[0:9], line[9]) and _mrz_digit(line[13:19], line[19])


def _in_a_row(block: list[re.Match[str]], text: str) -> bool:
    return all(not text[a.end() : b.start()].strip() for a, b in pairwise(block))
