"""Dates and ages that point at a person."""

from __future__ import annotations

import re
from typing import final

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE = (
    r"(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}"
    r"|[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ][0-9]{2,4}"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)?(?: of)?[ -]{_MONTH}\.?,?[ -][0-9]{{2,4}}"
    rf"|{_MONTH}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}})"
)
_BIRTH = re.compile(
    r"\b(?:d\.?o\.?b\b\.?|date of birth|birth[ -]?dat[ea]|birthday|born)"
    r"(?: (?:is|was|on|the|in)){0,2}[\s\"':=,(–-]{0,8}"
    rf"({_DATE})(?![0-9])",
    re.IGNORECASE,
)


@RECOGNIZERS.register("date_of_birth")
@final
class DateOfBirth:
    """A date that the text calls a birth date. Policies keep plain dates, so this one has a type of its own."""

    name = "date_of_birth"
    types = ("DATE_OF_BIRTH",)
    trigger = r"(?i)\b(?:d\.?o\.?b|birth|born)"
    version = "1"
    examples = (
        "DOB: ⟦03/05/1980⟧",
        "born on ⟦3 May 1980⟧ in Leeds",
        'her date of birth is ⟦1980-05-03⟧; "dob": "⟦May 3, 1980⟧"',
    )
    counter_examples = ("paid on 03/05/2024", "born in Leeds, moved on 3 May 1980")

    def detect(self, text: str) -> list[Detection]:
        """Find birth dates."""
        return [
            Detection(*match.span(1), "DATE_OF_BIRTH", 0.9, self.name, validated=True)
            for match in _BIRTH.finditer(text)
        ]


_AGE = re.compile(
    r"\b(?:aged?(?: of)?:? )(1?[0-9]{1,2})\b(?![.,]?[0-9%])"
    r"|\b(1?[0-9]{1,2}(?:[ -]?(?:years?|yrs?)[ -](?:old|of age)|[ -]?y/?o))\b",
    re.IGNORECASE,
)


@RECOGNIZERS.register("age")
@final
class Age:
    """How old somebody is. The entity model calls it a date, which policies keep."""

    name = "age"
    types = ("AGE",)
    trigger = r"(?i)age|old|y/?o\b"
    version = "1"
    examples = ("a ⟦74 year old⟧ client", "⟦81-year-old⟧ widow", "aged ⟦67⟧ and retired", "Age: ⟦45⟧")
    counter_examples = ("a 30 year mortgage", "in 12 years", "aged 12.5% more", "page 45")

    def detect(self, text: str) -> list[Detection]:
        """Find ages."""
        spans = (match.span(match.lastindex or 0) for match in _AGE.finditer(text))
        return [Detection(*span, "AGE", 0.9, self.name, validated=True) for span in spans]
