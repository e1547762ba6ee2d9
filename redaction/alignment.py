"""Which piece of a redacted text stands for which piece of the original: what is replaced is never cut."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import final

from redaction.redactor import Redacted


@final
class Alignment:
    """Places of an original text and of its redacted form.

    What replaces a value belongs to the piece in which the value begins, whole: pieces that follow each other in one
    text follow each other in the other.

    Args:
        redacted: as the redactor made it.
    """

    def __init__(self, redacted: Redacted) -> None:
        self._original = [(found.start, found.end) for found in redacted.detections]
        self._shown = list(redacted.places)

    def shown(self, start: int, end: int) -> tuple[int, int]:
        """Where a piece ``original[start:end]`` stands in the redacted text."""
        return _mapped(start, self._original, self._shown), _mapped(end, self._original, self._shown)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The piece that ``redacted[start:end]`` stands for; a value of which it holds a part is in it whole."""
        before = bisect_right(self._shown, start, key=lambda place: place[1])
        inside = before < len(self._shown) and self._shown[before][0] < start
        first = self._original[before][0] if inside else _mapped(start, self._shown, self._original)
        return first, _mapped(end, self._shown, self._original)


_Places = list[tuple[int, int]]


def _mapped(place: int, here: _Places, there: _Places) -> int:
    """The same place in the other text; inside of what is replaced, its end."""
    last = bisect_left(here, place, key=lambda each: each[0]) - 1  # the last that begins before the place
    if last < 0:
        return place
    return there[last][1] + max(0, place - here[last][1])
