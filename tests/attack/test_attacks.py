"""What a detector must still find when somebody hides it: see ``corpus/README.md``.

The whole corpus is run once. A failure names cases and classes, never a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, final

import pytest

from redaction import Detection, Redactor
from redaction.structured import redact_document
from tests.attack.cases import DOCUMENTS, Case, Expected, cases

CASES: Final = cases()
RIGHT_TYPE_SHARE: Final = 0.95
"""Of all cases, those in which every value is covered with the right type."""
CLASSES: Final = frozenset(
    "zero_width bidi full_width digit_scripts homoglyphs combining emoji odd_spaces dashes digit_by_digit"
    " line_broken spelled_out embedded long_prefix html_entities html_tags percent base64 hex json_escapes"
    " quoted_printable mixed json csv key_value xml names addresses email phone case near_miss secrets"
    " card_details finance_plain finance_disguised wire_text table_cells glued stacked foreign_words query_strings"
    " log_lines odd_documents name_forms one_line_addresses rearranged"
    " unspaced hidden_words".split()
)


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case.

    Args:
        case: the case.
        typed: every value is covered with the right type.
        covered: every value with a check digit is covered by what the policy replaces, or rightly typed.
    """

    case: Case
    typed: bool
    covered: bool


@pytest.fixture(scope="module")
def outcomes(redactor: Redactor) -> list[Outcome]:
    """The corpus, run once."""
    return [_outcome(redactor, case) for case in CASES]


class TestCorpus:
    def test_ids_are_unique(self) -> None:
        """Each case can be named."""
        assert [id_ for id_, count in Counter(case.id for case in CASES).items() if count > 1] == []

    def test_every_class_has_ten_cases(self) -> None:
        """No class of attacks is there in name only, and none is unknown."""
        counts = Counter(case.attack for case in CASES)
        assert set(counts) == CLASSES
        assert min(counts.values()) >= 10

    def test_there_are_cases_enough(self) -> None:
        """The two shares below mean something."""
        assert len(CASES) >= 200
        assert sum(value.check_digit for case in CASES for value in case.expected) >= 200

    def test_a_text_is_not_attacked_twice(self) -> None:
        """A case that is there twice would count twice."""
        first = {case.text: case.id for case in reversed(CASES)}
        assert [case.id for case in CASES if first[case.text] != case.id] == []


class TestAttacks:
    def test_right_type(self, outcomes: list[Outcome]) -> None:
        """In 95 of 100 cases every value is covered, all of it, with the right type."""
        missed = [outcome.case for outcome in outcomes if not outcome.typed]
        share = 1 - len(missed) / len(outcomes)
        assert share >= RIGHT_TYPE_SHARE, f"{share:.3f} of {len(outcomes)}; {_summary(missed)}"

    def test_check_digits_are_covered(self, outcomes: list[Outcome]) -> None:
        """A value with a check digit never stays, whatever it is taken for."""
        missed = [outcome.case for outcome in outcomes if not outcome.covered]
        assert not missed, _summary(missed)

    def test_offsets_stay_in_the_text(self, redactor: Redactor) -> None:
        """However a text is disguised, findings are in order, not empty, and inside of it."""
        for case in CASES:
            found = redactor.analyze(case.text)
            ends = [0, *chain.from_iterable((detection.start, detection.end) for detection in found), len(case.text)]
            assert ends == sorted(ends), case
            assert all(detection.start < detection.end for detection in found), case


def _outcome(redactor: Redactor, case: Case) -> Outcome:
    found = _find(redactor, case)
    kept = redactor.policy.kept
    typed = all(_covers(case.text, value, (d for d in found if d.type in value.types)) for value in case.expected)
    covered = all(
        _covers(case.text, value, (d for d in found if d.type not in kept or d.type in value.types))
        for value in case.expected
        if value.check_digit
    )
    return Outcome(case, typed, covered)


def _find(redactor: Redactor, case: Case) -> Sequence[Detection]:
    if case.attack in DOCUMENTS:
        return redact_document(redactor, case.text).detections
    return redactor.analyze(case.text)


def _covers(text: str, value: Expected, found: Iterable[Detection]) -> bool:
    open_ = {at for at in range(value.start, value.end) if not (text[at].isspace() or text[at] == ",")}
    for detection in found:
        open_.difference_update(range(detection.start, detection.end))
    return not open_


def _summary(missed: Iterable[Case]) -> str:
    named = list(missed)
    counts = Counter(case.attack for case in named)
    return f"by class {dict(counts.most_common())}; cases {' '.join(case.id for case in named)}"
