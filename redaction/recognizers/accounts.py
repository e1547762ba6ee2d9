"""Account numbers that nothing but the words before them tells from other numbers."""

from __future__ import annotations

import bisect
import re
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS
from redaction.recognizers.cues import LABEL_CHARS, label, labelled

_STRONG: Final = (
    # English
    r"(?:account|acct|acc|(?<![a-z])a/c)(?:[ _-]?(?:no|num|number|nbr|nr|id)|[ ]?#)"
    r"|(?:checking|savings?|deposit|current|bank|brokerage|loan|mortgage|beneficiary|debit|credit|from|to|source"
    r"|destination|settlement|nostro|vostro|escrow|payee)[ _-]?(?:account|acct|a/c)(?:[ _-]?(?:no|num|number|nr|id))?"
    r"|(?:loan|mortgage)[ _-]?(?:no|number|#)|iban(?: (?:without|minus|of|rest)[ a-z]{0,20})?"
    # German, French, Spanish, Portuguese, Italian
    r"|kontonummer|konto-?nr|kto\.?(?:[ -]?nr)?|girokonto|num[ée]ro de compte|n[°o] de compte|compte n[°o]"
    r"|n[úu]mero de (?:la )?cuenta|cuenta (?:n[úu]mero|n[°ºo])|n[úu]mero da conta|conta(?: corrente| n[°ºo]|-corrente)"
    r"|numero di conto|conto corrente|c/c(?: n)?"
    # Dutch, Nordic, Polish, Czech, Turkish, Japanese, Chinese
    r"|rekening(?:nummer|nr)|kontonr|tilinumero|reikningsn[úu]mer"
    r"|(?:numer|nr) (?:konta|rachunku)|[čc][íi]slo [úu][čc]tu"
    r"|hesap (?:no|numaras[ıi])|口座番号|普通(?:預金)?|账号|帳號|账户"
)
_WEAK: Final = r"account|acct|(?<![a-z])a/c|konto|compte|cuenta|conta|rekening|rachunek"
_STRONG_LABEL = label(_STRONG)
_WEAK_LABEL = label(_WEAK)

_VALUE = re.compile(
    r"(?=[0-9])(?<![0-9A-Za-z.,$€£¥+*•-])(?<![$€£¥*•xX] )"
    r"(?:[0-9]{5,20}(?:-[0-9Xx]{1,4})?(?:/[0-9]{3,4}(?![0-9]))?"
    r"|[0-9]{1,5}(?:[ -][0-9]{1,8}){1,6}|[0-9]{1,6}/[0-9]{5,10})"
    r"(?![0-9A-Za-z%]|[.,:/][0-9])"
)
_GLUED = re.compile(r"(?:account|acct)(?:no|num|number|nr)?([0-9]{6,17})(?![0-9A-Za-z])", re.IGNORECASE)
_HINT = re.compile(
    r"acc(?:oun)?t|acc(?:ount)?[ _.#-]|a/c|iban|ac[ .]|kont[oa]|kto|compte|cuenta|conta|conto|c/c|rekening|rachun|tilin"
    r"|reiknings|slo|hesap|loan|mortgage|口座|普通|账|帳"
)
"""A piece of a label, in lower case: where none is near, labels need not be looked for."""

_SHIFT = 8
"""How far lower case may shift a place: a few letters become two."""

_DATE = re.compile(
    r"(?:19|20)[0-9]{2}[-/ ]?(?:0[1-9]|1[0-2])[-/ ]?(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0?[1-9]|[12][0-9]|3[01])[-/ ](?:0?[1-9]|[12][0-9]|3[01])[-/ ](?:19|20)?[0-9]{2}"
)
_MESSAGE = re.compile(r":5[0-9][A-Z]?:/(?:[A-Z]/)?([A-Z0-9][A-Z0-9 -]{4,33})(?=\n|:|$)", re.MULTILINE)
"""The account line of a party in a SWIFT MT message."""


@RECOGNIZERS.register("bank_account")
@final
class BankAccount:
    """Numbers that a text or a key calls an account, in a dozen languages; "ending 1234" is no number."""

    name = "bank_account"
    types = ("BANK_ACCOUNT",)
    trigger = (
        r"(?i)acc(?:oun|t|[ _-]?n)|acct|\ba/?c\b|a/c|konto|kto|compte|cuenta|conta|conto|c/c|rekening"
        r"|rachun|tilin|reiknings|slo [úu]|hesap|loan|mortgage|iban|口座|普通|账|帳|:5\d"
    )
    version = "1"
    examples = (
        "account number ⟦12345678⟧",
        "Acct #⟦000123456789⟧ is closed",
        '{"accountNumber": "⟦0012345678⟧", "account_no": ⟦98765432⟧}',
        "my checking account ⟦4455667788⟧",
        "A/C No. ⟦1234-5678-90⟧",
        "Kontonummer: ⟦0532013000⟧",
        "Agência 1234, conta corrente ⟦12345-6⟧",
        "numéro de compte ⟦12345678901⟧",
        "口座番号 ⟦1234567⟧",
        ":59:/⟦12345678⟧\nJANE DOE",
        "from_account=⟦12345678⟧",
        "account⟦4471902231⟧",
        "IBAN without country: ⟦370400440532013000⟧",
    )
    counter_examples = (
        "account ending 1234",
        "account ****1234",
        "account of 500000 dollars",
        "account 2024-06-01",
        "account balance 1234567",
        "account 123456.78",
        "the accounts of 2024",
        "on account of 12345678",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find announced account numbers."""
        found = []
        hints = [match.end() for match in _HINT.finditer(text.lower())]
        for match in _VALUE.finditer(text):
            last = bisect.bisect(hints, match.start() + _SHIFT)
            if not last or hints[last - 1] < match.start() - LABEL_CHARS - _SHIFT:
                continue
            digits = sum(map(str.isdigit, match[0]))
            if not 5 <= digits <= 24 or _DATE.fullmatch(match[0]):
                continue
            if labelled(_STRONG_LABEL, text, match.start()):
                found.append(Detection(*match.span(), "BANK_ACCOUNT", 0.85, self.name, validated=True))
            elif digits >= 6 and labelled(_WEAK_LABEL, text, match.start()):
                found.append(Detection(*match.span(), "BANK_ACCOUNT", 0.75, self.name))
        glued = (match.span(1) for match in _GLUED.finditer(text) if not _DATE.fullmatch(match[1]))
        found += [Detection(*span, "BANK_ACCOUNT", 0.75, self.name) for span in glued]
        return found + [
            Detection(*match.span(1), "BANK_ACCOUNT", 0.8, self.name, validated=True)
            for match in _MESSAGE.finditer(text)
            if any(map(str.isdigit, match[1]))
        ]
