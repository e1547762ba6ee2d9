"""Spans from the classifier's label probabilities: words to names, and what is none after all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from redaction.detection import Detection
from redaction.ner.encoding import GAPS, Encoded

Floats = NDArray[np.float32]

_EDGES: Final = " \t\r\n.,;:!?\"'()[]{}<>|/\\-–—*=#_"
"""Marks that a name neither begins nor ends with; a full stop behind "Inc" stays."""

_OF_NAMES: Final = " .'’-"
"""Signs that stand in names."""

_MASKED: Final = re.compile(r"[xX*#\s./,-]+")

_REGION: Final = re.compile(
    r"(?:North|South|East|West)ern (?=[A-Z])"
    r"(?!Ireland|Territor|Australia|Cape|Sahara|Mariana|Isles|Samoa|Province|Hemisphere|Region|District)"
)
"""Which part of a country is meant tells nothing, unless it is part of a name."""

_TERMS: Final = frozenset(
    (  # noqa: SIM905
        "aba ach aml apr apy atm bic bin cd cfpb cvv dob ein eur fdic fico gbp hmrc iban id irs isin itin kyc lei nino "
        "otp pan pin rtn sec sepa sort ssn swift uetr url usd visa vat w-2 wire northern southern eastern western"
    ).split()
)
"""Words of the trade, and sides of the compass, that a small model takes for names of their own."""

_FLOORS: Final = {"ORGANIZATION": 0.65, "LOCATION": 0.55, "NRP": 0.7, "PERSON": 0.5, "STREET_ADDRESS": 0.5}
"""Spans are left below these scores: capitals at odd places look like firms and towns."""

_NAME_TYPES: Final = frozenset({"PERSON", "ORGANIZATION", "LOCATION"})
"""Types of one name that its words may be taken for one by one: the words vote."""
_BESIDE_GAPS: Final = (GAPS.index("none"), GAPS.index("space"))

_CODES: Final = frozenset({"PHONE_NUMBER", "ZIP_CODE"})
_PLACES: Final = frozenset({"LOCATION", "STREET_ADDRESS"})
_BESIDE: Final = 4
_CODE_SCORE: Final = 0.45
"""Numbers are the recognizers' to name: what they say of one, however unsure, counts for more."""

_PHONE_DIGITS: Final = 7
"""A number with fewer is no telephone number, but may be a postcode."""


@final
class Spans:
    """Makes spans.

    Args:
        labels: the classifier's labels: ``O``, ``B-PERSON``, ``I-PERSON`` ...
        types: the types that are reported; words of all others count as none.
        source: who found it.
        floor: words whose probability of being of any type is lower are left.
    """

    def __init__(self, labels: Sequence[str], types: Sequence[str], source: str, floor: float) -> None:
        self._types, self._source, self._floor = types, source, floor
        self._first = [labels.index(f"B-{type_}") for type_ in types]
        self._further = [labels.index(f"I-{type_}") for type_ in types]
        self._names = [number for number, type_ in enumerate(types) if type_ in _NAME_TYPES]
        self._begins = [number for number, label in enumerate(labels) if label.startswith("B-")]

    def of(self, texts: Sequence[str], words: Encoded, scores: Floats) -> list[list[Detection]]:
        """Spans of each text: neighbouring words of one type, or of one name, until a word begins a new one.

        Args:
            texts: the texts.
            words: the same, encoded.
            scores: [pieces, labels] probabilities.
        """
        found: list[list[Detection]] = [[] for _ in texts]
        if not len(words.first):
            return found
        sizes = np.diff(np.append(words.first, len(words.ids)))
        by_type = np.add.reduceat(scores[:, self._first] + scores[:, self._further], words.first) / sizes[:, None]
        personal = by_type.sum(-1)
        chosen = np.flatnonzero(personal >= self._floor)
        by_type, personal = by_type[chosen], personal[chosen]
        types = by_type.argmax(-1)
        begins = scores[words.first[chosen]][:, self._begins].sum(-1) > personal / 2
        after = np.append(-1, words.ends)[chosen]  # where the word before ends
        names = np.isin(types, self._names)
        beside = np.isin(words.features[words.first[chosen]] % len(GAPS), _BESIDE_GAPS)
        one_name = names & np.append(False, names[:-1]) & beside
        joined = (
            (np.diff(chosen, prepend=-2) == 1)
            & ((np.diff(types, prepend=-1) == 0) | one_name)
            & (np.diff(words.owners[chosen], prepend=-1) == 0)
            & (~begins | (words.starts[chosen] == after))
        )
        heads = np.flatnonzero(~joined)
        if not len(heads):
            return found
        means = np.add.reduceat(personal, heads) / np.diff(np.append(heads, len(chosen)))
        lasts = np.append(heads[1:], len(chosen)) - 1
        starts, ends = words.starts[chosen[heads]], words.ends[chosen[lasts]]
        types = np.add.reduceat(by_type, heads).argmax(-1)
        columns = words.owners[chosen[heads]], types, starts, ends, means
        for owner, type_, start, end, score in zip(*(column.tolist() for column in columns), strict=True):
            if detection := self._detection(texts[owner], start, end, self._types[type_], score):
                found[owner].append(detection)
        return [_placed(of_one) for of_one in found]

    def _detection(self, text: str, start: int, end: int, type_: str, score: float) -> Detection | None:
        start, end = _trimmed(text, start, end)
        if type_ == "LOCATION" and (region := _REGION.match(text, start, end)):
            start = region.end()
        piece = text[start:end]
        if not piece or piece.lower() in _TERMS or _MASKED.fullmatch(piece) or _is_garbled(piece):
            return None
        if type_ == "PHONE_NUMBER" and sum(map(str.isdigit, piece)) < _PHONE_DIGITS:
            type_ = "ZIP_CODE"
        score = min(_CODE_SCORE if type_ in _CODES else 1.0, score)
        return Detection(start, end, type_, score, self._source) if score >= _FLOORS.get(type_, 0.0) else None


def _is_garbled(piece: str) -> bool:
    """Whether it is a sign that was decoded wrongly (three characters for a dash): one letter among symbols."""
    return sum(map(str.isalpha, piece)) <= 1 and any(not (c.isalnum() or c in _OF_NAMES) for c in piece)


def _placed(found: list[Detection]) -> list[Detection]:
    """Without the numbers that no place stands beside: alone they are amounts and times as well as postcodes."""
    if not any(d.type in _CODES for d in found):
        return found
    places = [(d.start, d.end) for d in found if d.type in _PLACES]
    return [
        d
        for d in found
        if d.type not in _CODES
        or any(abs(d.start - end) <= _BESIDE or abs(start - d.end) <= _BESIDE for start, end in places)
    ]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without marks at its edges; the full stop of an abbreviation stays."""
    piece = text[start:end]
    kept = piece.rstrip(_EDGES)
    if len(kept) < len(piece) and piece[len(kept)] == "." and kept[-4:].strip(" .").istitle():
        kept = piece[: len(kept) + 1]
    return start + len(piece) - len(piece.lstrip(_EDGES)), start + len(kept)
