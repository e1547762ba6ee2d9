"""References of SEPA payments that name a creditor or his claim."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import final

from stdnum import iso11649
from stdnum.eu import at_02

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, cued

_REFERENCE = re.compile(r"(?<![A-Za-z0-9])RF[ ]?[0-9]{2}(?:[ -]?[A-Z0-9]){1,21}(?![A-Za-z0-9])", re.IGNORECASE)


@RECOGNIZERS.register("creditor_reference")
@final
class CreditorReference:
    """RF creditor reference (ISO 11649): up to 25 characters, ISO 7064 mod 97-10."""

    name = "creditor_reference"
    types = ("CREDITOR_REFERENCE",)
    trigger = r"(?i)\brf ?\d\d|_rf\d\d"
    version = "1"
    examples = ("ref ⟦RF18539007547034⟧", "⟦RF18 5390 0754 7034⟧ is due", "⟦rf18539007547034⟧")
    counter_examples = ("RF19539007547034", "RF 18 is a band", "PRF18539007547034")

    def detect(self, text: str) -> list[Detection]:
        """Find creditor references; words behind a reference in groups are left out."""
        found = []
        for match in _REFERENCE.finditer(text):
            end = _longest(text, *match.span(), 6, iso11649.is_valid)
            if end is not None:
                found.append(Detection(match.start(), end, "CREDITOR_REFERENCE", 1.0, self.name, validated=True))
        return found


def _longest(text: str, start: int, end: int, least: int, is_valid: Callable[[str], bool]) -> int | None:
    """The end of the longest valid code of whole groups in one case: the words behind it look like groups too."""
    while end - start >= least:
        code = text[start:end]
        if (code.isupper() or code.islower()) and is_valid(code):
            return end
        end = max(text.rfind(" ", start, end), text.rfind("-", start, end))
    return None


_CREDITOR = re.compile(
    r"(?<![A-Za-z0-9])([A-Z]{2}[ ]?[0-9]{2}[ ]?)([A-Z0-9]{3})((?:[ ]?[A-Z0-9]){5,28})(?![A-Za-z0-9])", re.IGNORECASE
)
_CREDITOR_CUE = re.compile(
    r"creditor[ _-]?id|credid|gl[äa]ubiger|(?<![a-z])(?:cid|ics|uci)(?![a-z])|incassant|acreedor", re.IGNORECASE
)


@RECOGNIZERS.register("sepa_creditor_id")
@final
class SepaCreditorId:
    """SEPA creditor identifier (EPC AT-02): mod 97-10 without the business code, which is ZZZ or announced."""

    name = "sepa_creditor_id"
    types = ("SEPA_CREDITOR_ID",)
    trigger = r"(?i)[a-z]{2} ?\d\d ?zzz|creditor|credid|ubiger|cid|ics|uci|incassant|acreedor"
    version = "1"
    examples = ("⟦DE98ZZZ09999999999⟧", "creditor id: ⟦DE98ABC09999999999⟧", "Gläubiger-ID ⟦DE98 ZZZ 0999 9999 999⟧")
    counter_examples = ("DE99ZZZ09999999999", "DE98ABC09999999999", "creditor of 12")

    def detect(self, text: str) -> list[Detection]:
        """Find creditor identifiers."""
        found = []
        for match in _CREDITOR.finditer(text):
            announced = match[2].upper() == "ZZZ" or cued(_CREDITOR_CUE, text, *match.span())
            end = _longest(text, *match.span(), 12, at_02.is_valid) if announced else None
            if end is not None:
                found.append(Detection(match.start(), end, "SEPA_CREDITOR_ID", 1.0, self.name, validated=True))
        return found
