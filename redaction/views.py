"""Views of a text: other readings of it, each with a map back to the original's offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True, slots=True)
class View:
    """One reading of a text. What is found in it is replaced in the original.

    Args:
        text: what detectors read. Its ``repr`` is hidden: it may be confidential.
        starts: per code point of ``text``, where its piece of the original begins; None: the same offsets.
        ends: per code point of ``text``, where its piece of the original ends.
    """

    text: str = field(repr=False)
    starts: Sequence[int] | None = field(default=None, repr=False)
    ends: Sequence[int] | None = field(default=None, repr=False)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the original's span of ``text[start:end]``, which must not be empty."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]
