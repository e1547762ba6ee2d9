"""Many patterns looked for in one pass: RE2's set, in time linear in the text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, final

import re2

from redaction.errors import DetectionFailed

_MAX_MEMORY_BYTES = 64 << 20
"""For the automaton of all patterns together."""


@final
class PatternSet:
    """Says which of its patterns match somewhere in a text.

    Args:
        patterns: in RE2's syntax.

    Raises:
        re2.error: a pattern cannot be read.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        options = re2.Options()
        options.max_mem = _MAX_MEMORY_BYTES
        options.log_errors = False
        self._set: Any = re2.Set.SearchSet(options)
        self._set.Add("")  # matches always: an answer without it is no answer
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()

    def matching(self, text: str) -> list[int]:
        """Return the numbers of the patterns that match, in order.

        Raises:
            DetectionFailed: the pass failed, e.g. for want of memory; nothing is known of the text.
        """
        try:
            found = self._set.Match(text)
        except UnicodeEncodeError:  # half of a pair of surrogates, which UTF-8 does not have
            found = self._set.Match(text.encode("utf-8", "replace").decode())
        if not found:
            raise DetectionFailed("the pass over the patterns failed; the text was not looked at")
        return [number - 1 for number in sorted(found) if number]
