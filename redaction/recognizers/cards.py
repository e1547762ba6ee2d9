"""Payment card numbers, also badly typed or badly read ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple, final

from redaction.detection import Detection
from redaction.recognizers.base import CUE_CHARS, RECOGNIZERS
from redaction.recognizers.card_rules import (
    CARD_LABEL,
    LuhnSums,
    card_words,
    is_grouping,
    is_other,
    issuer_lengths,
)
from redaction.recognizers.iban import iban_spans

_SEPARATOR = "(?:[ \t-]?\n[ \t]?|\r\n| [-./] |[ .\u00a0\u202f/-])"
_RUN = re.compile(rf"[0-9](?<![0-9].)(?:{_SEPARATOR}?+[0-9]){{11,}}+")
_MISREAD: Final = {"O": "0", "o": "0", "l": "1", "I": "1", "|": "1", "S": "5", "B": "8"}
_LOOKALIKE: Final = r"(?:[0-9|]|[OoIlSB](?![AC-HJ-NP-RT-Za-kmnp-z]))"
"""A digit, or a letter that is taken for one; not where a word begins with it."""
_MISREAD_RUN = re.compile(rf"[0-9S](?<![A-Za-z0-9].)(?:{_SEPARATOR}?+{_LOOKALIKE}){{11,}}+(?![A-Za-z0-9])")
_MOST_MISREAD = 4
_GLUED_CHARS = 20
_LONGEST = 19
_LONG_ROW = 100
_LIKELY = 0.5
_NEAR_LENGTHS: Final = range(13, 20)
"""Lengths in which a number that fails Luhn may still be a card's: with 12 digits it is more often a phone."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the rest (ISO/IEC 7812-1 annex B)."""
    return LuhnSums(digits).holds(0, len(digits))


@final
class _Run:
    """A row of digits of a text, where each stands, the nearest words for a card on both sides, IBANs around."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.start = text, start
        self.places = [i for i in range(start, end) if text[i].isalnum() or text[i] == "|"]
        self.digits = "".join([_MISREAD.get(text[i], text[i]) for i in self.places])
        before = card_words(text, start - CUE_CHARS, start)
        after = card_words(text, end, end + CUE_CHARS)
        self._cue_before = before[-1][0] if before else -2 * CUE_CHARS
        self._cue_after = after[0][1] if after else len(text) + 2 * CUE_CHARS

    @cached_property
    def ibans(self) -> list[tuple[int, int]]:
        return iban_spans(self.text, self.start)

    def borders(self) -> list[int]:
        """Where groups begin; the end of the digits as the last."""
        places = self.places
        return [0, *(n for n in range(1, len(places)) if places[n] != places[n - 1] + 1), len(places)]

    def cued(self, start: int, end: int) -> bool:
        """Whether a word for a card stands near."""
        return start - self._cue_before <= CUE_CHARS or self._cue_after - end <= CUE_CHARS


@final
class _Window(NamedTuple):
    """Whole groups of a run that may be one number. ``main``: see :func:`issuer_lengths`."""

    run: _Run
    bounds: list[int]
    digits: str
    start: int
    end: int
    main: bool | None
    cued: bool

    def right(self) -> tuple[float, bool] | None:
        """Score of a number that passes Luhn, and whether that proves it."""
        if self._inside_iban():
            return None
        if self.cued and (self.main or self._is_all() or len(self.bounds) == 2):
            return (0.9 if self.main is None else 1.0), True
        if not self._whole_number() or self._is_other() or self._glued():
            return 0.3, False
        if self.main:
            return 1.0, True
        return (0.5 if self._is_all() and len(self.digits) > 12 else 0.3), False

    def wrong(self) -> tuple[float, bool] | None:
        """The same of a number that fails Luhn."""
        whole = self._is_all()
        printed = bool(self.main) and whole and tuple(self._sizes()) in {(4, 4, 4, 4), (4, 6, 5)}
        if len(self.digits) not in _NEAR_LENGTHS or not (self.cued or printed) or self._is_other():
            return None
        if self._inside_iban():
            return None
        if self.cued and CARD_LABEL.search(self.run.text, max(0, self.start - 32), self.start):
            return (0.5 if self.main is None else 0.6) if whole or self.main else 0.4, False
        if self.cued and whole and self.main is not None:
            return 0.55, False
        return (0.5, False) if printed and not self._glued() else None

    def _inside_iban(self) -> bool:
        return any(start <= self.start and self.end <= end for start, end in self.run.ibans)

    def _is_all(self) -> bool:
        """Whether no more groups stand before or behind: a part of a longer number proves less."""
        return self.bounds[0] == 0 and self.bounds[-1] == len(self.run.digits)

    def _sizes(self) -> list[int]:
        return [after - before for before, after in pairwise(self.bounds)]

    def _whole_number(self) -> bool:
        """Whether the groups are those of a card, a line break being either between two groups or inside one."""
        places, inner = self.run.places, self.bounds[1:-1]
        on_a_line = [b for b in inner if "\n" not in self.run.text[places[b - 1] : places[b]]]
        unbroken = [self.bounds[0], *on_a_line, self.bounds[-1]]
        return is_grouping(self._sizes()) or is_grouping([after - before for before, after in pairwise(unbroken)])

    def _is_other(self) -> bool:
        divided_as_printed = len(self.bounds) > 2 and is_grouping(self._sizes())
        return not divided_as_printed and is_other(self.run.text, self.start, self.end, self.digits)

    def _glued(self) -> bool:
        """Letters directly before or behind: a code of some other kind, unless it is one long main number."""
        text, first, last = self.run.text, self.start, self.end
        while first > 0 and self.start - first < _GLUED_CHARS and text[first - 1].isalnum():
            first -= 1
        while last < len(text) and last - self.end < _GLUED_CHARS and text[last].isalnum():
            last += 1
        letters = text[first : self.start] + text[self.end : last]
        return bool(letters) and not (self.main and len(self.bounds) == 2 and letters.isalpha())


def _windows(run: _Run, borders: list[int], group_at: dict[int, int], at: int) -> Iterator[_Window]:
    """Every row of 12 to 19 digits from group ``at`` on that a scheme issues or a word calls a card."""
    first = borders[at]
    issued = issuer_lengths(run.digits[first : first + 4])
    start = run.places[first]
    if not issued and not run.cued(start, start + 2 * _LONGEST):
        return
    for length in range(12, _LONGEST + 1):
        last = group_at.get(first + length)
        if last is None:
            continue
        end = run.places[borders[last] - 1] + 1
        main, cued = issued.get(length), run.cued(start, end)
        if main is not None or cued:
            digits = run.digits[first : first + length]
            yield _Window(run, borders[at : last + 1], digits, start, end, main, cued)


def _best(windows: Iterator[_Window], sums: LuhnSums, source: str, most: float) -> Detection | None:
    """The best of what begins at one place, made as long as the longest that is likely to be a card's."""
    best: Detection | None = None
    end = 0
    for window in windows:
        judged = window.right() if sums.holds(window.bounds[0], window.bounds[-1]) else window.wrong()
        if judged is None:
            continue
        if judged[0] >= _LIKELY:
            end = max(end, window.end)
        if best is None or judged[0] >= best.score:
            proven = judged[1] and most == 1.0
            best = Detection(window.start, window.end, "CREDIT_CARD", min(most, judged[0]), source, proven)
    return replace(best, end=end) if best and end > best.end else best


