"""Notes as the model sees them: the text redacted as in serving, the summary with what stands in the text then."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice, pairwise
from typing import Final

from finslm.train.documents.redacted import moved_at, places_of
from finslm.train.notes.note import Note, Spans
from redaction import Redacted, Redactor

_TOGETHER: Final = 64
"""Notes that are redacted at once."""
SHARED: Final = "two facts in one placeholder"
UNLIKE: Final = "a value is replaced in one place and not in another"
RAW: Final = "a replaced value stands in the summary"


def as_served(
    notes: Iterator[Note], redactor: Redactor, left_out: Counter[str] | None = None
) -> Iterator[tuple[Note, Note, Redacted]]:
    """Redact notes: each as it was written, as the model sees it, and what restores it.

    Args:
        notes: as they were written.
        redactor: of a policy that has placeholders only.
        left_out: counts those that are left out, by reason: :data:`SHARED`, :data:`UNLIKE`, :data:`RAW`.
    """
    counts = Counter[str]() if left_out is None else left_out
    while batch := list(islice(notes, _TOGETHER)):
        for note, redacted in zip(batch, redactor.redact_batch([each.text for each in batch]), strict=True):
            seen = moved(note, redacted)
            if isinstance(seen, Note):
                yield note, seen, redacted
            else:
                counts[seen] += 1


def moved(note: Note, redacted: Redacted) -> Note | str:
    """The note as it is seen after redaction, or why there is none."""
    places = places_of(redacted)
    facts = tuple((moved_at(start, places)[0], moved_at(end - 1, places)[1], name) for start, end, name in note.facts)
    if any(start < end for (_, end, _), (start, _, _) in pairwise(facts)):
        return SHARED
    now: dict[tuple[str, str], str] = {}
    for (start, end, name), (first, last, _) in zip(note.facts, facts, strict=True):
        stands = redacted.text[first:last]
        if now.setdefault((name, note.text[start:end]), stands) != stands:
            return UNLIKE
    summary, said = _rewritten(note, now)
    if any(_stands_in(value, summary) for value in redacted.placeholders.values()):
        return RAW
    return Note(note.kind, note.structure, redacted.text, summary, facts, said)


def _rewritten(note: Note, now: Mapping[tuple[str, str], str]) -> tuple[str, Spans]:
    """The summary with what stands for each of its values now."""
    pieces, spans, at, length = [], [], 0, 0
    for start, end, name in note.said:
        value = now[name, note.summary[start:end]]
        length += start - at
        spans.append((length, length + len(value), name))
        pieces += [note.summary[at:start], value]
        at, length = end, length + len(value)
    return "".join([*pieces, note.summary[at:]]), tuple(spans)


def _stands_in(value: str, summary: str) -> bool:
    """Whether a replaced value stands in the summary as a word of its own; letter case does not count."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", summary, re.IGNORECASE) is not None
