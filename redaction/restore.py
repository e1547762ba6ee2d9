"""(12) Put values back: exactly, in one pass, whole or chunk by chunk.

Only a placeholder that was issued, letter for letter, is restored. Near misses stay as they are: a
fuzzy match can hand out another person's value. A restored value is never looked at again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import final

from redaction.errors import RedactionError
from redaction.operators.placeholder import PLACEHOLDER


def restore(text: str, placeholders: Mapping[str, str]) -> str:
    """Return ``text`` with the value in place of each placeholder of the map."""
    return PLACEHOLDER.sub(lambda match: placeholders.get(match[0], match[0]), text)


def unknown_placeholders(text: str, placeholders: Mapping[str, str]) -> list[str]:
    """Return the placeholder-shaped strings in ``text`` that the map lacks, each once, in order of appearance."""
    return [shape for shape in dict.fromkeys(PLACEHOLDER.findall(text)) if shape not in placeholders]


@final
class StreamRestorer:
    """Restores a text that comes in chunks; joined, the results equal :func:`restore` of the whole.

    It holds back only what may become a placeholder: the longest end of the text so far that is a
    proper beginning of an issued one. One instance serves one stream and one thread.
    """

    def __init__(self, placeholders: Mapping[str, str]) -> None:
        self._placeholders = placeholders
        self._sorted = sorted(placeholders)
        self._held = ""
        self._closed = False

    def feed(self, chunk: str) -> str:
        """Take a chunk; return what can be given out.

        Raises:
            RedactionError: the stream is closed.
        """
        if self._closed:
            raise RedactionError("the stream is closed; make a new one")
        text = self._held + chunk
        cut = text.rfind("<")  # a placeholder holds one "<", its first character
        if cut < 0 or not self._may_become_placeholder(text[cut:]):
            cut = len(text)
        self._held = text[cut:]
        return restore(text[:cut], self._placeholders)

    def close(self, *, cut: bool = False) -> str:
        """End the stream; return what was held back because it could have become a placeholder.

        Args:
            cut: the text may have been ended in its midst: the beginning of a placeholder's name is dropped.
        """
        self._closed = True
        held, self._held = self._held, ""
        return "" if cut and len(held) > 1 else held

    def _may_become_placeholder(self, end: str) -> bool:
        place = bisect_left(self._sorted, end)  # what begins with ``end`` sorts from here on
        if place < len(self._sorted) and self._sorted[place] == end:
            return False
        return place < len(self._sorted) and self._sorted[place].startswith(end)