def _found(run: _Run, source: str, *, most: float = 1.0) -> list[Detection]:
    """The card numbers of a run, each of whole groups; of those that begin together the best.

    In a row far longer than any card, all that could begin inside a finding is covered along with it, and
    the search goes on behind: as safe, and quick on hostile rows.
    """
    borders, sums = run.borders(), LuhnSums(run.digits)
    group_at = {border: n for n, border in enumerate(borders)}
    found = []
    skip_to = 0
    for at in range(len(borders) - 1):
        if run.places[borders[at]] < skip_to:
            continue
        best = _best(_windows(run, borders, group_at, at), sums, source, most)
        if best is not None and best.score >= _LIKELY and len(run.digits) > _LONG_ROW:
            skip_to = best.end
            end = run.places[min(borders[at] + 2 * _LONGEST, len(run.digits)) - 1] + 1
            best = replace(best, end=end)
        if best is not None:
            found.append(best)
    return found


@RECOGNIZERS.register("card_number")
@final
class CardNumber:
    """Primary account numbers: scheme prefix, its lengths, Luhn; digits may be parted, also one by one.

    Where a card is named or the groups are those of a card, one with a wrong digit is found too. Numbers that
    fit by chance (times, amounts, fractions, order numbers, the inside of an IBAN) score below any threshold.
    """

    name = "card_number"
    types = ("CREDIT_CARD",)
    trigger = rf"[0-9](?:{_SEPARATOR}?[0-9]){{11}}"
    version = "2"
    examples = (
        "paid with ⟦4111 1111 1111 1111⟧ on Monday",
        "⟦2223-0031-2200-3222⟧ is a 2-series Mastercard",
        "amex ⟦378282246310005⟧, exp 12/26",
        "⟦4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1⟧",
        "card ⟦4111.1111.1111.1111⟧ 12/26",
        "paid by ⟦4111/1111/1111/1111⟧",
        "card_⟦4111111111111111⟧_x",
        "to ⟦4111 1111\n1111 1111⟧ today",
        "card ⟦4111 1111 1111 1112⟧ is mistyped",
        "What is the limit for card ⟦501864667909⟧?",
    )
    counter_examples = (
        "at 1699999999999 ms since the epoch",
        "the order 12345678901234567890123",
        "20240601123045 started",
        "DE89 3704 0044 0532 0130 00",
        "number 4111111111111112",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find card numbers, in each run of digits every one that begins and ends with a group of it."""
        found = []
        for match in _RUN.finditer(text):
            found += _found(_Run(text, *match.span()), self.name)
        return found


@RECOGNIZERS.register("misread_card_number")
@final
class MisreadCardNumber:
    """Card numbers in which up to four digits were read as letters: O for 0, l or I for 1, S for 5, B for 8."""

    name = "misread_card_number"
    types = ("CREDIT_CARD",)
    trigger = rf"[0-9S](?:{_SEPARATOR}?[0-9OoIlSB|]){{11}}"
    version = "1"
    examples = (
        "card ⟦4111 1111 11l1 1111⟧",
        "⟦4OO0 0566 5566 5556⟧",
        "paid with ⟦SS00 0000 0000 0004⟧",
        "card ⟦4111111111I11111⟧ on file",
    )
    counter_examples = ("4111 1111 1111 1111", "ISO 20022 BIS 2024 SOLOIL", "O0O0O0O0O0O0O0O0")

    def detect(self, text: str) -> list[Detection]:
        """Find runs of digits and lookalikes that read as a card number."""
        found = []
        for match in _MISREAD_RUN.finditer(text):
            letters = sum(map(match[0].count, _MISREAD))
            if 0 < letters <= _MOST_MISREAD and re.search(r"(?:[0-9]\W{0,3}){3}", match[0]):
                found += [d for d in _found(_Run(text, *match.span()), self.name, most=0.6) if d.score >= _LIKELY]
        return found
