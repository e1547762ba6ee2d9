"""UK sort codes and account numbers."""

from __future__ import annotations

import re
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, cued
from redaction.recognizers.cues import label, labelled
from redaction.recognizers.uk_modulus import UkModulus

_SORT_WORDS: Final = r"sort[ _-]?(?:code|cd)|sort_?no|(?<![a-z])s/c"
_SORT_CUE = re.compile(_SORT_WORDS, re.IGNORECASE)
_SORT_LABEL = label(rf"{_SORT_WORDS}|(?<![a-z])sort")
_SORT = re.compile(r"[0-9](?<![0-9A-Za-z.,-].)[0-9]([ .-]?)[0-9]{2}\1[0-9]{2}(?![0-9A-Za-z]|[.,:-][0-9])")
_ACCOUNT = re.compile(
    r"(?=[0-9])(?<![0-9A-Za-z.,-])(?:[0-9]{8}|[0-9]{4}[ -][0-9]{4}|[0-9]{7})(?![0-9A-Za-z]|[.,:-][0-9])"
)
_ACCOUNT_LABEL = label(r"acc(?:oun)?t?s?(?:[ _-]?(?:no|num|number|nr))?|(?<![a-z])a/?c(?:[ _-]?(?:no|number))?")
_PAIR_GAP = re.compile(
    r"[\s/|,;:-]{1,4}|[\s,;/|(]{0,4}(?:and |& )?(?:bank )?(?:account|acc|a/c|acct)[^0-9\n]{0,16}", re.IGNORECASE
)
_DATE = re.compile(
    r"(?:0[1-9]|[12]\d|3[01])\D?(?:0[1-9]|1[0-2])\D?\d\d|\d\d\D?(?:0[1-9]|1[0-2])\D?(?:0[1-9]|[12]\d|3[01])"
)
_NEAR_CHARS = 100
"""How far apart a sort code and its account number may stand, code points."""


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value)


def _is_named(text: str, sort: re.Match[str]) -> bool:
    if labelled(_SORT_LABEL, text, sort.start()) or (sort[1] and cued(_SORT_CUE, text, *sort.span())):
        return True
    return _SORT_CUE.search(text, sort.end(), sort.end() + 12) is not None


@RECOGNIZERS.register("uk_bank_account")
@final
class UkBankAccount:
    """Sort code and account number, by the words around them or as a pair, and by the modulus check.

    Args:
        modulus: the check over Pay.UK's tables, which are not shipped (see :class:`UkModulus`). None: words
            and shape decide. With it, a pair that passes is proven, and one that fails scores .6: mistyped.
    """

    name = "uk_bank_account"
    types = ("UK_SORT_CODE", "UK_BANK_ACCOUNT")
    trigger = r"(?i)sort|s/c|[0-9]{2}(?:-[0-9]{2}-|\.[0-9]{2}\.| [0-9]{2} )[0-9]{2}"
    version = "1"
    examples = (
        "sort code ⟦20-00-00⟧",
        "Sort code: ⟦200000⟧, account number: ⟦55779911⟧",
        '{"sort_code": "⟦20-00-00⟧", "account_number": "⟦55779911⟧"}',
        "pay ⟦60-83-71⟧ ⟦12345678⟧ please",
        "Sort code / account: ⟦20 00 00⟧ / ⟦5577 9911⟧",
        "sortCode=⟦089999⟧&accountNumber=⟦66374958⟧",
        "⟦40-47-84⟧ (sort code)",
        "acct ⟦12345678⟧ sort ⟦20-00-00⟧",
    )
    counter_examples = ("on 20-11-24 we met", "account number 55779911", "order 12345678", "20-11-24 12345678")

    def __init__(self, modulus: UkModulus | None = None) -> None:
        self._modulus = modulus

    def detect(self, text: str) -> list[Detection]:
        """Find sort codes, and account numbers near one."""
        accounts = list(_ACCOUNT.finditer(text)) if _SORT.search(text) else []
        found: list[Detection] = []
        last = 0
        lower = text.lower()
        words = "sort" in lower or "s/c" in lower
        for sort in _SORT.finditer(text):
            if not words and (not sort[1] or _DATE.fullmatch(sort[0])):
                continue
            while last < len(accounts) and accounts[last].start() < sort.start() - _NEAR_CHARS:
                last += 1
            near = [a for a in accounts[last : last + 8] if a.start() <= sort.end() + _NEAR_CHARS]
            found += self._at(text, sort, near, words=words)
        return sorted(found, key=lambda d: d.start)

    def _at(self, text: str, sort: re.Match[str], near: list[re.Match[str]], *, words: bool) -> list[Detection]:
        divided = bool(sort[1])
        named = words and _is_named(text, sort)
        account = self._account(text, sort, near if words else near[:2])
        dateless = divided and not _DATE.fullmatch(sort[0])
        if not named and (account is None or not dateless or sort[1] == "." or account.start() < sort.end()):
            return []
        if account is None:
            return [Detection(*sort.span(), "UK_SORT_CODE", 0.85, self.name, validated=True)]
        score, proven = self._score(_digits(sort[0]), _digits(account[0]), named=named)
        return [
            Detection(*sort.span(), "UK_SORT_CODE", max(score, 0.85) if named else score, self.name, named or proven),
            Detection(*account.span(), "UK_BANK_ACCOUNT", score, self.name, proven),
        ]

    @staticmethod
    def _account(text: str, sort: re.Match[str], near: list[re.Match[str]]) -> re.Match[str] | None:
        """The account number that is named as one, or stands directly behind the sort code."""
        for account in near:
            if account.end() <= sort.start() and labelled(_ACCOUNT_LABEL, text, account.start()):
                return account
            behind = account.start() >= sort.end()
            beside = behind and _PAIR_GAP.fullmatch(text, sort.end(), account.start())
            if beside or (behind and labelled(_ACCOUNT_LABEL, text, account.start())):
                return account
        return None

    def _score(self, sort_code: str, account: str, *, named: bool) -> tuple[float, bool]:
        passed = self._modulus.check(sort_code, account) if self._modulus else None
        if passed is None:
            return (0.9, True) if named else (0.6, False)
        return (1.0, True) if passed else (0.6, False)
