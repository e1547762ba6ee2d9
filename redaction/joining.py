"""Neighbouring findings that are one: first and last name, the lines of an address, a name's own accents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from redaction.detection import Detection, rank

_ADDRESS: Final = "STREET_ADDRESS"
_OF_ADDRESS: Final = frozenset({_ADDRESS, "LOCATION", "ZIP_CODE", "UK_POSTCODE"})
_TIED: Final = frozenset({"PERSON", "ORGANIZATION", "LOCATION"})
_ADDRESS_JOINS: Final = re.compile(r"[ \t]{0,3}[,;]?[ \t]{0,3}(?:\r?\n[ \t]{0,3})?")
_PERSON_JOINS: Final = re.compile(r" |['’.-]|\. ")
"""What may stand between two parts of one name or address: a recognizer finds "Ada" and "Lovelace" apart."""


def join_adjacent(merged: Sequence[Detection], text: str, *, yielding: frozenset[str] = frozenset()) -> list[Detection]:
    """Join neighbours that only a space or the like parts: first and last name; the lines of a postal address.

    Args:
        merged: sorted, without overlaps.
        text: the text.
        yielding: types that are left in the text; they join nothing else.
    """
    if len(merged) < 2:
        return list(merged)
    joined: list[Detection] = []
    for detection in _addresses(merged, text, yielding):
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.type == detection.type == "PERSON"
            and _touch(_PERSON_JOINS, last, detection, text)
        ):
            joined[-1] = max(last, detection, key=rank).at(last.start, detection.end)
        else:
            joined.append(detection)
    return joined


def with_marks(merged: Sequence[Detection], text: str) -> list[Detection]:
    """Let each span take the invisible characters and accents right behind it: they belong to its last character."""
    if not merged or text.isascii():
        return list(merged)
    ends = [match.end() if (match := _MARKS.match(text, d.end)) else d.end for d in merged]
    starts = [*(d.start for d in merged[1:]), len(text)]
    return [d.at(d.start, min(end, start)) for d, end, start in zip(merged, ends, starts, strict=True)]


_MARKS: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u200b-\u200f\u20d0-\u20ff\u2060-\u2064\ufe00-\ufe0f\ufeff]+")


def _addresses(merged: Sequence[Detection], text: str, yielding: frozenset[str]) -> Iterator[Detection]:
    """One span per postal address: street, place and code in a row, a street among them."""
    row: list[Detection] = []
    for detection in _compounds(merged, text):
        part = detection.type in _OF_ADDRESS and detection.type not in yielding
        if row and not (part and _touch(_ADDRESS_JOINS, row[-1], detection, text)):
            yield from _as_one(row)
            row = []
        if part:
            row.append(detection)
        else:
            yield detection
    yield from _as_one(row)


def _compounds(merged: Sequence[Detection], text: str) -> Iterator[Detection]:
    """A name that a hyphen ties to a street is the street's: "Ada-Lovelace-Weg 8"."""
    last: Detection | None = None
    for detection in merged:
        if last is not None and detection.type == _ADDRESS and last.type in _TIED and _tied(last, detection, text):
            last = detection.at(last.start, detection.end)
            continue
        if last is not None:
            yield last
        last = detection
    if last is not None:
        yield last


def _tied(left: Detection, right: Detection, text: str) -> bool:
    between = text[left.end : right.start]
    return between == "-" or (not between and "-" in (text[left.end - 1], text[right.start]))


def _as_one(row: Sequence[Detection]) -> Iterable[Detection]:
    streets = [d for d in row if d.type == _ADDRESS]
    if not streets:
        return row
    return [max(streets, key=rank).at(row[0].start, row[-1].end)]


def _touch(between: re.Pattern[str], left: Detection, right: Detection, text: str) -> bool:
    return left.end == right.start or bool(between.fullmatch(text, left.end, right.start))
