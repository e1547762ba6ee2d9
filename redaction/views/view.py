"""A reading of a text with its map back, and how one is made from another by edits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, final

from redaction.detection import Detection

Edit = tuple[int, int, str]
"""Start and end of what is replaced, and by what; each character of that stands for the whole of it."""

_SNAP: Final = 32
"""How much further a window may reach so that it begins and ends between words, code points."""

_ANNOUNCED: Final = 24
"""How far behind an edit what is proven may begin, code points."""


@final
@dataclass(frozen=True, slots=True)
class View:
    """One reading of a text. What is found in it is replaced in the original.

    Args:
        text: what detectors read. Its ``repr`` is hidden: it may be confidential.
        starts: per code point of ``text``, where its piece of the original begins; None: the same offsets.
        ends: per code point of ``text``, where its piece of the original ends.
        edits: sorted spans of ``text`` in which this reading differs from another one that is looked at too:
            only what overlaps or touches one of them counts, and what is proven closely behind one: it may be
            the word that announces a value. None: everything counts.
    """

    text: str = field(repr=False)
    starts: Sequence[int] | None = field(default=None, repr=False)
    ends: Sequence[int] | None = field(default=None, repr=False)
    edits: Sequence[tuple[int, int]] | None = field(default=None, repr=False)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the original's span of ``text[start:end]``, which must not be empty."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]

    def back(self, found: Iterable[Detection]) -> list[Detection]:
        """Return the detections that count, with the offsets of the original."""
        if self.starts is None and self.edits is None:
            return list(found)
        counting = [d for d in found if d.start < d.end and self._touched(d)]
        spans = [self.span(d.start, d.end) for d in counting]
        return [d.at(start, end) for d, (start, end) in zip(counting, spans, strict=True)]

    def _touched(self, found: Detection) -> bool:
        if self.edits is None:
            return True
        from_ = found.start - (_ANNOUNCED if found.validated else 0)
        place = bisect_left(self.edits, from_, key=lambda edit: edit[1])
        return place < len(self.edits) and self.edits[place][0] <= found.end


def edited(base: View, edits: Sequence[Edit]) -> View:
    """Return the whole reading with ``edits`` (sorted, apart) made; everything in it counts."""
    return replace(_edit(base, 0, len(base.text), edits), edits=None) if edits else base


def windows(base: View, edits: Sequence[Edit], around: int) -> list[View]:
    """Return only what is near ``edits`` (sorted, apart), with them made; what touches none does not count.

    Args:
        base: the reading that is changed.
        edits: what is changed.
        around: how much of the text before and behind an edit is shown, code points.
    """
    views = []
    first = 0
    for start, end in _near(base.text, edits, around):
        last = first
        while last < len(edits) and edits[last][0] < end:
            last += 1
        views.append(_edit(base, start, end, edits[first:last]))
        first = last
    return views


def _near(text: str, edits: Sequence[Edit], around: int) -> Iterator[tuple[int, int]]:
    """Windows around the edits, those that touch in one."""
    window: tuple[int, int] | None = None
    for edit_start, edit_end, _ in edits:
        start, end = max(0, edit_start - around), min(len(text), edit_end + around)
        start = max(text.rfind(" ", max(0, start - _SNAP), start) + 1, start - _SNAP, 0) if start else 0
        space = text.find(" ", end, end + _SNAP)
        end = space if space >= 0 else min(len(text), end + _SNAP)
        if window is not None and start > window[1]:
            yield window
            window = None
        window = (start, end) if window is None else (window[0], max(window[1], end))
    if window is not None:
        yield window


def _edit(base: View, start: int, end: int, edits: Sequence[Edit]) -> View:
    """Make the reading of ``base.text[start:end]`` with the edits."""
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    changed: list[tuple[int, int]] = []
    at = start
    for first, last, text in [*edits, (end, end, "")]:
        pieces += (base.text[at:first], text)
        starts.extend(range(at, first) if base.starts is None else base.starts[at:first])
        ends.extend(range(at + 1, first + 1) if base.ends is None else base.ends[at:first])
        if first < last:
            changed.append((len(starts), len(starts) + len(text)))
            from_, to = base.span(first, last)
            starts += [from_] * len(text)
            ends += [to] * len(text)
        at = last
    return View("".join(pieces), starts, ends, changed)
