"""Numbers of single payments: they lead to who paid whom."""

from __future__ import annotations

import re
from datetime import date
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import DIGITS_8, RECOGNIZERS, cued
from redaction.recognizers.cues import LINK

_UUID = re.compile(
    r"(?<![0-9A-Za-z-])[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{12}(?![0-9A-Za-z-])",
    re.IGNORECASE,
)
_UETR_CUE = re.compile(
    r"(?<![^\W_])(?:uetr|end.?to.?end(?:.?id(?:entification|entifier)?)?|gpi)(?![^\W_])|[:{]121:", re.IGNORECASE
)


@RECOGNIZERS.register("uetr")
@final
class Uetr:
    """UETR: a UUID of version 4 (RFC 9562) behind its word; any other UUID has the type UUID."""

    name = "uetr"
    types = ("UETR", "UUID")
    trigger = r"[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-"
    version = "2"
    examples = (
        "UETR ⟦eb6305c9-1f7f-49de-aed0-16487c27b42d⟧",
        "id ⟦550e8400-e29b-11d4-a716-446655440000⟧ of the session",
    )
    counter_examples = ("eb6305c9-1f7f-49de-aed0-16487c27b42", "1234-5678-9012-3456")

    def detect(self, text: str) -> list[Detection]:
        """Find UUIDs."""
        found = []
        for match in _UUID.finditer(text):
            fourth = match[1] == "4" and match[2].lower() in "89ab"
            near = fourth and cued(_UETR_CUE, text, *match.span())
            found.append(Detection(*match.span(), "UETR" if near else "UUID", 0.95, self.name, validated=near))
        return found


_TRACE = re.compile(r"(?<![^\W_])(?<![.-])[0-9]{8}[ -]?[0-9]{7}(?![^\W_]|-[0-9]|[.,][0-9])")
_TRACE_CUE = re.compile(r"(?<![^\W_])(?:trace(?: ?n(?:o|um|umber|r))?|ach)(?![^\W_])", re.IGNORECASE)


@RECOGNIZERS.register("ach_trace")
@final
class AchTrace:
    """ACH trace number: the first eight digits of a routing number and seven more (Nacha operating rules)."""

    name = "ach_trace"
    types = ("ACH_TRACE",)
    trigger = r"(?i)trace|\bach(?:\b|_)|_ach(?:\b|_)"
    version = "2"
    examples = ("ACH trace ⟦021000021234567⟧", "trace no. ⟦12100035 0000123⟧")
    counter_examples = ("021000021234567", "ACH trace 991000021234567", "ACH batch 12")

    def detect(self, text: str) -> list[Detection]:
        """Find trace numbers behind their word."""
        return [
            Detection(*match.span(), "ACH_TRACE", 0.9, self.name, validated=True)
            for match in _TRACE.finditer(text)
            if cued(_TRACE_CUE, text, *match.span()) and _is_routing(match[0][:8])
        ]


def _is_routing(digits: str) -> bool:
    """Whether a routing number may begin so: Federal Reserve districts and what the ABA added to them."""
    district = int(digits[:2])
    return int(digits) > 0 and (district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80)


_IMAD = re.compile(
    r"(?<![A-Za-z0-9])((?:(?:19|20)[0-9]{2})?)([0-9]{2})([0-9]{2})[ ]?([A-Z0-9]{8})[ ]?[0-9]{6}"
    r"(?:[ ]?[0-9]{4}[ ]?[0-9]{4}[ ]?[A-Z0-9]{4})?(?![A-Za-z0-9])"
)
_IMAD_CUE = re.compile(r"(?<![^\W_])[io]mad(?![^\W_])|fedwire", re.IGNORECASE)
_OMAD = re.compile(r"omad[\W_]{0,8}(?:(?:no|number|is)\W{1,3})?$", re.IGNORECASE)
_ENDPOINT = re.compile(r"[A-Z](?=[A-Z]*[0-9])[A-Z0-9]{7}")
"""A name that the Fedwire service gives: "B1QGC08C"."""

_LEAP_YEAR: Final = 2024


@RECOGNIZERS.register("fedwire")
@final
class FedwireId:
    """IMAD and OMAD of the Fedwire Funds Service: date, endpoint, six digits; OMAD with time and application more.

    Statements leave the year out, and set the parts apart: both only near the word.
    """

    name = "fedwire"
    types = ("IMAD", "OMAD")
    trigger = DIGITS_8
    version = "2"
    examples = (
        "IMAD ⟦20240115MMQFMP2U000123⟧",
        "⟦20240115B1QGC08C001234⟧ was sent by fedwire",
        "imad: ⟦0115B1QGC08C001234⟧ trn: none",
    )
    counter_examples = ("20241315MMQFMP2U000123", "20240115", "2024011512345678901234", "0115B1QGC08C001234")

    def detect(self, text: str) -> list[Detection]:
        """Find message ids of wires."""
        found = []
        for match in _IMAD.finditer(text):
            near = cued(_IMAD_CUE, text, *match.span())
            whole = bool(match[1]) and " " not in match[0] and _ENDPOINT.fullmatch(match[4])
            if _is_date(match) and (near or whole):
                type_ = "OMAD" if _OMAD.search(text, max(0, match.start() - 16), match.start()) else "IMAD"
                found.append(Detection(*match.span(), type_, 0.95 if near else 0.6, self.name, validated=near))
        return found


def _is_date(match: re.Match[str]) -> bool:
    try:
        date(int(match[1] or _LEAP_YEAR), int(match[2]), int(match[3]))
    except ValueError:
        return False
    return True


_WORDS: Final = r"swift|transaction|payment|wire|transfer|related|sender(?:['’]?s)?|mt ?103"
_REFERENCE = re.compile(
    rf"(?:(?<![^\W_])(?:(?:{_WORDS})[ _-]?(?:ref(?:erence)?|id)|trn)(?![^\W_])|(?<![0-9]):2[01]:)"
    + LINK
    + r"((?=[A-Z0-9/._-]{0,63}[0-9])[A-Z0-9][A-Z0-9/._-]{4,62}[A-Z0-9])(?![^\W_])",
    re.IGNORECASE,
)


@RECOGNIZERS.register("payment_reference")
@final
class PaymentReference:
    """The reference of a payment behind its word (SWIFT field 20 has at most 16 characters, ISO 20022 has 35)."""

    name = "payment_reference"
    types = ("PAYMENT_REFERENCE",)
    trigger = rf"(?i)ref|:2[01]:|trn|(?:{_WORDS})[ _-]?id"
    version = "2"
    examples = (
        "transaction ref: ⟦TRX20240115-0042⟧",
        ":20:⟦FT24015ABCD12⟧",
        "payment reference ⟦RF4400012345⟧ was used",
    )
    counter_examples = ("transaction reference is missing", "please refer to page 12", "ref 12", "TRNAVA123456")

    def detect(self, text: str) -> list[Detection]:
        """Find announced references."""
        spans = (match.span(1) for match in _REFERENCE.finditer(text))
        return [Detection(*span, "PAYMENT_REFERENCE", 0.6, self.name) for span in spans]
