"""Finds day, month and year in a written date, and writes another date in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, final

Order = Literal["dmy", "mdy"]

_MONTHS: Final = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
}
_SHORT: Final = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "fr": "janv févr mars avr mai juin juil août sept oct nov déc",
    "es": "ene feb mar abr may jun jul ago sept oct nov dic",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
}
_OTHER: Final = {"sept": ("en", 9, "short"), "maerz": ("de", 3, "full"), "mrz": ("de", 3, "short")}

_LISTS: Final = {(language, form): tuple(words.split()) for form, table in (("full", _MONTHS), ("short", _SHORT))
                 for language, words in table.items()}  # fmt: skip
_KNOWN: Final = {
    word.lower(): (language, number, form)
    for (language, form), words in reversed(_LISTS.items())
    for number, word in enumerate(words, 1)
} | _OTHER
"""Month in lower case → language, number, form; English where several languages have the same word."""

_MONTH: Final = "|".join(sorted(_KNOWN, key=len, reverse=True))
_ORDINAL: Final = r"(?P<th>st|nd|rd|th|er|º)?"
_YEAR: Final = r"(?P<y>(?:1[5-9]|2[01])\d\d|(?<!\d)'?\d\d)(?!\d)"
_FORMS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<!\d)(?P<y>\d{4})(?P<s>[-/. ])(?P<m>\d\d?)(?P=s)(?P<d>\d\d?)(?!\d)",
        r"(?<!\d)(?P<y>(?:1[5-9]|2[01])\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?!\d)",
        rf"(?<!\d)(?P<a>\d\d?) ?(?P<s>[-/. ]) ?(?P<b>\d\d?) ?(?P=s) ?{_YEAR}",
        rf"(?<!\d)(?P<d>\d\d?){_ORDINAL}\.?(?:[ -]|\s+(?:of|de|del)\s+)(?P<w>{_MONTH})(?![^\W\d_])\.?"
        rf"(?:(?:\s+(?:of|de|del))?,?[ -]{_YEAR})?",
        rf"(?<![^\W\d_])(?P<w>{_MONTH})(?![^\W\d_])\.?[ -](?P<d>\d\d?)(?!\d){_ORDINAL}(?:(?:,? |-){_YEAR})?",
        rf"(?<![^\W\d_])(?P<w>{_MONTH})(?![^\W\d_])\.?(?:(?:,|\s+de|\s+of)? |-){_YEAR}",
        r"(?<!\d)(?P<m>\d\d?)[/-](?P<y>\d{4})(?!\d)",
        r"(?<!\d)(?P<y>(?:1[5-9]|2[01])\d\d)(?![\d:])",
    )
)
_CLOCK: Final = re.compile(
    r"[Tt]?\d{1,2}(?::\d\d){1,2}(?:[.,]\d{1,9})?(?:\s?[ap]\.?m\b\.?)?(?:\s?[+-]\d\d:?\d\d)?"
    r"|\d{1,2}\s?[ap]\.?m\b\.?|T\d{6}(?:[+-]\d{4})?",
    re.IGNORECASE,
)
"""A time of day: what may stand beside a date."""
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAY: Final = re.compile(
    r"\b(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)\b",
    re.IGNORECASE,
)
_MIDDLE: Final = 15
"""Day and month that stand for those a date does not give."""


@final
@dataclass(frozen=True, slots=True)
class Written:
    """A date as it is written.

    Args:
        text: the whole value.
        day: the date; what is not given is in the middle.
        spans: part (``d``, ``m``, ``w`` a month in words, ``y``, ``th``) → where it stands.
        span: where the whole date stands.
    """

    text: str
    day: date
    spans: dict[str, tuple[int, int]]
    span: tuple[int, int]

    def write(self, day: date) -> str:
        """Return the value with another date in it, in the same form."""
        parts = {part: self._part(part, self.text[slice(*span)], day) for part, span in self.spans.items()}
        text = self.text
        for part, (start, end) in sorted(self.spans.items(), key=lambda item: -item[1][0]):
            text = text[:start] + parts[part] + text[end:]
        return text

    @property
    def _width(self) -> int:
        """Digits of a day and a month: two where one is written 03, or where neither tells and both are in digits."""
        written = [self.text[slice(*self.spans[part])] for part in "dm" if part in self.spans]
        if any(digits[0] == "0" for digits in written):
            return 2
        return 1 if "w" in self.spans or any(len(digits) == 1 for digits in written) else 2

    def _part(self, part: str, was: str, day: date) -> str:
        match part:
            case "d":
                return f"{day.day:0{self._width}d}"
            case "m":
                return f"{day.month:0{self._width}d}"
            case "w":
                return _like(was, _month(was, day.month))
            case "th":
                return _ordinal(was, day.day)
        return f"{day.year:04d}" if len(was) == 4 else f"{was[:-2]}{day.year % 100:02d}"


def read(text: str, order: Order, *, born: bool = False) -> Written | None:
    """Return the first date in a value, or None if there is none that says its year, or its month and day.

    Args:
        text: the value.
        order: of 03/05/1980; where the other one alone is possible, it counts.
        born: the date is past, so that the year 45 is 1945.
    """
    return min(_read(text, order, born=born), key=lambda date: min(date.spans.values()), default=None)


def _read(text: str, order: Order, *, born: bool = False) -> Iterator[Written]:
    taken: list[tuple[int, int]] = []
    for form in _FORMS:
        for match in form.finditer(text):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            spans = {part: match.span(part) for part, found in match.groupdict().items() if found and part != "s"}
            if "a" in spans:
                first, second = spans.pop("a"), spans.pop("b")
                if int(text[slice(*second)]) > 12 or (order == "mdy" and int(text[slice(*first)]) <= 12):
                    first, second = second, first
                spans |= {"d": first, "m": second}
            day = _date({part: text[slice(*span)] for part, span in spans.items()}, born=born)
            if day is not None:
                taken.append(match.span())
                yield Written(text, day, spans, match.span())


def shift(text: str, by: timedelta, order: Order) -> str:
    """Return the value with all its dates moved, weekdays too; empty where anything of a date would stay.

    Args:
        text: the value.
        by: how far.
        order: see :func:`read`.

    Raises:
        OverflowError: a date leaves the years 1 to 9999.
    """
    found = sorted(_read(text, order), key=lambda date: date.span)
    between: list[str] = []
    pieces: list[str] = []
    at = 0
    for written in found:
        start, end = written.span
        between.append(text[at:start])
        moved = written.write(written.day + by)
        pieces += [between[-1], moved[start : len(moved) - (len(text) - end)]]
        at = end
    between.append(text[at:])
    around = _CLOCK.sub(" ", " ".join(between))
    if (
        not found
        or re.search(r"\d", around)
        or any(word.lower() in _KNOWN for word in re.findall(r"[^\W\d_]+", around))
    ):
        return ""
    moved = "".join([*pieces, between[-1]])
    if not by.days % 7 or not _WEEKDAY.search(around):
        return moved
    if len(found) > 1:
        return ""
    return _WEEKDAY.sub(lambda match: _weekday(match[0], found[0].day + by), moved)


def _weekday(was: str, day: date) -> str:
    word = _WEEKDAYS[day.weekday()]
    return _like(was, word if len(was) > 4 else word[:3])


def _date(parts: dict[str, str], *, born: bool) -> date | None:
    month = _KNOWN[parts["w"].lower()][1] if "w" in parts else int(parts.get("m", 7))
    digits = parts.get("y", "2000").lstrip("'")
    year = int(digits)
    if len(digits) == 2:  # as POSIX strptime does
        year += 2000 if year < (datetime.now(UTC).year - 1999 if born else 69) else 1900
    try:
        return date(year, month, int(parts.get("d", _MIDDLE)))
    except ValueError:
        return None


def _month(was: str, number: int) -> str:
    language, known, form = _KNOWN[was.lower()]
    if form == "short" and was.lower() == _LISTS[language, "full"][known - 1].lower():
        form = "full"
    return _LISTS[language, form][number - 1]


def _like(was: str, word: str) -> str:
    """The word in capitals, with a capital, or in small letters, as the other was."""
    return word.upper() if was.isupper() else word.capitalize() if was[0].isupper() else word.lower()


def _ordinal(was: str, day: int) -> str:
    if was.lower() not in {"st", "nd", "rd", "th"}:
        return was
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return _like(was, ending) if was.isupper() else ending
