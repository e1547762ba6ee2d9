"""What a field of a record may hold: the rule for a value, the grammar of its canonical JSON, its JSON Schema.

All three come from one pattern, so what is refused when a record is made is refused when one is read,
and the published schema says the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol, final

MAX_INT: Final = 2**53 - 1
"""Largest integer that RFC 8785 (I-JSON, RFC 7493) carries without loss."""

MAX_ENTRIES: Final = 128
"""Most keys of one map."""

_COUNT: Final = r"(?:0|[1-9][0-9]{0,15})"


class Kind(Protocol):
    """A kind of field."""

    @property
    def grammar(self) -> str:
        """Regular expression of a value that is present, as canonical JSON; no named or numbered groups."""
        ...

    def allows(self, value: object) -> bool:
        """Whether a record may be made with this value; an absent one (``""``, ``None``, ``{}``) counts as allowed."""
        ...

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of a value that is present."""
        ...


@final
class Text:
    """A string that matches a pattern as a whole. The pattern allows neither quotes nor backslashes nor controls."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._matches = re.compile(pattern, re.ASCII).fullmatch
        self.grammar = f'"(?:{pattern})"'

    def allows(self, value: object) -> bool:
        """Empty, or the whole string matches."""
        return isinstance(value, str) and (value == "" or self._matches(value) is not None)

    def json_schema(self) -> dict[str, Any]:
        """A string with its pattern."""
        return {"type": "string", "pattern": f"^(?:{self._pattern})$"}


@final
class Choice:
    """One of a fixed set of words."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(map(str, words))
        self.grammar = f'"(?:{"|".join(sorted(self._words))})"'

    def allows(self, value: object) -> bool:
        """Empty, or one of them."""
        return isinstance(value, str) and (value == "" or value in self._words)

    def json_schema(self) -> dict[str, Any]:
        """The words."""
        return {"enum": sorted(self._words)}


@final
class Count:
    """A whole number from 0 to :data:`MAX_INT`."""

    grammar = _COUNT

    def allows(self, value: object) -> bool:
        """None, or such a number."""
        return value is None or is_count(value)

    def json_schema(self) -> dict[str, Any]:
        """An integer and its bounds."""
        return {"type": "integer", "minimum": 0, "maximum": MAX_INT}


@final
class Flag:
    """True or false."""

    grammar = "(?:true|false)"

    def allows(self, value: object) -> bool:
        """None, or a bool."""
        return value is None or type(value) is bool

    def json_schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@final
class Constant:
    """One number, always present."""

    def __init__(self, value: int) -> None:
        self._value = value
        self.grammar = str(value)

    def allows(self, value: object) -> bool:
        """This number."""
        return type(value) is int and value == self._value

    def json_schema(self) -> dict[str, Any]:
        """The number."""
        return {"const": self._value}


@final
class Table:
    """At most :data:`MAX_ENTRIES` names, each with a count or a short text."""

    def __init__(self, key: str, value: Count | Text | None = None) -> None:
        self._key, self._value = key, value or Count()
        self._is_key = re.compile(key, re.ASCII).fullmatch
        entry = f'"(?:{key})":{self._value.grammar}'
        self.grammar = f"\\{{{entry}(?:,{entry}){{0,{MAX_ENTRIES - 1}}}\\}}"

    def allows(self, value: object) -> bool:
        """A dict, or a view of one, whose keys and values follow their rules."""
        if not isinstance(value, dict | MappingProxyType) or len(value) > MAX_ENTRIES:
            return False
        return all(isinstance(k, str) and self._is_key(k) is not None and self._fits(v) for k, v in value.items())

    def _fits(self, value: object) -> bool:
        return value is not None and self._value.allows(value)

    def json_schema(self) -> dict[str, Any]:
        """An object with a pattern for its names."""
        return {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_ENTRIES,
            "propertyNames": {"pattern": f"^(?:{self._key})$"},
            "additionalProperties": self._value.json_schema(),
        }


def is_count(value: object) -> bool:
    """A whole number that canonical JSON carries; a bool is none, though Python calls it an int."""
    return type(value) is int and 0 <= value <= MAX_INT


def object_grammar(fields: Mapping[str, Kind], required: frozenset[str]) -> re.Pattern[bytes]:
    """The canonical JSON object with these fields, each at most once, in the order of RFC 8785.

    Only the last field by order may be required beside others, so that the commas stay simple.
    """
    names = sorted(fields)
    if required != {names[-1]}:
        raise ValueError("the one required field must be the last by name")
    optional = "".join(f'(?:"{name}":{fields[name].grammar},)?' for name in names[:-1])
    return re.compile(f'\\{{{optional}"{names[-1]}":{fields[names[-1]].grammar}\\}}'.encode(), re.ASCII)
