"""Ordinary lines hold nothing personal: the short form of ``python -m benchmarks.redaction --parts ordinary``."""

from __future__ import annotations

import pytest

from benchmarks.redaction import ordinary
from benchmarks.redaction.systems import patterns_only

LINES = 15_000


@pytest.fixture(scope="module")
def measured():
    return ordinary.measure(patterns_only(), ordinary.lines(7, LINES))


def test_no_timestamp_becomes_a_card(measured):
    assert measured["timestamp"]["lines"] == LINES // 3
    assert ordinary.cards_from_timestamps(measured) == 0


@pytest.mark.parametrize(("kind", "bound"), [("timestamp", 2.0), ("amount", 8.0), ("order", 3.0)])
def test_few_ordinary_lines_are_taken_for_something(measured, kind, bound):
    assert measured[kind]["per_1000_lines"] < bound, measured[kind]["by_type"]


def test_the_measure_sees_a_card():
    """The control: a check that never fails is none."""
    found = ordinary.measure(patterns_only(), iter([("timestamp", "4111 1111 1111 1111")]))
    assert ordinary.cards_from_timestamps(found) == 1
