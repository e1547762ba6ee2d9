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
    r"|c[óo]digo de (?:seguridad|seguran[çc]a)|codice di sicurezza|beveiligingscode"
    r"|安全码|安全碼|セキュリティコード|보안 ?코드)"
)
_IS: Final = (
    r"(?: (?:ist|lautet|est|es|[èé]|(?:do|da|de la|del|della|der|van de) (?:cart[ãaeo]+|tarjeta|karte|kaart))){0,2}"
)
"""What else stands between the word and the code, in other languages."""
_CVV = re.compile(
    rf"(?<![a-z]){_CVV_WORDS}(?:[ _/-]?(?:code|number|no|num|value|\(?cv[cv]2?\)?))?"
    rf"(?: on (?:the )?(?:back|card|front))?{_IS}{LINK}"
    r"(?<![0-9.,])([0-9](?:[ .-]?[0-9]){2,3})(?![0-9A-Za-z%]|[.,-][0-9])"
    rf"|(?<![0-9.,A-Za-z])([0-9]{{3,4}})[ \"']{{0,2}}[(\[]?(?:is (?:the|my) )?{_CVV_WORDS}(?![a-z])",
    re.IGNORECASE,
)
_CVV_CAMEL = re.compile(
    r"(?:Cvv2?|CVV2?|Cvc2?|CVC2?|SecurityCode)(?:Code|Number)?[\"']?[ ]?[:=][ ]?[\"']?([0-9]{3,4})(?![0-9A-Za-z.])"
)
"""The end of a camelCase key."""
_BEHIND_EXPIRY = re.compile(
    r"(?:(?:[0-9][ .-]?){12,19}[ ,;|/\t]{1,3}|exp[a-z]*[ :=]{0,2})(?:0?[1-9]|1[0-2])[ ]?/[ ]?(?:20)?[2-4][0-9]"
    r"(?:[ ,;|\t]{1,3}|[ ,;]{1,2}(?:code|cv[vc])[ :=]{0,3})([0-9]{3,4})(?![0-9A-Za-z]|[.,/-][0-9])",
    re.IGNORECASE,
)
"""The third of the three that belong together: number, date, code."""
_BEHIND_NUMBER = re.compile(
    r"(?<![0-9])(?:[0-9][ .-]?){12,18}[0-9][\"']?[ ,;|/\t]{1,3}[\"']?([0-9]{3,4})(?![0-9A-Za-z]|[.,/-][0-9])"
)
_NAMED = re.compile(r"(?<![a-z])c(?:v[vcn]2?|sc)(?![a-z])", re.IGNORECASE)
_NAMED_CHARS: Final = 60
"""How far before the number a column may be called so."""


