"""The entries of a policy's allow and deny lists."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final, final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from redaction.policy.patterns import compile_pattern, matches_all

TYPE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""What a type name looks like."""

MAX_VALUE_CHARS: Final = 256
"""Longest value of a list, characters."""

LITERAL: Final = "LITERAL"
"""Type of a placeholder lookalike in the caller's own text: always replaced, whatever the policy says."""


class Closed(BaseModel):
    """A frozen value without other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Case(StrEnum):
    """Whether capitals count."""

    EXACT = "exact"
    IGNORE = "ignore"


def type_name(name: str) -> str:
    """Return a type name as it is.

    Raises:
        ValueError: not one.
    """
    if not TYPE.fullmatch(name):
        raise ValueError(f"{name[:64]!r} is no type name: A-Z, 0-9 and _, at most 64")
    if name == LITERAL:
        raise ValueError(f"{LITERAL} cannot be configured: it keeps placeholders from being forged")
    return name


class _Entry(Closed):
    values: tuple[str, ...] = ()
    """Exact values; blanks and line breaks between words count as one space. One value needs no list."""
    pattern: str | None = None
    """Or one pattern in RE2's syntax."""
    case: Case
    reason: str = Field("", max_length=500)
    """Why the entry is there, for its reviewers."""

    @model_validator(mode="before")
    @classmethod
    def _one_value(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("values"), str):
            return {**given, "values": (given["values"],)}
        return given

    @field_validator("values")
    @classmethod
    def _values_say_something(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for number, value in enumerate(values):
            if len(value) > MAX_VALUE_CHARS:
                raise ValueError(f"value {number} has {len(value)} characters, limit {MAX_VALUE_CHARS}: use a pattern")
            if not any(map(str.isalnum, value)):
                raise ValueError(f"value {number} has no letter and no digit")
        return values

    @model_validator(mode="after")
    def _values_or_pattern(self) -> _Entry:
        if bool(self.values) == (self.pattern is not None):
            raise ValueError("give either values or a pattern")
        if self.pattern is not None:
            self.compiled()
        return self

    def compiled(self) -> Any:
        """Return the compiled pattern.

        Raises:
            ValueError: the pattern cannot be used, or there is none.
        """
        if self.pattern is None:
            raise ValueError("the entry has no pattern")
        return compile_pattern(self.pattern, ignore_case=self.case is Case.IGNORE)


@final
class AllowEntry(_Entry):
    """What may stay in the text though it was found. In YAML a bare value is enough."""

    case: Case = Case.EXACT
    """``exact``: capitals count. ``ignore``: they do not."""
    types: tuple[str, ...] = ()
    """The findings it is for; those of every type when empty."""
    even_if_validated: bool = False
    """Also what a check digit, a list or an unmistakable cue has proven."""

    @model_validator(mode="before")
    @classmethod
    def _bare_value(cls, given: Any) -> Any:
        return {"values": (given,)} if isinstance(given, str) else given

    @field_validator("types")
    @classmethod
    def _type_names(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({type_name(name) for name in types}))

    @model_validator(mode="after")
    def _tells_apart(self) -> AllowEntry:
        if self.pattern is not None and matches_all(self.compiled()):
            raise ValueError("the pattern matches everything; to let a type through, keep it or switch it off")
        return self


@final
class DenyEntry(_Entry):
    """What is found though no detector knows it."""

    type: str
    """The type it is given; a new name makes a new type."""
    case: Case = Case.IGNORE
    """``ignore``: capitals do not count. ``exact``: they do."""

    @field_validator("type")
    @classmethod
    def _type_name(cls, name: str) -> str:
        return type_name(name)
