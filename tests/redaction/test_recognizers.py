"""The contract of every registered recognizer, from its own examples, and linear time."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.operators import OPERATORS
from redaction.recognizers import RECOGNIZERS
from redaction.recognizers.cards import luhn
from redaction.recognizers.scan import Recognizers
from tests.pace import assert_linear

ALL = {name: RECOGNIZERS.get(name)() for name in RECOGNIZERS.names()}
each = pytest.mark.parametrize("recognizer", ALL.values(), ids=ALL)


def unmark(example):
    """The text without its marks, and the spans between them."""
    spans, plain = [], ""
    for piece in re.split("(⟦.*?⟧)", example, flags=re.DOTALL):
        if piece.startswith("⟦"):
            spans.append((len(plain), len(plain) + len(piece) - 2))
        plain += piece.strip("⟦⟧")
    return plain, spans


@each
def test_it_finds_its_examples_exactly(recognizer):
    assert recognizer.examples
    for example in recognizer.examples:
        text, spans = unmark(example)
        assert [(d.start, d.end) for d in recognizer.detect(text)] == spans, example


@each
def test_it_leaves_its_counter_examples(recognizer):
    assert recognizer.counter_examples
    for text in recognizer.counter_examples:
        assert recognizer.detect(text) == [], text


@each
def test_it_says_which_types_it_finds_and_its_trigger_matches_wherever_it_does(recognizer):
    for example in recognizer.examples:
        text, _ = unmark(example)
        found = recognizer.detect(text)
        assert {d.type for d in found} <= set(recognizer.types)
        assert re2.search(recognizer.trigger, text), example
        assert len(Recognizers([recognizer]).detect(text)) == len(found)


@each
@settings(deadline=None)  # the first number of a kind loads its library
@given(st.text(st.characters() | st.sampled_from("0123456789 -@.<>AZaz:/")))
def test_it_survives_any_text_and_stays_inside_it(recognizer, text):
    found = recognizer.detect(text)
    assert not found or re2.search(recognizer.trigger, text)
    for detection in found:
        assert 0 <= detection.start < detection.end <= len(text)
        assert 0 < detection.score <= 1
        assert detection.source == recognizer.name


@each
@pytest.mark.parametrize("unit", ["a.", "1 ", "@a.", "<A_", "DE89 ", "4 1", "www.", "a@a.", "born 1-", "http://", "--"])
def test_anything_repeated_takes_linear_time(recognizer, unit):
    assert_linear(lambda size: recognizer.detect(unit * (size // len(unit))), 5_000, 40_000)


@given(st.text("0123456789", min_size=1, max_size=18), st.integers(0, 9), st.integers(1, 9))
def test_luhn_finds_every_single_wrong_digit(digits, place, shift):
    check = next(c for c in "0123456789" if luhn(digits + c))
    at = place % len(digits)
    wrong = digits[:at] + str((int(digits[at]) + shift) % 10) + digits[at + 1 :]
    assert not luhn(wrong + check)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(LookupError, match=r"unknown recognizer 'ibann'; known: .*iban"):
        RECOGNIZERS.get("ibann")
    with pytest.raises(LookupError, match=r"known: .*placeholder"):
        OPERATORS.get("shred")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="twice"):
        RECOGNIZERS.register("iban")(type(ALL["iban"]))
