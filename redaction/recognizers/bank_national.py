"""Account and bank numbers of single countries that carry check digits or a form of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from stdnum.cz import bankaccount as cz_account
from stdnum.es import ccc
from stdnum.no import kontonr
from stdnum.nz import bankaccount as nz_account

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, cued
from redaction.recognizers.iban import mod_97

_CLABE_WEIGHTS: Final = (3, 7, 1)


def clabe(digits: str) -> bool:
    """Whether a CLABE's last digit fits: products with 3, 7, 1 taken modulo 10 (Asociación de Bancos de México)."""
    total = sum(int(digit) * _CLABE_WEIGHTS[place % 3] % 10 for place, digit in enumerate(digits[:17]))
    return len(digits) == 18 and (10 - total % 10) % 10 == int(digits[17])


def nrb(digits: str) -> bool:
    """Whether a Polish account number of 26 digits has the check digits its IBAN would have."""
    return len(digits) == 26 and mod_97(f"PL{digits}") == 1


@final
@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of number.

    Args:
        type: what its detections are called.
        shape: matches a candidate; group 1, if it matched, is a separator that makes the form unmistakable.
        valid: the check; gets the candidate as it is written.
        cue: words that announce it.
        scores: valid and announced, valid and divided in its own way, only valid, announced but not valid.
    """

    type: str
    shape: re.Pattern[str]
    valid: Callable[[str], bool]
    cue: re.Pattern[str]
    scores: tuple[float, float, float, float]

    def judge(self, text: str, match: re.Match[str]) -> tuple[float, bool] | None:
        """Score and whether it is proven."""
        both, divided, plain, wrong = self.scores
        valid = self.valid(match[0])
        if not (valid or wrong):
            return None
        announced = cued(self.cue, text, *match.span())
        if not valid:
            return (wrong, False) if announced else None
        score = both if announced else divided if match[1] else plain
        return (score, announced or score == 1.0) if score else None


_GROUP = re.compile(r"[0-9](?<![0-9A-Za-z.,+-].)(?=(?:[ ./-]?[0-9]){5})")
"""Where a number may start."""


def _number(shape: str) -> re.Pattern[str]:
    """To be matched where a group starts."""
    return re.compile(rf"{shape}(?![0-9A-Za-z]|[.,/-][0-9])")


def _words(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value)


_KINDS: Final = (
    _Kind(
        "CLABE",
        _number(r"[0-9]{3}([ -]?)[0-9]{3}\1[0-9]{11}\1[0-9]"),
        lambda value: clabe(_digits(value)),
        _words(r"clabe|cuenta|interbancaria|spei"),
        (1.0, 0.5, 0.3, 0.55),
    ),
    _Kind(
        "AU_BSB",
        _number(r"[0-9]{3}([ -]?)[0-9]{3}"),
        lambda _: True,
        _words(r"(?<![a-z])bsb(?![a-z])|bsb_"),
        (0.9, 0.0, 0.0, 0.0),
    ),
    _Kind(
        "ES_CCC",
        _number(r"[0-9]{4}([ -]?)[0-9]{4}\1[0-9]{2}\1[0-9]{10}"),
        ccc.is_valid,
        _words(r"(?<![a-z])ccc(?![a-z])|cuenta"),
        (1.0, 1.0, 0.3, 0.55),
    ),
    _Kind(
        "NZ_BANK_ACCOUNT",
        _number(r"[0-9]{2}([ -]?)[0-9]{4}\1[0-9]{7}\1[0-9]{2,3}"),
        lambda value: value[0] in "01238" and nz_account.is_valid(value),  # no bank's number begins with another
        _words(r"account|acct|(?<![a-z])nz"),
        (1.0, 1.0, 0.3, 0.0),
    ),
    _Kind(
        "NO_BANK_ACCOUNT",
        _number(r"[0-9]{4}([ .]?)[0-9]{2}\1[0-9]{5}"),
        kontonr.is_valid,
        _words(r"konto|bankgiro|(?<![a-z])kto"),
        (1.0, 0.6, 0.0, 0.55),
    ),
    _Kind(
        "PL_NRB",
        _number(r"[0-9]{2}([ -]?)(?:[0-9]{4}\1){5}[0-9]{4}"),
        lambda value: nrb(_digits(value)),
        _words(r"(?<![a-z])nrb(?![a-z])|kont[oa]|rachun"),
        (1.0, 1.0, 1.0, 0.55),
    ),
    _Kind(
        "CZ_BANK_ACCOUNT",
        _number(r"(?:[0-9]{1,6}-)?[0-9]{6,10}(/)[0-9]{4}"),
        cz_account.is_valid,
        _words(r"[úu][čc]t|account"),
        (1.0, 1.0, 1.0, 0.55),
    ),
)
_ANY: Final = re.compile("|".join(kind.shape.pattern.replace(r"\1", "[ .-]?") for kind in _KINDS))
"""What any of the shapes matches, and more: separators may differ."""


@RECOGNIZERS.register("national_bank_account")
@final
class NationalBankAccount:
    """CLABE, BSB, Spanish CCC, New Zealand, Norwegian, Polish (NRB) and Czech account numbers."""

    name = "national_bank_account"
    types = tuple(kind.type for kind in _KINDS)
    trigger = r"(?i)bsb|[0-9](?:[ .-]?[0-9]){10}|[0-9]{6}/[0-9]{4}"
    version = "1"
    examples = (
        "CLABE ⟦032180000118359719⟧",
        "BSB ⟦062-000⟧, account 12345678",
        "⟦1234-1234-16-1234567890⟧",
        "CCC: ⟦12341234161234567890⟧",
        "⟦01-0242-0100194-00⟧",
        "kontonummer ⟦8601.11.17947⟧",
        "⟦61 1090 1014 0000 0712 1981 2874⟧",
        "účet ⟦19-2000145399/0800⟧",
        "clabe_interbancaria=⟦032180000118359718⟧",
    )
    counter_examples = ("062-000", "86011117947", "01-0242-0100195-00", "112233/2024", "1234-1234-17-1234567890")

    def detect(self, text: str) -> list[Detection]:
        """Find these numbers."""
        found = []
        for group in _GROUP.finditer(text):
            if _ANY.match(text, group.start()):
                found += self._at(text, group.start())
        return found

    def _at(self, text: str, start: int) -> list[Detection]:
        found = []
        for kind in _KINDS:
            match = kind.shape.match(text, start)
            judged = kind.judge(text, match) if match else None
            if match and judged:
                found.append(Detection(*match.span(), kind.type, judged[0], self.name, judged[1]))
        return found


_IFSC = re.compile(r"(?<![A-Za-z0-9])[A-Z]{4}0([A-Z0-9]{6})(?![A-Za-z0-9])", re.IGNORECASE)
_IFSC_CUE = re.compile(r"ifsc|neft|rtgs|imps", re.IGNORECASE)


@RECOGNIZERS.register("ifsc")
@final
class Ifsc:
    """Indian Financial System Code (Reserve Bank of India): four letters, a zero, six more; no check digit."""

    name = "ifsc"
    types = ("IN_IFSC",)
    trigger = r"(?i)[a-z]{4}0[a-z0-9]{6}"
    version = "1"
    examples = ("IFSC: ⟦HDFC0000123⟧", "ifsc_code=⟦sbin0001234⟧", "to ⟦ICIC0001234⟧ today")
    counter_examples = ("abcd0123456", "HDFC1000123", "HDFC00001234")

    def detect(self, text: str) -> list[Detection]:
        """Find IFSCs: announced ones, and in capitals with a number for the branch."""
        found = []
        for match in _IFSC.finditer(text):
            sure = cued(_IFSC_CUE, text, *match.span())
            if sure or (match[0].isupper() and match[1].isdigit()):
                found.append(Detection(*match.span(), "IN_IFSC", 0.9 if sure else 0.5, self.name, validated=sure))
        return found