@RECOGNIZERS.register("card_security_code")
@final
class CardSecurityCode:
    """CVV, CVC, CID: three digits, four on American Express; only the word beside them tells."""

    name = "card_security_code"
    types = ("CVV",)
    trigger = (
        r"(?i)cv[vcn]|csc|[0-9] ?/ ?(?:20)?[2-4][0-9]\D{1,9}[0-9]{3}|on the (?:back|reverse)|code de s"
        r"|security[ _-]?code"
        r"|verification|fnummer|fziffer|cryptogramme|digo de segur|sicurezza|gingscode|安全码|安全碼|セキュリティ|보안"
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
        "meine Kartenprüfnummer lautet ⟦731⟧",
        "o código de segurança do cartão é ⟦731⟧",
        "cards(pan,cvv) values('4111111111111111','⟦731⟧')",
        "4111 1111 1111 1111\t09/28\t⟦731⟧",
    )
    counter_examples = (
        "CVV 12345",
        "cvc 2024-06",
        "the CVV is missing",
        "security code 123456",
        "verification 123",
        "4111 1111 1111 1111 731",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find security codes."""
        spans = [match.span(match.lastindex or 0) for match in _CVV.finditer(text)]
        spans += [span for match in _CVV_CAMEL.finditer(text) if (span := match.span(1)) not in spans]
        spans += [span for match in _BEHIND_EXPIRY.finditer(text) if (span := match.span(1)) not in spans]
        for match in _BEHIND_NUMBER.finditer(text):
            named = _NAMED.search(text, max(0, match.start() - _NAMED_CHARS), match.start())
            if named and match.span(1) not in spans:
                spans.append(match.span(1))
        return [Detection(*span, "CVV", _score(text, *span), self.name, validated=True) for span in spans]


def _score(text: str, start: int, end: int) -> float:
    """More than that of a PIN, which is called a security code too, where a card is spoken of."""
    return 0.95 if _by_card(text, start, end) else 0.9


_DATE: Final = (
    r"((?:0?[1-9]|1[0-2])[ ]?[/.-][ ]?(?:20)?[0-9]{2}|(?:0[1-9]|1[0-2])[ ]?(?:20)?[2-4][0-9]"
    r"|20[2-4][0-9]-(?:0[1-9]|1[0-2])"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?[ ,]{1,2}(?:20)?[2-4][0-9])"
)
_EXPIRY = re.compile(
    r"(?<![a-z])(?:exp(?:\.|ir(?:y|es?|ed|ation|ing))?|valid[ _-]?(?:thru|through|until|till|to)|good thru"
    r"|g[üu]ltig bis|expire fin|date d.expiration|vencimiento|caducidad|scadenza|scade|l[äa]uft ab|vence|caduca"
    r"|validade|ważna do|有效期|有効期限|유효 ?기간)"
    rf"(?:[ _-]?(?:date|dt|mm/?yy(?:yy)?|on|in|end))?{LINK}{_DATE}(?![0-9A-Za-z]|[/.-][0-9])",
    re.IGNORECASE,
)
_PART = re.compile(
    r"exp(?:iry|iration|ir)?[ _-]?(?:month|year|mm|yyyy|yy)[\"']?[ ]?[:=][ ]?[\"']?([0-9]{1,4})(?![0-9A-Za-z.])",
    re.IGNORECASE,
)
_BEHIND_CARD = re.compile(
    r"(?<![0-9])(?:[0-9][ .-]?){12,19}[ ,;|/\t]{1,3}((?:0[1-9]|1[0-2])[ ]?/[ ]?(?:20)?[2-4][0-9])(?![0-9A-Za-z/])"
)
_CARD_CHARS = 80
_WEAK = re.compile(r"expire|valid.(?:to|until)|scade(?!n)|läuft|vence|caduca(?!d)", re.IGNORECASE)
"""Options, leases and offers expire as well: here a card must be named near, and where the month is a word."""


_CARD = re.compile(r"(?<![a-z])(?:carta|tarjeta|karte|kaart|cart[ãa]o)(?![a-z])", re.IGNORECASE)


def _by_card(text: str, start: int, end: int) -> bool:
    """Whether a card is spoken of near."""
    near = ((max(0, start - _CARD_CHARS), start), (end, end + _CARD_CHARS))
    return any(card_words(text, *place) or _CARD.search(text, *place) for place in near)


@RECOGNIZERS.register("card_expiry")
@final
class CardExpiry:
    """The month a card expires in: MM/YY and the like behind a word for it or directly behind a card number."""

    name = "card_expiry"
    types = ("CARD_EXPIRY",)
    trigger = (
        r"(?i)exp(?:[^a-z]|ir|date|m|y)|valid[ _-]?t|valid until|good thru|ltig bis"
        r"|venc[ei]|caduc|scade|uft ab|validade|ważna|有效期|有効期限|유효|\d ?/ ?\d\d"
    )
    version = "1"
    examples = (
        "card 4111 1111 1111 1111 exp ⟦12/26⟧",
        "Visa, expiry date: ⟦03/2027⟧",
        "valid thru ⟦09-28⟧",
        '{"card_expiry": "⟦12/26⟧", "exp_month": ⟦12⟧, "exp_year": ⟦2026⟧}',
        "4111111111111111, ⟦12/26⟧, 123",
        "expDate=⟦0427⟧",
        "the card expires in ⟦September 2028⟧",
        "la carta scade ⟦09/28⟧",
    )
    counter_examples = (
        "exp 13/26",
        "the option expires 12/06/2026",
        "experience 12/26",
        "ratio 12/26",
        "expires 12/26",
        "the lease's expiration date is September 2028",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find expiry dates."""
        found = [
            Detection(*match.span(1), "CARD_EXPIRY", 0.9, self.name, validated=True)
            for match in _EXPIRY.finditer(text)
            if not (_WEAK.match(match[0]) or match[1][0].isalpha()) or _by_card(text, *match.span())
        ]
        for pattern in (_PART, _BEHIND_CARD):
            spans = (match.span(1) for match in pattern.finditer(text))
            found += [Detection(*span, "CARD_EXPIRY", 0.8, self.name, validated=True) for span in spans]
        return found
