"""Machines, vehicles and travel documents that machines read."""

from __future__ import annotations

import ipaddress
import re
from itertools import pairwise
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, cued
from redaction.recognizers.cards import luhn

_IPV4 = re.compile(r"(?<![\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:\.[0-9]{1,3}){0,3}(?:%\w{1,12})?(?![\w:])")
_VERSION = re.compile(r"(?:\bv(?:er(?:sion)?)?\.? ?|\brelease |\bsection |§ ?)$", re.IGNORECASE)


@RECOGNIZERS.register("ip_address")
@final
class IpAddress:
    """IP address, version 4 (RFC 791) or 6 (RFC 4291, section 2.2)."""

    name = "ip_address"
    types = ("IP_ADDRESS",)
    trigger = r"[0-9]\.[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]?:[0-9A-Fa-f]{0,4}:"
    version = "1"
    examples = ("from ⟦192.168.10.4⟧, port 80", "⟦2001:db8::8a2e:370:7334⟧ asked", "⟦fe80::1%eth0⟧", "|⟦8.8.8.8⟧|")
    counter_examples = ("version 1.2.3.4", "999.1.1.1", "12:30:45", "1.2.3", "::", "a::b::c")

    def detect(self, text: str) -> list[Detection]:
        """Find addresses."""
        spans = (match.span() for pattern in (_IPV4, _IPV6) for match in pattern.finditer(text))
        return [
            Detection(start, end, "IP_ADDRESS", 0.95, self.name, validated=True)
            for start, end in spans
            if _is_ip(text[start:end]) and not _VERSION.search(text[max(0, start - 12) : start])
        ]


def _is_ip(text: str) -> bool:
    if text.count(":") and not any(map(str.isalnum, text)):
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])")
_MAC_DOTS = re.compile(r"(?<![\w.])[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w.])")


@RECOGNIZERS.register("mac_address")
@final
class MacAddress:
    """MAC address (IEEE 802, EUI-48)."""

    name = "mac_address"
    types = ("MAC_ADDRESS",)
    trigger = r"[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}"
    version = "1"
    examples = ("mac ⟦00:1A:2B:3C:4D:5E⟧", "⟦00-1a-2b-3c-4d-5e⟧", "⟦001a.2b3c.4d5e⟧ (Cisco)")
    counter_examples = ("12:30:45", "00:1A:2B:3C:4D", "1234.5678.9012")

    def detect(self, text: str) -> list[Detection]:
        """Find addresses."""
        spans = [m.span() for m in _MAC.finditer(text)]
        spans += [m.span() for m in _MAC_DOTS.finditer(text) if any(map(str.isalpha, m[0]))]
        return [Detection(*span, "MAC_ADDRESS", 0.9, self.name, validated=True) for span in spans]


_IMEI = re.compile(r"(?<![\w.-])[0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{6}[ -]?[0-9](?![\w-])")
_IMEI_CUE = re.compile(r"\bimei\b|\bhandset\b|\bdevice id", re.IGNORECASE)


@RECOGNIZERS.register("imei")
@final
class Imei:
    """IMEI (3GPP TS 23.003): 15 digits and Luhn; American Express has both too, so the word is wanted."""

    name = "imei"
    types = ("IMEI",)
    trigger = r"(?i)imei|handset|device id"
    version = "1"
    examples = ("IMEI ⟦490154203237518⟧", "imei: ⟦49-015420-323751-8⟧")
    counter_examples = ("490154203237518", "IMEI 490154203237519")

    def detect(self, text: str) -> list[Detection]:
        """Find numbers of handsets."""
        return [
            Detection(*match.span(), "IMEI", 1.0, self.name, validated=True)
            for match in _IMEI.finditer(text)
            if luhn(re.sub(r"\D", "", match[0])) and cued(_IMEI_CUE, text, *match.span())
        ]


_VIN = re.compile(r"(?<![A-Za-z0-9])[A-HJ-NPR-Z0-9]{17}(?![A-Za-z0-9])", re.IGNORECASE)
_VIN_CUE = re.compile(r"\bvin\b|vehicle|chassis|fahrgestell", re.IGNORECASE)
_VIN_VALUES: Final = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
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
    version = "1"
    examples = ("⟦1HGCM82633A004352⟧ was sold", "VIN: ⟦WVWZZZ1JZXW000001⟧")
    counter_examples = ("1HGCM82643A004352", "12345678901234567", "ABCDEFGHJKLMNPRST")

    def detect(self, text: str) -> list[Detection]:
        """Find numbers of vehicles."""
        found = []
        for match in _VIN.finditer(text):
            mixed = any(map(str.isdigit, match[0])) and any(map(str.isalpha, match[0]))
            near = mixed and cued(_VIN_CUE, text, *match.span())
            valid = mixed and vin_check(match[0])
            if near or valid:
                score = 1.0 if near and valid else 0.85 if near else 0.6
                found.append(Detection(*match.span(), "VIN", score, self.name, validated=near))
        return found


_MRZ_LINE = re.compile(r"(?<![A-Z0-9<])[A-Z0-9<]{30,44}(?![A-Z0-9<])")
_MRZ_WEIGHTS: Final = (7, 3, 1)
_MRZ_SHAPES: Final = {44: 2, 36: 2, 30: 3}
"""Length of a line → how many lines (ICAO 9303 parts 4 to 7)."""


def _mrz_digit(field: str, digit: str) -> bool:
    values = (0 if c == "<" else int(c, 36) for c in field)
    return str(sum(v * _MRZ_WEIGHTS[n % 3] for n, v in enumerate(values)) % 10) == digit.replace("<", "0")


@RECOGNIZERS.register("mrz")
@final
class Mrz:
    """The machine readable zone of a passport or identity card (ICAO 9303), all its lines as one."""

    name = "mrz"
    types = ("MRZ",)
    trigger = r"[A-Z0-9<]{2}<[A-Z0-9<]{5}"
    version = "1"
    examples = (
        "⟦P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10⟧",
        "⟦I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<⟧",
    )
    counter_examples = ("<<<<<<<<", "A<B<C", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<")

    def detect(self, text: str) -> list[Detection]:
        """Find machine readable zones."""
        found, lines = [], [m for m in _MRZ_LINE.finditer(text) if "<" in m[0]]
        at = 0
        while at < len(lines):
            count = _MRZ_SHAPES.get(len(lines[at][0]), 0)
            block = lines[at : at + count]
            if count and len(block) == count and self._is_zone([m[0] for m in block], text, block):
                found.append(Detection(block[0].start(), block[-1].end(), "MRZ", 1.0, self.name, validated=True))
                at += count
            else:
                at += 1
        return found

    @staticmethod
    def _is_zone(lines: list[str], text: str, block: list[re.Match[str]]) -> bool:
        width = len(lines[0])
        near = all(not text[a.end() : b.start()].strip() for a, b in pairwise(block))
        if not near or any(len(line) != width for line in lines):
            return False
        if width == 30:
            number, dates = (lines[0][5:14], lines[0][14]), lines[1]
            return _mrz_digit(*number) or (_mrz_digit(dates[0:6], dates[6]) and _mrz_digit(dates[8:14], dates[14]))
        second = lines[1]
        return _mrz_digit(second[0:9], second[9]) and _mrz_digit(second[13:19], second[19])
