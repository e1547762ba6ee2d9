"""Routing numbers of banks in the United States."""

from __future__ import annotations

import re
from typing import Final, final

from stdnum.us import rtn

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, cued
from redaction.recognizers.cues import label, labelled

_SHAPE = re.compile(
    r"[0-9](?<![0-9A-Za-z.,+-].)(?:[0-9]{8}|[0-9]{3}-[0-9]{4}-[0-9]|[0-9]{3} [0-9]{4} [0-9])(?![0-9A-Za-z-])"
)
_FEDWIRE = re.compile(r"\{3[14]00\}([0-9]{9})(?![0-9])")
"""Tags {3100} and {3400} of a Fedwire message: sender and receiver."""
_GLUED = re.compile(r"(?:routing|aba|rtn)(?:no|num|number|nr)?([0-9]{9})(?![0-9])", re.IGNORECASE)
_WORDS: Final = r"(?<![a-z])(?:aba|rtn)(?![a-z])|routing|transit|fedwire"
_CUE = re.compile(rf"{_WORDS}|(?<![a-z])ach(?![a-z])|wire transfer", re.IGNORECASE)
_LABEL = label(r"(?:(?<![a-z])(?:aba|rtn)|routing)(?:[ _/-]?(?:transit|routing|aba|rtn|number|num|no|code)){0,3}")


def _is_rtn(digits: str) -> bool:
    """Federal Reserve prefix and weights 3, 7, 1 (American Bankers Association)."""
    prefix = int(digits[:2])
    known = prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
    return known and rtn.is_valid(digits) and digits != "000000000"


@RECOGNIZERS.register("aba_routing_number")
@final
class AbaRoutingNumber:
    """ABA routing transit number: Federal Reserve prefix and weighted sum; proven only where it is announced.

    One number of nine digits in thirty has a fitting prefix and sum, so alone it scores .3. One that is called
    a routing number and fails the sum is a mistyped one.
    """

    name = "aba_routing_number"
    types = ("ABA_ROUTING_NUMBER",)
    trigger = r"[0-9]{9}|[0-9]{4}[ -][0-9]{4}[ -][0-9]|\{3[14]00\}"
    version = "2"
    examples = (
        "routing number ⟦021000021⟧",
        "ABA ⟦0210-0002-1⟧",
        "⟦011401533⟧",
        '{"routing_number": "⟦021000021⟧"}',
        "routingNumber=⟦021000022⟧ is mistyped",
        "routing⟦021000021⟧account",
    )
    counter_examples = ("number 021000022", "0210000210", "call +021000021")

    def detect(self, text: str) -> list[Detection]:
        """Find routing numbers."""
        found = []
        tagged = (match.span(1) for match in _FEDWIRE.finditer(text))
        found += [Detection(*span, "ABA_ROUTING_NUMBER", 1.0, self.name, validated=True) for span in tagged]
        glued = (match.span(1) for match in _GLUED.finditer(text) if _is_rtn(match[1]))
        found += [Detection(*span, "ABA_ROUTING_NUMBER", 1.0, self.name, validated=True) for span in glued]
        for match in _SHAPE.finditer(text):
            digits = re.sub("[ -]", "", match[0])
            valid = _is_rtn(digits)
            sure = valid and cued(_CUE, text, *match.span())
            if sure or valid or labelled(_LABEL, text, match.start()):
                score = 1.0 if sure else 0.3 if valid else 0.5
                found.append(Detection(*match.span(), "ABA_ROUTING_NUMBER", score, self.name, validated=sure))
        return found
