"""Where a value begins and ends: a tag may miss a digit, cut a number of an invoice in two, or take a mark with it.

Spans are only moved within the text, so a value is still the caller's own letters.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from finslm.types import TaggedSpan

NUMBER: Final = re.compile(r"\d(?:[\d.,'’]|[ \u00a0\u202f](?=\d{3}(?!\d)))*\d|\d")
"""A number as written; a space may part its thousands."""
_CODE: Final = re.compile(r"(?:[^\W_]|[-/.'’&](?=[^\W_]))+")
"""Letters and digits without a space between them: ``F-2708-25``."""
_DAY: Final = re.compile(
    r"\d{1,4}[-/. ]\d{1,2}[-/. ]\d{2,4}|\d{1,2}(?:st|nd|rd|th)?(?: of)?[-. ]*[^\W\d_]{3,9}\.?[-, ]*\d{2,4}"
    r"|[^\W\d_]{3,9}\.? *\d{1,2}(?:st|nd|rd|th)?[, ]+\d{2,4}",
    re.IGNORECASE,
)
_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_WHOLE_DAY: Final = re.compile(
    r"(?<![^\W_])(?<!\d[-/.])(?:"
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}"
    r"|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2})"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?:\s+of)?[-/.,\s]{{0,2}}{_MONTH}[-/,\s]{{0,2}}(?:\d{{4}}|\d{{2}}(?!,?\s*\d{{3}}))"
    rf"|{_MONTH}\s*\d{{1,2}}(?:st|nd|rd|th)?(?:,\s*|\s+)\d{{4}}"
    r")(?![^\W_])(?![-/.]\d)",
    re.IGNORECASE,
)
"""A day that can be told from other numbers and words wherever it stands; lines may break within it."""
_LONGEST_DAY: Final = 40
"""Characters of one."""
_LONGEST_CODE: Final = 34
"""Characters of an IBAN (ISO 13616), the longest of codes."""
_BEFORE: Final = ",;:/|)=–@"
_BEHIND: Final = ",;:/|(=-–@"
"""Marks that no value begins with, and that none ends with."""


def of_number(text: str, span: TaggedSpan) -> TaggedSpan:
    """The span with all of the numbers that it has a part of."""
    for found in NUMBER.finditer(text, max(0, span.start - _LONGEST_CODE), span.end + _LONGEST_CODE):
        if found.start() < span.end and span.start < found.end():
            span = _wider(span, found)
    return span


def of_code(text: str, span: TaggedSpan) -> TaggedSpan:
    """The span with all of the code that it begins or ends in; words without a digit are none."""
    for found in _CODE.finditer(text, max(0, span.start - _LONGEST_CODE), span.end + _LONGEST_CODE):
        ends_in = found.start() < span.end <= found.end()
        if (found.start() <= span.start < found.end() or ends_in) and _is_code(text, found):
            span = _wider(span, found)
    return span


def of_day(text: str, span: TaggedSpan) -> TaggedSpan:
    """The span of the only day that it has a part of, whole and without words beside it."""
    near = _WHOLE_DAY.finditer(text, max(0, span.start - _LONGEST_DAY), span.end + _LONGEST_DAY)
    days = [day for day in near if day.start() < span.end and span.start < day.end()]
    if len(days) == 1:
        return replace(span, start=days[0].start(), end=days[0].end())
    days = [*_DAY.finditer(text, span.start, span.end)]
    return replace(span, start=days[0].start(), end=days[0].end()) if len(days) == 1 else span


def _is_code(text: str, found: re.Match[str]) -> bool:
    in_placeholder = text[found.end() : found.end() + 1] in ("_", ">") or text[: found.start()].endswith(("<", "_"))
    return not in_placeholder and len(found[0]) <= _LONGEST_CODE and any(char.isdigit() for char in found[0])


def _wider(span: TaggedSpan, found: re.Match[str]) -> TaggedSpan:
    return replace(span, start=min(span.start, found.start()), end=max(span.end, found.end()))


def trimmed(text: str, span: TaggedSpan) -> TaggedSpan | None:
    """The span without marks at its ends and without half a pair of brackets; None: nothing is left."""
    before = None
    while span != before:
        before, value = span, text[span.start : span.end]
        inner = value.lstrip(f" \n\t\u00a0{_BEFORE}")
        start = span.end - len(inner)
        end = start + len(inner.rstrip(f" \n\t\u00a0{_BEHIND}"))
        if end <= start:
            return None
        span = _paired(text, replace(span, start=start, end=end))
    return span


def _paired(text: str, span: TaggedSpan) -> TaggedSpan:
    value = text[span.start : span.end]
    more = value.count("(") - value.count(")")
    if more > 0 and value.startswith("("):
        return replace(span, start=span.start + 1)
    if more > 0 and text[span.end : span.end + 1] == ")":  # where no value can begin, so it is free
        return replace(span, end=span.end + 1)
    if more > 0:  # what is said in brackets goes on behind it, so none of that is meant
        return replace(span, end=span.start + value.rindex("("))
    return replace(span, end=span.end - 1) if more < 0 and value.endswith(")") else span
