"""The attack corpus of ``tests/attack``: how often each system covers what is hidden, and names it rightly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.redaction.measure import Span
from benchmarks.redaction.systems import presidio as stock
from redaction import Redactor
from redaction.structured import redact_document
from tests.attack.cases import DOCUMENTS, Case, Expected, cases

Look = Callable[[Case], Sequence[Span]]


def ours() -> Look:
    redactor = Redactor.from_policy()

    def look(case: Case) -> Sequence[Span]:
        if case.attack in DOCUMENTS:
            found: Sequence[Any] = redact_document(redactor, case.text).detections
        else:
            found = redactor.analyze(case.text)
        return [Span(d.start, d.end, d.type) for d in found]

    return look


def presidio() -> Look:
    find = stock()
    return lambda case: find([case.text])[0]


def _carried(case: Case, value: Expected) -> set[int]:
    """The characters of a value; blanks and marks that only part it need no cover."""
    return {at for at in range(value.start, value.end) if case.text[at].isalnum()}


def measure(look: Look) -> dict[str, Any]:
    """Share of cases whose every value is covered with the right type, and of check-digit values covered at all."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    covered = checked = 0
    for case in cases():
        spans = look(case)
        total[case.attack] += 1
        typed = True
        for value in case.expected:
            places = _carried(case, value)
            for span in spans:
                if span.type in value.types:
                    places -= set(range(span.start, span.end))
            typed &= not places
            if value.check_digit:
                checked += 1
                left = _carried(case, value).difference(*(range(s.start, s.end) for s in spans))
                covered += not left
        right[case.attack] += typed
    return {
        "cases": sum(total.values()),
        "typed": round(sum(right.values()) / sum(total.values()), 4),
        "check_digits_covered": round(covered / checked, 4),
        "by_class": {name: f"{right[name]}/{count}" for name, count in sorted(total.items())},
    }
