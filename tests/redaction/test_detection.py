"""The laws of merging."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.detection import Detection, merge
from redaction.joining import join_adjacent
from tests.pace import assert_linear

TYPES = ("PERSON", "IBAN_CODE", "DATE_TIME", "LOCATION")
KEPT = frozenset({"DATE_TIME"})


@st.composite
def detections(draw: st.DrawFn) -> Detection:
    start = draw(st.integers(0, 60))
    return Detection(
        start,
        start + draw(st.integers(0, 15)),
        draw(st.sampled_from(TYPES)),
        draw(st.floats(0, 1)),
        draw(st.sampled_from(("a", "b"))),
        draw(st.booleans()),
    )


def covered(found):
    return {place for d in found for place in range(d.start, d.end)}


@given(st.lists(detections()), st.sampled_from((frozenset(), KEPT)))
def test_without_the_text_every_found_character_stays_covered_and_nothing_else(found, kept):
    assert covered(merge(found, yielding=kept)) == covered(found)


TEXTS = st.text(st.sampled_from("a1 .,\n"), min_size=80, max_size=80)


@given(st.lists(detections()), TEXTS, st.sampled_from((frozenset(), KEPT)))
def test_with_the_text_every_letter_and_digit_stays_covered_and_nothing_else(found, text, kept):
    merged = merge(found, text=text, yielding=kept)
    letters = {place for place in covered(found) if text[place].isalnum()}
    assert letters <= covered(merged) <= covered(found)
    assert all(a.end <= b.start for a, b in zip(merged, merged[1:], strict=False))


@given(st.lists(detections()), TEXTS)
def test_no_word_is_shared_by_two_types_unless_a_detector_began_or_ended_in_it(found, text):
    edges = {edge for d in found for edge in (d.start, d.end)}
    merged = merge(found, text=text)
    for left, right in zip(merged, merged[1:], strict=False):
        inside = left.end == right.start and text[left.end - 1].isalnum() and text[left.end].isalnum()
        assert not inside or left.end in edges


@given(st.lists(detections()), st.sampled_from((frozenset(), KEPT)))
def test_the_result_is_sorted_and_free_of_overlaps(found, kept):
    merged = merge(found, yielding=kept)
    assert all(a.end <= b.start for a, b in zip(merged, merged[1:], strict=False))
    assert all(d.start < d.end for d in merged)


@given(st.lists(detections()))
def test_a_kept_type_never_covers_what_another_type_found(found):
    merged = merge(found, yielding=KEPT)
    protected = covered(d for d in found if d.type not in KEPT)
    assert covered(d for d in merged if d.type not in KEPT) == protected


@given(st.lists(detections()), st.randoms())
def test_the_order_of_detectors_does_not_matter(found, random):
    shuffled = random.sample(found, len(found))
    assert merge(shuffled, yielding=KEPT) == merge(found, yielding=KEPT)


@given(st.lists(detections()))
def test_merging_twice_changes_nothing(found):
    merged = merge(found, yielding=KEPT)
    assert merge(merged, yielding=KEPT) == merged


@given(st.lists(detections()), st.text(st.sampled_from("a .'-,\n"), min_size=80, max_size=80))
def test_joining_covers_at_least_what_was_found(found, text):
    merged = merge(found)
    joined = join_adjacent(merged, text)
    assert covered(joined) >= covered(merged)
    assert all(a.end <= b.start for a, b in zip(joined, joined[1:], strict=False))


def test_a_proven_pattern_names_the_union_even_when_a_model_is_surer():
    iban = Detection(4, 26, "IBAN_CODE", 0.9, "iban", validated=True)
    person = Detection(0, 10, "PERSON", 0.99, "ner")
    [union] = merge([person, iban])
    assert (union.start, union.end, union.type) == (0, 26, "IBAN_CODE")


def test_of_guesses_the_longer_then_the_surer_one_names_it():
    short, long = Detection(0, 3, "PERSON", 0.8, "a"), Detection(2, 9, "LOCATION", 0.8, "b")
    assert [d.type for d in merge([short, long])] == ["LOCATION"]
    assert [d.type for d in merge([Detection(0, 9, "PERSON", 0.9, "a"), replace(long, start=0)])] == ["PERSON"]
    assert [d.type for d in merge([short, replace(long, score=0.4)])] == ["PERSON"]


def pieces(text, *said):
    """What each type has of the text; ``said`` are (piece, type, score, validated)."""
    found = [Detection(text.index(p), text.index(p) + len(p), t, s, "x", v) for p, t, s, v in said]
    return [(text[d.start : d.end], d.type) for d in join_adjacent(merge(found, text=text), text)]


class TestCutting:
    def test_an_organisation_does_not_stretch_an_iban(self):
        text = "Acme Holdings Ltd DE89370400440532013000 Leeds"
        said = (text, "ORGANIZATION", 0.9, False), ("DE89370400440532013000", "IBAN_CODE", 1.0, True)
        assert pieces(text, *said) == [
            ("Acme Holdings Ltd", "ORGANIZATION"),
            ("DE89370400440532013000", "IBAN_CODE"),
            ("Leeds", "ORGANIZATION"),
        ]

    def test_a_phone_inside_an_address_is_a_phone(self):
        text = "12 High Street, 020 7946 0958, Leeds"
        said = (text, "STREET_ADDRESS", 0.95, False), ("020 7946 0958", "PHONE_NUMBER", 0.7, False)
        assert pieces(text, *said) == [
            ("12 High Street", "STREET_ADDRESS"),
            ("020 7946 0958", "PHONE_NUMBER"),
            ("Leeds", "STREET_ADDRESS"),
        ]

    def test_within_a_word_nothing_is_cut(self):
        text = "xyz4111111111111111abc def"
        said = (text, "PERSON", 0.9, False), ("4111111111111111", "CREDIT_CARD", 1.0, True)
        assert pieces(text, *said) == [("xyz4111111111111111abc", "CREDIT_CARD"), ("def", "PERSON")]

    def test_the_longer_proof_wins(self):
        text = "DE89370400440532013000"
        said = (text, "IBAN_CODE", 0.9, True), ("3704004405", "BANK_ACCOUNT", 1.0, True)
        assert pieces(text, *said) == [(text, "IBAN_CODE")]

    def test_a_weak_guess_inside_an_address_is_part_of_it(self):
        text = "Flat 12345678, Leeds"
        said = (text, "STREET_ADDRESS", 0.9, False), ("12345678", "US_BANK_NUMBER", 0.4, False)
        assert pieces(text, *said) == [(text, "STREET_ADDRESS")]

    def test_a_person_in_the_name_of_a_firm_is_part_of_it(self):
        text = "Okonkwo & Sons"
        said = (text, "ORGANIZATION", 0.8, False), ("Okonkwo", "PERSON", 0.99, False)
        assert pieces(text, *said) == [(text, "ORGANIZATION")]

    def test_overlaps_take_linear_time(self):
        found = [Detection(n, n + 30, TYPES[n % 4], n % 7 / 7, "x", n % 3 == 0) for n in range(16_000)]
        assert_linear(lambda count: merge(found[:count], text="ab " * (count // 2)), 2_000, 16_000)


class TestAddresses:
    @pytest.mark.parametrize("between", [", ", " ", "\n", ",\n", "\r\n", ",  "])
    def test_the_parts_of_a_postal_address_are_one(self, between):
        text = between.join(("12 High Street", "Leeds", "LS1 4AB"))
        said = zip(("12 High Street", "Leeds", "LS1 4AB"), ("STREET_ADDRESS", "LOCATION", "ZIP_CODE"), strict=True)
        assert pieces(text, *((p, t, 0.9, False) for p, t in said)) == [(text, "STREET_ADDRESS")]

    @pytest.mark.parametrize("left", ["Gottfried-Keller", "Gottfried-Keller-"])
    def test_a_name_tied_to_a_street_by_a_hyphen_is_the_streets(self, left):
        text = "Gottfried-Keller-Weg 8"
        said = (left, "PERSON", 0.9, False), (text[len(left) :].lstrip("-"), "STREET_ADDRESS", 0.9, False)
        assert pieces(text, *said) == [(text, "STREET_ADDRESS")]

    def test_places_without_a_street_stay_apart(self):
        said = ("Leeds", "LOCATION", 0.9, False), ("York", "LOCATION", 0.9, False)
        assert pieces("Leeds, York", *said) == [("Leeds", "LOCATION"), ("York", "LOCATION")]

    def test_a_word_between_parts_them(self):
        said = ("12 High Street", "STREET_ADDRESS", 0.9, False), ("York", "LOCATION", 0.9, False)
        assert [t for _, t in pieces("12 High Street or York", *said)] == ["STREET_ADDRESS", "LOCATION"]

    def test_a_kept_type_joins_nothing(self):
        text = "12 High Street, Leeds"
        found = [Detection(0, 14, "STREET_ADDRESS", 0.9, "x"), Detection(16, 21, "LOCATION", 0.9, "x")]
        assert join_adjacent(found, text, yielding=frozenset({"LOCATION"})) == found


def test_a_chain_of_overlaps_is_one_detection():
    chain = [Detection(n, n + 3, "PERSON", 0.5, "a") for n in range(0, 20, 2)]
    [union] = merge(chain)
    assert (union.start, union.end) == (0, 21)


def test_first_and_last_name_become_one_but_two_people_stay_two():
    text = "Ada Lovelace, Alan Turing"
    parts = [(0, 3), (4, 12), (14, 18), (19, 25)]
    names = [Detection(*part, "PERSON", 0.9, "ner") for part in parts]
    assert [text[d.start : d.end] for d in join_adjacent(names, text)] == ["Ada Lovelace", "Alan Turing"]


def test_a_detection_shows_no_text():
    assert repr(Detection(0, 3, "PERSON", 0.5, "ner")).count("'") == 4  # type and source only
