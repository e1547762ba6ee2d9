"""Finds the numbers of :mod:`kinds` in one walk over a text: by shape first, so that few are ever checked."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final, final

import re2

from redaction.detection import Detection
from redaction.errors import DetectionFailed
from redaction.recognizers.base import DIGITS_6, RECOGNIZERS
from redaction.recognizers.national.kinds import KINDS, Kind

_CHUNK: Final = re.compile(r"(?<![^\W_])(?:[A-Za-z]{0,6}[0-9][0-9A-Za-z]{0,21}|[A-Z]{1,6})(?![^\W_])")
"""A piece of a number: digits, perhaps with letters, or a few capitals."""
_PARTING: Final = frozenset(" -./+()")
_MOST_CHUNKS = 8
_LONGEST = 18
_FEWEST_DIGITS = 6
_BY_CHANCE = 0.3
"""The score of a bare number whose check digit fits: one in ten does."""
_CERTAIN = 0.9

_BY_MASK: Final[dict[str, list[Kind]]] = defaultdict(list)
for _kind in KINDS:
    for _mask in _kind.masks:
        _BY_MASK[_mask].append(_kind)

_TO_MASK: Final = str.maketrans("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", "9999999999AAAAAAAAAAAAAAAAAAAAAAAAAA")


@RECOGNIZERS.register("national_number")
@final
class NationalNumber:
    """Numbers that states give to people and firms, some seventy kinds, by check digits, form and announcing words."""

    name = "national_number"
    types = tuple(sorted({kind.type for kind in KINDS}))
    trigger = DIGITS_6
    version = "1"
    examples = (
        "SSN ⟦536-22-8765⟧",
        "my social security number is ⟦536228765⟧",
        "ITIN: ⟦912-78-1234⟧",
        "NINO ⟦AB 12 34 56 C⟧",
        "⟦12345678Z⟧ (DNI)",
        "codice fiscale ⟦RSSMRA85T10A562S⟧",
        "PESEL ⟦44051401359⟧",
        "NIR ⟦2 55 08 14 168 025 38⟧",
        "NRIC ⟦S1234567D⟧",
        "CPF ⟦111.444.777-35⟧",
        "Aadhaar ⟦2341 2341 2346⟧",
        "personnummer ⟦811218-9876⟧",
    )
    counter_examples = (
        "order 123456789",
        "call 020 7946 0018",
        "1700000000 and 1700000000000",
        "invoice 2024-000123",
        "GBP 1,234,567.89",
        "ISIN US0378331005",
    )

    def __init__(self) -> None:
        self._cues: Any = re2.Set.SearchSet()
        self._cues.Add("")  # matches always: an answer without it is no answer
        for kind in KINDS:
            self._cues.Add(f"(?i){kind.cue}")
        self._cues.Compile()

    def detect(self, text: str) -> list[Detection]:
        """Find numbers."""
        rows = list(_rows(text))
        known: dict[tuple[str, str], bool] = {}  # what was checked already: hostile text repeats itself
        if not rows:
            return []
        cues = self._cues.Match(text)
        if not cues:
            raise DetectionFailed("the pass over the announcing words failed; the text was not looked at")
        announced = frozenset(KINDS[number - 1].type for number in cues if number)
        best: dict[tuple[int, int], Detection] = {}
        for detection in (d for row in rows for d in self._in_row(text, row, announced, known)):
            place = detection.start, detection.end
            if place not in best or (detection.validated, detection.score) > (best[place].validated, best[place].score):
                best[place] = detection
        return list(best.values())

    def _in_row(
        self, text: str, row: list[tuple[int, int]], announced: frozenset[str], known: dict[tuple[str, str], bool]
    ) -> Iterator[Detection]:
        for first in range(len(row)):
            number = ""
            for start, end in row[first : first + _MOST_CHUNKS]:
                number += text[start:end].upper()
                if len(number) > _LONGEST:
                    break
                for kind in _BY_MASK.get(number.translate(_TO_MASK), ()):
                    bare = max(kind.alone, kind.divided if kind.is_divided(text[row[first][0] : end]) else 0.0)
                    near = kind.type in announced and kind.announced(text, row[first][0], end)
                    if not near and bare <= _BY_CHANCE:
                        continue
                    valid = known.get((kind.type, number))
                    if valid is None:  # the check comes last, it costs most
                        valid = known[kind.type, number] = kind.valid(number)
                    score = (1.0 if near else bare) if valid else kind.wrong if near else 0.0
                    if score:
                        sure = valid and (near or kind.proves or bare >= _CERTAIN)
                        yield Detection(row[first][0], end, kind.type, score, self.name, validated=sure)


def _rows(text: str) -> Iterator[list[tuple[int, int]]]:
    """Chunks that single separators part, at least one with a digit."""
    row: list[tuple[int, int]] = []
    for match in _CHUNK.finditer(text):
        span = match.span()
        if row and (span[0] - row[-1][1] != 1 or text[row[-1][1]] not in _PARTING):
            if _has_digits(text, row):
                yield row
            row = []
        row.append(span)
    if row and _has_digits(text, row):
        yield row


def _has_digits(text: str, row: list[tuple[int, int]]) -> bool:
    return (
        row[-1][1] - row[0][0] >= _FEWEST_DIGITS
        and sum(map(str.isdigit, text[row[0][0] : row[-1][1]])) >= _FEWEST_DIGITS
    )
