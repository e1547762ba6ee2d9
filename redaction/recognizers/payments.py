"""Numbers of single payments: they lead to who paid whom."""

from __future__ import annotations

import re
from datetime import date
from typing import Final, final

from stdnum.us import rtn

from redaction.detection import Detection
from redaction.recognizers.base import DIGITS_8, RECOGNIZERS, cued
from redaction.recognizers.cues import LINK

_UUID = re.compile(
    r"(?<![0-9A-Za-z-])[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{12}(?![0-9A-Za-z-])",
    re.IGNORECASE,
)
_UETR_CUE = re.compile(r"(?<![^\W_])(?:uetr|end.to.end|gpi)(?![^\W_])|:121:", re.IGNORECASE)


@RECOGNIZERS.register("uetr")
@final
class Uetr:
    """UETR: a UUID of version 4 (RFC 9562) behind its word; any other UUID has the type UUID."""

    name = "uetr"
    types = ("UETR", "UUID")
    trigger = r"[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-"
    version = "1"
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


_TRACE = re.compile(r"(?<![\w.-])[0-9]{8}[ -]?[0-9]{7}(?![\w-])")
_TRACE_CUE = re.compile(r"\btrace\b|\bach\b", re.IGNORECASE)


@RECOGNIZERS.register("ach_trace")
@final
class AchTrace:
    """ACH trace number: the first eight digits of a routing number and seven more (Nacha operating rules)."""

    name = "ach_trace"
    types = ("ACH_TRACE",)
    trigger = r"(?i)\btrace\b|\bach\b"
    version = "1"
    examples = ("ACH trace ⟦021000021234567⟧", "trace no. ⟦12100035 0000123⟧")
    counter_examples = ("021000021234567", "ACH trace 991000021234567", "ACH batch 12")

    def detect(self, text: str) -> list[Detection]:
        """Find trace numbers behind their word."""
        return [
            Detection(*match.span(), "ACH_TRACE", 0.9, self.name, validated=True)
            for match in _TRACE.finditer(text)
            if cued(_TRACE_CUE, text, *match.span()) and _routing_prefix(match[0][:8])
        ]


def _routing_prefix(digits: str) -> bool:
    return any(rtn.is_valid(digits + check) for check in "0123456789") and _district(int(digits[:2]))


def _district(prefix: int) -> bool:
    return prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80


_IMAD = re.compile(
    r"(?<![A-Za-z0-9])((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})[A-Z0-9]{8}[0-9]{6}(?:[0-9]{8}[A-Z0-9]{4})?(?![A-Za-z0-9])"
)
_IMAD_CUE = re.compile(r"\b[io]mad\b|fedwire", re.IGNORECASE)


@RECOGNIZERS.register("fedwire")
@final
class FedwireId:
    """IMAD and OMAD of the Fedwire Funds Service: date, eight characters, six digits; OMAD with eight digits more."""

    name = "fedwire"
    types = ("IMAD", "OMAD")
    trigger = DIGITS_8
    version = "1"
    examples = ("IMAD ⟦20240115MMQFMP2U000123⟧", "⟦20240115B1QGC08C001234⟧ was sent by fedwire")
    counter_examples = ("20241315MMQFMP2U000123", "20240115", "2024011512345678901234")

    def detect(self, text: str) -> list[Detection]:
        """Find message ids of wires."""
        found = []
        for match in _IMAD.finditer(text):
            code = match[0][8:16]
            near = cued(_IMAD_CUE, text, *match.span())
            if _is_date(match) and (near or any(map(str.isalpha, code))):
                type_ = (
                    "OMAD"
                    if re.search(r"omad", text[max(0, match.start() - 16) : match.start()], re.IGNORECASE)
                    else "IMAD"
                )
                found.append(Detection(*match.span(), type_, 0.95 if near else 0.6, self.name, validated=near))
        return found


def _is_date(match: re.Match[str]) -> bool:
    try:
        date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return False
    return True


_REFERENCE = re.compile(
    r"(?<![^\W_])(?:(?:swift|transaction|payment|wire|transfer|related|sender'?s?|mt ?103) ?(?:ref(?:erence)?|id)"
    r"|:20:|:21:|trn)" + LINK + r"((?=[A-Z0-9/-]*[0-9])[A-Z0-9][A-Z0-9/-]{5,34})(?![^\W_])",
    re.IGNORECASE,
)
_SHORTEST: Final = 6


@RECOGNIZERS.register("payment_reference")
@final
class PaymentReference:
    """The reference of a payment behind its word (SWIFT field 20 has at most 16 characters)."""

    name = "payment_reference"
    types = ("PAYMENT_REFERENCE",)
    trigger = r"(?i)ref|:2[01]:|trn|transaction.?id|payment.?id|transfer.?id|wire.?id"
    version = "1"
    examples = (
        "transaction ref: ⟦TRX20240115-0042⟧",
        ":20:⟦FT24015ABCD12⟧",
        "payment reference ⟦RF4400012345⟧ was used",
    )
    counter_examples = ("transaction reference is missing", "please refer to page 12", "ref 12")

    def detect(self, text: str) -> list[Detection]:
        """Find announced references."""
        spans = (match.span(1) for match in _REFERENCE.finditer(text))
        return [Detection(*span, "PAYMENT_REFERENCE", 0.6, self.name) for span in spans]
