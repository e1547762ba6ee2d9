"""The patterns of a policy, compiled by RE2, so that no policy can make a text take more than linear time."""

from __future__ import annotations

from typing import Any, Final

import re2

MAX_PATTERN_CHARS: Final = 1000
"""Longest pattern, characters."""

_MAX_MEMORY_BYTES: Final = 4 << 20
"""For the automaton of one pattern."""

WORDS: Final = ("Qzxvkjwq", "qzxvkjwqbbdfghklmprt")
NUMBERS: Final = ("73059182", "73059182640193758264")
"""Values that no list means: a pattern that matches one matches any such word, or any such number."""


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> Any:
    """Return the compiled pattern (RE2 syntax).

    Raises:
        ValueError: too long, not RE2 syntax, too large, or it matches the empty string.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise ValueError(f"the pattern has {len(pattern)} characters, limit {MAX_PATTERN_CHARS}")
    options = re2.Options()
    options.max_mem = _MAX_MEMORY_BYTES
    options.log_errors = False
    options.case_sensitive = not ignore_case
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(f"the pattern is not RE2: {_reason(error)}") from None
    if compiled.fullmatch("") or compiled.search(""):
        raise ValueError("the pattern matches the empty string: it would match everywhere")
    return compiled


def matches_all(compiled: Any) -> bool:
    """Whether a pattern matches any word and any number as a whole: it tells nothing apart."""
    return any(map(compiled.fullmatch, WORDS)) and any(map(compiled.fullmatch, NUMBERS))


def _reason(error: Exception) -> str:
    """RE2's own words without the piece of the pattern that it quotes: a pattern may name a client."""
    first = error.args[0] if error.args else b""
    said = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    return said.partition(":")[0] or "unknown error"
