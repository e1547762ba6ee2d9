"""The laws of merging."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from redaction.detection import Detection, join_adjacent, merge

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
def test_every_found_character_stays_covered_and_nothing_else(found, kept):
    assert covered(merge(found, yielding=kept)) == covered(found)


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


def test_then_the_score_decides_and_then_the_length():
    short, long = Detection(0, 3, "PERSON", 0.8, "a"), Detection(2, 9, "LOCATION", 0.8, "b")
    assert [d.type for d in merge([short, long])] == ["LOCATION"]
    assert [d.type for d in merge([Detection(0, 3, "PERSON", 0.9, "a"), long])] == ["PERSON"]


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
