"""The part of ``python -m benchmarks.redaction`` that scores hand-tagged sentences, without models."""

from __future__ import annotations

from benchmarks.redaction import entities, report
from benchmarks.redaction.measure import Span
from finslm.evaluate.datasets.entities import Sentence

SENTENCE = Sentence(
    ("The", "Lender", "met", "Ann", "Lee", "in", "Utah"), ("O", "B-PER", "O", "B-PER", "I-PER", "O", "B-LOC")
)


def test_words_become_text_and_roles_are_nobody():
    marked = entities.marked(SENTENCE)
    assert marked.text == "The Lender met Ann Lee in Utah"
    assert marked.truth == [Span(15, 22, "PERSON"), Span(26, 30, "LOCATION")]


def test_a_span_names_the_words_it_touches():
    words = entities.marked(SENTENCE).words
    assert entities.tags(words, [Span(16, 20, "PERSON")])[3:5] == ["B-PERSON", "I-PERSON"]
    assert entities.tags(words, []) == ["O"] * 7


def test_what_is_found_is_scored_by_the_types_that_are_compared(tmp_path):
    """A street address counts as a place; a type that is nobody's counts neither way."""

    def find(texts):
        return [[Span(15, 22, "PERSON"), Span(4, 10, "PERSON"), Span(26, 30, "STREET_ADDRESS"), Span(0, 3, "US_SSN")]]

    measured = entities.measure(find, [entities.marked(SENTENCE)])
    assert measured["entities"]["all"] == {"count": 2, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert measured["typed"] == {"recall": 1.0, "precision": 1.0}
    both = {"entities": {"fin": {"ours": measured, "presidio": measured}}}
    assert report.table(both).row_count == 6


def test_sets_that_are_not_there_are_not_measured(tmp_path):
    (tmp_path / "wnut17").mkdir()
    (tmp_path / "wnut17" / "emerging.test.annotated").write_text("Oslo\tB-location\n")
    ((name, (one,)),) = entities.load(tmp_path)
    assert (name, one.truth) == ("wnut17", [Span(0, 4, "LOCATION")])
