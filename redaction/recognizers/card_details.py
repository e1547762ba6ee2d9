"""What is printed on a card beside its number: expiry date and security code."""

from __future__ import annotations

import re
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS
from redaction.recognizers.card_rules import card_words
from redaction.recognizers.cues import LINK

_CVV_WORDS: Final = (
    r"(?:cvv2?|cvc2?|cvn2?|csc|card verification(?: (?:value|code|number))?"
    r"|(?:card )?security[ _-]?code|(?:code|digits|number) on the (?:back|reverse)"
    r"|code de s[ée]curit[ée]|kartenpr[üu]fnummer|pr[üu]fziffer|cryptogramme(?: visuel)?"
    r"|c[óo]digo de (?:seguridad|seguran[çc]a)|codice di sicurezza)"
)
_CVV = re.compile(
    rf"(?<![a-z]){_CVV_WORDS}(?:[ _/-]?(?:code|number|no|num|value|\(?cv[cv]2?\)?))?"
    rf"(?: on (?:the )?(?:back|card|front))?{LINK}"
    r"(?<![0-9.,])([0-9](?:[ .-]?[0-9]){2,3})(?![0-9A-Za-z%]|[.,-][0-9])"
    rf"|(?<![0-9.,A-Za-z])([0-9]{{3,4}})[ \"']{{0,2}}[(\[]?(?:is (?:the|my) )?{_CVV_WORDS}(?![a-z])",
    re.IGNORECASE,
)
_CVV_CAMEL = re.compile(
    r"(?:Cvv2?|CVV2?|Cvc2?|CVC2?|SecurityCode)(?:Code|Number)?[\"']?[ ]?[:=][ ]?[\"']?([0-9]{3,4})(?![0-9A-Za-z.])"
)
"""The end of a camelCase key."""
_BEHIND_EXPIRY = re.compile(
    r"(?:(?:[0-9][ .-]?){12,19}[ ,;|/]{1,3}|exp[a-z]*[ :=]{0,2})(?:0?[1-9]|1[0-2])[ ]?/[ ]?(?:20)?[2-4][0-9]"
    r"(?:[ ,;|]{1,3}|[ ,;]{1,2}(?:code|cv[vc])[ :=]{0,3})([0-9]{3,4})(?![0-9A-Za-z]|[.,/-][0-9])",
    re.IGNORECASE,
)
"""The third of the three that belong together: number, date, code."""


@RECOGNIZERS.register("card_security_code")
@final
class CardSecurityCode:
    """CVV, CVC, CID: three digits, four on American Express; only the word beside them tells."""

    name = "card_security_code"
    types = ("CVV",)
    trigger = (
        r"(?i)cv[vcn]|csc|[0-9] ?/ ?(?:20)?[2-4][0-9]\D{1,9}[0-9]{3}|on the (?:back|reverse)|code de s"
        r"|security[ _-]?code"
        r"|verification|fnummer|fziffer|cryptogramme|digo de segur|sicurezza"
    )
    version = "2"
    examples = (
        "CVV ⟦123⟧",
        "the cvc is ⟦456⟧.",
        '{"cvv2": "⟦123⟧"}',
        "card_cvv=⟦1234⟧",
        "security code on the back is ⟦987⟧",
        "the three digits on the back are ⟦731⟧",
        "Prüfziffer (CVC): ⟦731⟧",
        "⟦737⟧ (CVV)",
        "cardCvv: ⟦123⟧",
    )
    counter_examples = ("CVV 12345", "cvc 2024-06", "the CVV is missing", "security code 123456", "verification 123")

    def detect(self, text: str) -> list[Detection]:
        """Find security codes."""
        spans = [match.span(match.lastindex or 0) for match in _CVV.finditer(text)]
        spans += [span for match in _CVV_CAMEL.finditer(text) if (span := match.span(1)) not in spans]
        spans += [span for match in _BEHIND_EXPIRY.finditer(text) if (span := match.span(1)) not in spans]
        return [Detection(*span, "CVV", 0.9, self.name, validated=True) for span in spans]


_DATE: Final = (
    r"((?:0?[1-9]|1[0-2])[ ]?[/.-][ ]?(?:20)?[0-9]{2}|(?:0[1-9]|1[0-2])[ ]?(?:20)?[2-4][0-9]"
    r"|20[2-4][0-9]-(?:0[1-9]|1[0-2]))"
)
_EXPIRY = re.compile(
    r"(?<![a-z])(?:exp(?:\.|ir(?:y|es?|ed|ation|ing))?|valid[ _-]?(?:thru|through|until|till|to)|good thru"
    r"|g[üu]ltig bis|expire fin|date d.expiration|vencimiento|caducidad|scadenza|validade|ważna do)"
    rf"(?:[ _-]?(?:date|dt|mm/?yy(?:yy)?|on|in|end))?{LINK}{_DATE}(?![0-9A-Za-z]|[/.-][0-9])",
    re.IGNORECASE,
)
_PART = re.compile(
    r"exp(?:iry|iration|ir)?[ _-]?(?:month|year|mm|yyyy|yy)[\"']?[ ]?[:=][ ]?[\"']?([0-9]{1,4})(?![0-9A-Za-z.])",
    re.IGNORECASE,
)
_BEHIND_CARD = re.compile(
    r"(?<![0-9])(?:[0-9][ .-]?){12,19}[ ,;|/]{1,3}((?:0[1-9]|1[0-2])[ ]?/[ ]?(?:20)?[2-4][0-9])(?![0-9A-Za-z/])"
)
_CARD_CHARS = 80
_WEAK = re.compile(r"expire|valid.(?:to|until)", re.IGNORECASE)
"""Options and offers expire as well: here a card must be named near."""


def _by_card(text: str, start: int, end: int) -> bool:
    return bool(card_words(text, start - _CARD_CHARS, start) or card_words(text, end, end + _CARD_CHARS))


@RECOGNIZERS.register("card_expiry")
@final
class CardExpiry:
    """The month a card expires in: MM/YY and the like behind a word for it or directly behind a card number."""

    name = "card_expiry"
    types = ("CARD_EXPIRY",)
    trigger = (
        r"(?i)exp(?:[^a-z]|ir|date|m|y)|valid[ _-]?t|valid until|good thru|ltig bis"
        r"|vencimiento|caducidad|scadenza|validade|ważna|\d ?/ ?\d\d"
    )
    version = "1"
    examples = (
        "card 4111 1111 1111 1111 exp ⟦12/26⟧",
        "Visa, expiry date: ⟦03/2027⟧",
        "valid thru ⟦09-28⟧",
        '{"card_expiry": "⟦12/26⟧", "exp_month": ⟦12⟧, "exp_year": ⟦2026⟧}',
        "4111111111111111, ⟦12/26⟧, 123",
        "expDate=⟦0427⟧",
    )
    counter_examples = (
        "exp 13/26",
        "the option expires 12/06/2026",
        "experience 12/26",
        "ratio 12/26",
        "expires 12/26",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find expiry dates."""
        found = [
            Detection(*match.span(1), "CARD_EXPIRY", 0.9, self.name, validated=True)
            for match in _EXPIRY.finditer(text)
            if not _WEAK.match(match[0]) or _by_card(text, *match.span())
        ]
        for pattern in (_PART, _BEHIND_CARD):
            spans = (match.span(1) for match in pattern.finditer(text))
            found += [Detection(*span, "CARD_EXPIRY", 0.8, self.name, validated=True) for span in spans]
        return found
