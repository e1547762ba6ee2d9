"""``<TYPE_N>``: numbered per type in order of appearance, the same value under the same number."""

from __future__ import annotations

import re
from collections import Counter
from typing import final

from redaction.operators.base import OPERATORS

PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_]*_[0-9]+>")
"""The shape of every placeholder. It begins and ends with a character that it does not hold inside, so
two can never overlap and none can grow out of its neighbourhood."""


@OPERATORS.register("placeholder")
@final
class Placeholder:
    """Numbers values; the map from placeholder to value restores them."""

    reversible = True

    def __init__(self) -> None:
        self._issued: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()

    def replace(self, type_: str, value: str) -> str:
        """Return the value's placeholder, a new one for a new value."""
        key = (type_, value)
        if key not in self._issued:
            self._numbers[type_] += 1
            self._issued[key] = f"<{type_}_{self._numbers[type_]}>"
        return self._issued[key]
