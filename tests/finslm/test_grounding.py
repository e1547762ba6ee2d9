"""Facts of an answer that its text does not have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finslm.grounding import covered, facts, unsupported

TEXT = (
    "On March 3rd, 2024 I was charged $1,250.00 twice by acme corp; my card ending 4417. Maria Lopez said two days. "
    "I paid 5k. Write to bob@example.com, <PERSON_1>."
)


def invented(answer: str, text: str = TEXT) -> list[tuple[str, str]]:
    return [(answer[fact.start : fact.end], fact.kind) for fact in unsupported(text, answer)]


@pytest.mark.parametrize(
    "answer",
    [
        "The customer was charged $1250 twice by Acme Corp on 3 March 2024.",
        "Maria Lopez's answer: 2 days. Card 4417; 5,000 paid.",
        "She wrote to bob@example.com. <PERSON_1> is asked to reply.",
        "Customer and Agent spoke. The Bank did nothing. I do not know.",
        "",
    ],
)
def test_what_the_text_says_is_supported(answer):
    assert invented(answer) == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("The customer was charged $1,251.", [("1,251", "NUMBER")]),
        ("They want 2 days, not four.", [("four", "NUMBER")]),
        ("The customer told Wells Fargo.", [("Wells", "NAME"), ("Fargo", "NAME")]),
        ("Wells Fargo was told.", [("Wells", "NAME"), ("Fargo", "NAME")]),
        ("Write to al@example.com.", [("al@example.com", "ADDRESS")]),
        ("See www.example.org/x.", [("www.example.org/x", "ADDRESS")]),
        ("<PERSON_2> called.", [("<PERSON_2>", "PLACEHOLDER")]),
        ("It was on April 4.", [("April", "NAME"), ("4", "NUMBER")]),
    ],
)
def test_what_it_does_not_say_is_reported(answer, found):
    assert invented(answer) == found


def test_a_name_is_looked_up_whole():
    """A part of a word is not that word."""
    assert invented("He met Mar.", "He met Maria.") == [("Mar", "NAME")]


def test_a_part_of_a_hyphenated_name_is_known():
    assert invented("He met Frey.", "He met Ms Holm-Frey.") == []


def test_figures_that_are_part_of_others_are_no_support():
    assert invented("It was 25 EUR.", "It was 1,250 EUR in 2025.") == [("25", "NUMBER")]


def test_coverage_counts_facts_of_the_reference():
    assert covered("Maria paid 5,000.", "Maria Lopez paid 5000 on March 3.") == (2, 5)


@given(st.text(max_size=200), st.text(max_size=200))
def test_places_lie_in_the_answer_in_order(text, answer):
    found = list(facts(answer))
    assert all(0 <= fact.start < fact.end <= len(answer) for fact in found)
    assert all(one.end <= other.start for one, other in zip(found, found[1:], strict=False))
    assert set(unsupported(text, answer)) <= set(found)
    assert unsupported(answer, answer) == []
