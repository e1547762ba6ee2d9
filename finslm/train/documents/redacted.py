"""Documents as the model sees them: redacted as in serving, with their fields where they stand then."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple, final

from finslm.train.documents.generate import Document
from redaction import Redacted, Redactor
from redaction.operators import PLACEHOLDER

_TOGETHER: Final = 64
"""Documents that are redacted at once."""


@final
class Seen(NamedTuple):
    """A document before and after redaction.

    Args:
        raw: as it was written.
        seen: its text redacted; a field of which a part was replaced covers the whole placeholder.
        redacted: what restores it; None for one that is read as it is.
    """

    raw: Document
    seen: Document
    redacted: Redacted | None


def as_served(documents: Iterator[Document], redactor: Redactor) -> Iterator[Seen]:
    """Redact documents."""
    while batch := list(islice(documents, _TOGETHER)):
        for document, redacted in zip(batch, redactor.redact_batch([each.text for each in batch]), strict=True):
            yield Seen(document, moved(document, redacted), redacted)


def moved(document: Document, redacted: Redacted) -> Document:
    """The document with its redacted text."""
    places = places_of(redacted)
    spans: list[tuple[int, int, str]] = []
    for start, end, field in document.spans:
        first, last = moved_at(start, places)[0], moved_at(end - 1, places)[1]
        if not spans or first >= spans[-1][1]:  # two fields in one placeholder: the first has it
            spans.append((first, last, field))
    return replace(document, text=redacted.text, spans=tuple(spans))


def places_of(redacted: Redacted) -> list[tuple[int, int, int, int]]:
    """Of each replaced piece: start and end in the raw text, start and end of its placeholder."""
    places, shift = [], 0
    for found in redacted.detections:
        start = found.start + shift
        match = PLACEHOLDER.match(redacted.text, start)
        if match is None:
            raise AssertionError("a policy that trains has placeholders only")
        places.append((found.start, found.end, start, match.end()))
        shift = match.end() - found.end
    return places


def moved_at(at: int, places: Sequence[tuple[int, int, int, int]]) -> tuple[int, int]:
    """Where a character of the raw text is now: itself, or the placeholder that it is in."""
    number = bisect_right(places, at, key=lambda place: place[0]) - 1
    if number < 0:
        return at, at + 1
    _, end, new_start, new_end = places[number]
    if at < end:
        return new_start, new_end
    return at - end + new_end, at - end + new_end + 1
