"""Card numbers whose digits are all there, but not in a row: parted by signs or words, reversed, in halves, misread.

All that a number must pass elsewhere it must pass here, and a card must be spoken of before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS
from redaction.recognizers.card_rules import CARD_LABEL, LuhnSums, card_words, issuer_lengths

_WIDE: Final = r"(?:[^0-9A-Za-z]{1,6}|[ \t]{7,200})"
_PARTED = re.compile(
    rf"(?<![0-9])[0-9]{{4}}(?:{_WIDE}[0-9]{{4}}(?:{_WIDE}[0-9]{{4}}){{2}}|{_WIDE}[0-9]{{6}}{_WIDE}[0-9]{{5}})(?![0-9])"
)
"""The groups of a card, whatever marks part them."""
_WORDED = re.compile(r"(?<![0-9])([0-9]{4})(?:[^0-9\n]{1,20}([0-9]{4}))(?:[^0-9\n]{1,20}([0-9]{4})){2}(?![0-9])")
_GROUP = re.compile(r"[0-9]{4}")
_REVERSED = re.compile(r"[0-9](?<![0-9A-Za-z].)(?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")
_BACKWARDS = re.compile(r"backward|reverse|right to left|r[üu]ckw[äa]rts|l'envers|al rev[ée]s", re.IGNORECASE)
_HALF = re.compile(
    r"(?:first|last) (?:8|eight|half)(?: digits)?(?: are| is)?[ :=]{1,3}([0-9]{4}[ -]?[0-9]{4})"
    r"(?![0-9A-Za-z]|[ -][0-9])",
    re.IGNORECASE,
)
_FIELD_2 = re.compile(
    r"(?<![A-Za-z0-9])(?:f|de|bit|field)[ _]?0{0,2}2[ =:]{1,3}(1[2-9])([0-9]{12,19})(?![0-9])", re.IGNORECASE
)
"""Field 2 of an ISO 8583 message: the length of the number, two digits, and the number."""
_MISREAD: Final = str.maketrans("OoQDlI|ZzAsSbGTBgq", "000011122455667899")
_SCANNED = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ -]?[0-9OoQDlI|ZzAsSbGTBgq]){12,18}(?![0-9A-Za-z])")
_LEAST_READ: Final = 8
"""Digits of a misread number that are still digits."""
_NEAR: Final = 60
_LABEL_CHARS: Final = 32


@RECOGNIZERS.register("disguised_card_number")
@final
class DisguisedCardNumber:
    """Card numbers by scheme prefix, length and Luhn, where the text hides that they are one number."""

    name = "disguised_card_number"
    types = ("CREDIT_CARD",)
    trigger = (
        r"[0-9]{4}[^0-9A-Za-z]+(?:[0-9]{4}[^0-9A-Za-z]+[0-9]{4}|[0-9]{6})"
        r"|(?i:card|cart|karte|tarjeta|pan|visa|mastercard|amex|maestro)[^0-9\n]{0,24}[0-9](?:\D{0,20}[0-9]){7}"
        r"|(?i)backward|reverse|right to left|ckw.rts|l'envers|al rev|(?:first|last) (?:8|eight|half)"
        r"|(?:f|de|bit|field)[ _]?0{0,2}2[ =:]{1,3}1[2-9][0-9]{12}"
    )
    version = "1"
    examples = (
        "card number (⟦4111)(1111)(1111)(1111⟧)",
        "card ⟦4111:1111:1111:1111⟧",
        "Card no.\n⟦4111 1111\n\n1111 1111⟧",
        "amex ⟦3782, 822463, 10005⟧",
        "card ⟦4111⟧ (a Visa) ⟦1111⟧ then ⟦1111⟧ and ⟦1111⟧",
        "read the card backwards: ⟦3091979528939354⟧",
        "card last 8: ⟦1111 1111⟧, first 8: ⟦4111 1111⟧",
        "F2=16⟦4111111111111111⟧ F14=2809",
        "card ⟦453g3g825g7g1g03⟧ from the scan",
    )
    counter_examples = (
        "years 2021, 2022, 2023, 2024",
        "4111:1111:1111:1111",
        "card 4111:1111:1111:1112",
        "card fees 2019, 2020, 2021, 2022",
        "backwards: 3091979528939354",
        "the last 8: 1111 1111",
        "card ending 4111, limit 1111 of 1111 and 1111",
        "F2=164111111111111112",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find disguised card numbers."""
        spans = {*_parted(text), *_worded(text), *_reversed(text), *_halves(text), *_fields(text), *_scanned(text)}
        return [Detection(*span, "CREDIT_CARD", 0.9, self.name, validated=True) for span in sorted(spans)]


def _is_card(written: str) -> bool:
    digits = "".join(filter(str.isdigit, written))
    return issuer_lengths(digits[:4]).get(len(digits), False) and LuhnSums(digits).holds(0, len(digits))


def _spoken_of(text: str, start: int) -> bool:
    return bool(card_words(text, start - _NEAR, start))


def _labelled(text: str, start: int) -> bool:
    return CARD_LABEL.search(text, max(0, start - _LABEL_CHARS), start) is not None


def _parted(text: str) -> Iterator[tuple[int, int]]:
    for match in _PARTED.finditer(text):
        if _is_card(match[0]) and _spoken_of(text, match.start()):
            yield match.span()


def _worded(text: str) -> Iterator[tuple[int, int]]:
    """The groups one by one, without the words between them."""
    for match in _WORDED.finditer(text):
        if any(map(str.isalpha, match[0])) and _is_card(match[0]) and _labelled(text, match.start()):
            yield from (group.span() for group in _GROUP.finditer(text, *match.span()))


def _reversed(text: str) -> Iterator[tuple[int, int]]:
    if not _BACKWARDS.search(text):
        return
    for match in _REVERSED.finditer(text):
        said = _BACKWARDS.search(text, max(0, match.start() - _NEAR), match.end() + _NEAR)
        if said and _is_card(match[0][::-1]) and _spoken_of(text, match.start()):
            yield match.span()


def _halves(text: str) -> Iterator[tuple[int, int]]:
    return (match.span(1) for match in _HALF.finditer(text) if _spoken_of(text, match.start()))


def _fields(text: str) -> Iterator[tuple[int, int]]:
    for match in _FIELD_2.finditer(text):
        if len(match[2]) == int(match[1]) and _is_card(match[2]):
            yield match.span(2)


def _scanned(text: str) -> Iterator[tuple[int, int]]:
    for match in _SCANNED.finditer(text):
        read = match[0].translate(_MISREAD)
        digits = sum(map(str.isdigit, match[0]))
        misread = read != match[0] and digits >= _LEAST_READ
        if misread and _is_card(read) and _labelled(text, match.start()):
            yield match.span()
