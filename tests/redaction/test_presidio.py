"""The adapter: the faults of Presidio that it does not inherit."""

from __future__ import annotations

import re

import pytest
import re2
import regex
from hypothesis import given
from hypothesis import strategies as st
from presidio_analyzer import predefined_recognizers as stock

from redaction.budget import budget, remaining_s
from redaction.errors import DetectionFailed
from redaction.presidio import StockRecognizer, presidio_recognizers
from redaction.presidio.deadline import Deadline, fail_closed
from redaction.presidio.table import ROWS
from redaction.recognizers import RECOGNIZERS
from redaction.recognizers.scan import Recognizers
from tests.pace import assert_linear


def unmark(example):
    """The text without its marks, and the span between them."""
    before, value, after = re.split("[⟦⟧]", example)
    return before + value + after, [(len(before), len(before) + len(value))]


def test_a_pattern_that_runs_out_of_time_raises():
    slow = Deadline(regex.compile(r"(a|aa)+$"))
    with budget(0.3), pytest.raises(DetectionFailed, match="pattern ran out of time"):
        list(slow.finditer("a" * 60 + "b", timeout=60))


def test_a_recognizer_reports_its_time_out_as_a_failure():
    recognizer = fail_closed(stock.UsSsnRecognizer())
    recognizer.patterns[0].compiled_regex = Deadline(regex.compile(r"(a|aa)+$"))
    with budget(0.3), pytest.raises(DetectionFailed):
        recognizer.analyze("a" * 60 + "b", ["US_SSN"])


def test_a_recognizer_that_matches_in_a_way_of_its_own_is_refused():
    with pytest.raises(TypeError, match="IbanRecognizer"):
        fail_closed(stock.IbanRecognizer())


def test_a_budget_inside_a_budget_is_only_ever_shorter():
    with budget(1), budget(100):
        assert remaining_s() <= 1
    with budget(0), pytest.raises(DetectionFailed, match="ran out of time"):
        remaining_s()


STOCK = {recognizer.name: recognizer for recognizer in map(StockRecognizer, ROWS)}
each = pytest.mark.parametrize("recognizer", STOCK.values(), ids=STOCK)


@each
def test_each_of_presidios_finds_its_examples_and_leaves_the_others(recognizer):
    for example in recognizer.examples:
        text, spans = unmark(example)
        assert [(d.start, d.end) for d in recognizer.detect(text)] == spans
        assert [(d.start, d.end) for d in Recognizers([recognizer]).detect(text)] == spans  # its trigger matches
    for text in recognizer.counter_examples:
        assert recognizer.detect(text) == []


@each
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("0123456789 -ABCXYZ")))
def test_each_of_presidios_survives_any_text(recognizer, text):
    cued = unmark(recognizer.examples[0])[0].split()[0] + " " + text
    for detection in recognizer.detect(cued):
        assert 0 <= detection.start < detection.end <= len(cued)
        assert 0 < detection.score <= 1
        assert detection.source == recognizer.name
        assert re2.search(recognizer.trigger, cued)


def test_presidio_is_left_out_where_ours_find_the_type_and_used_elsewhere():
    ours = {type_ for name in RECOGNIZERS.names() for type_ in RECOGNIZERS.get(name)().types}
    used = presidio_recognizers()
    assert len(used) >= 10
    assert all(not ours.issuperset(recognizer.types) for recognizer in used)


def test_a_stock_recognizer_out_of_time_raises():
    recognizer = StockRecognizer(next(row for row in ROWS if row.kind is stock.UuidRecognizer))
    recognizer._own.patterns[0].compiled_regex = Deadline(regex.compile(r"(a|aa)+$"))
    with budget(0.3), pytest.raises(DetectionFailed, match="pattern ran out of time"):
        recognizer.detect("a" * 60 + "b")


def test_all_of_presidios_together_take_linear_time_on_hostile_text():
    every = Recognizers(list(STOCK.values()))
    for unit in ("passport A1", "member id A1-", "driver's license 1 ", "kfz B-M ", "1-"):
        assert_linear(lambda size, unit=unit: every.detect(unit * (size // len(unit))), 5_000, 40_000)
