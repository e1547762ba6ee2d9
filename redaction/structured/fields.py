"""Keys and headers: the words they are made of, as context for detectors, and the type that they declare."""

from __future__ import annotations

import re
from typing import Final, final

from redaction.structured import vocabulary as v

_SEAMS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=[0-9])|[\W_]++")
"""Where a key falls into words: ``sort_code``, ``sortCode``, ``IBANNumber``, ``address1``."""

_KEY_CHARS: Final = 64
"""A longer key is data, or prose; it says nothing about its value."""

_CONTEXT_CHARS: Final = 96

_LEVELS: Final = 8
"""How far up named fields are looked for."""


def words(key: str) -> str:
    """Return a key as words: ``accountNo`` → ``account No``."""
    return _SEAMS.sub(" ", key).strip()


@final
class Field:
    """A key or header below those above it. Fields of one path are one object: the leaves of a column share it.

    Args:
        key: as it stands in the document, unescaped; empty at the top and for what has no name.
        parent: the field around it.
    """

    __slots__ = ("_children", "context", "declares", "key", "parent")

    def __init__(self, key: str = "", parent: Field | None = None) -> None:
        self.key = key if len(key) <= _KEY_CHARS else ""
        self.parent = parent
        self._children: dict[str, Field] = {}
        self.context = self._context() if key or parent else ""
        self.declares: str | None = self._declares() if key else None

    def child(self, key: str) -> Field:
        """Return the field of a key inside this one; without a key, this one."""
        if not key:
            return self
        known = self._children.get(key)
        if known is None:
            known = self._children[key] = Field(key, self)
        return known

    def _above(self) -> list[str]:
        """The words of up to two fields around it, outermost first."""
        above = self.parent
        names: list[str] = []
        for _ in range(_LEVELS):
            if above is None or len(names) == 2:
                break
            if above.key:
                names.append(words(above.key))
            above = above.parent
        return names[::-1]

    def _context(self) -> str:
        own = words(self.key)
        raw = [self.key] if own != self.key else []
        return " ".join(filter(None, [*self._above(), *raw, own]))[-_CONTEXT_CHARS:].lstrip()

    def _declares(self) -> str | None:
        """The type that the key announces; a general word such as ``number`` needs the field around it."""
        own = v.normal(words(self.key))
        above = self._above()
        around = v.normal(above[-1]) if above else ""
        if own not in v.GENERAL:
            return v.declared(own)
        both = v.declared(f"{around} {own}") if around else None
        if both is not None or own != "name":
            return both or v.declared(own)
        return "PERSON" if not around or v.is_people(around) else None
