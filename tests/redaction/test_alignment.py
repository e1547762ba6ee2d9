"""Pieces of a text and of its redacted form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction import Detection, Redacted
from redaction.alignment import Alignment

TEXT = "ask Ada Byron, or Bo"
FOUND = (Detection(4, 13, "PERSON", 1.0, "t"), Detection(18, 20, "PERSON", 1.0, "t"))
REDACTED = Redacted(
    "ask <PERSON_1>, or <PERSON_2>", FOUND, {"<PERSON_1>": "Ada Byron", "<PERSON_2>": "Bo"}, {}, {},
    places=((4, 14), (19, 29)),
)  # fmt: skip


class TestAlignment:
    def test_what_replaces_a_value_stands_for_it(self):
        aligned = Alignment(REDACTED)
        assert [aligned.shown(found.start, found.end) for found in FOUND] == list(REDACTED.places)
        assert [aligned.original(*place) for place in REDACTED.places] == [(4, 13), (18, 20)]

    def test_no_value_is_cut(self):
        """A piece that ends in a value has it whole, and the one after begins behind it."""
        aligned = Alignment(REDACTED)
        assert [REDACTED.text[slice(*aligned.shown(*piece))] for piece in ((0, 8), (8, 20))] == [
            "ask <PERSON_1>",
            ", or <PERSON_2>",
        ]
        assert TEXT[slice(*aligned.original(7, 16))] == "Ada Byron, "

    @given(st.lists(st.integers(0, len(TEXT)), max_size=6))
    def test_pieces_in_a_row_add_up_to_the_whole(self, cuts):
        aligned, places = Alignment(REDACTED), [0, *sorted(cuts), len(TEXT)]
        pieces = [REDACTED.text[slice(*aligned.shown(a, b))] for a, b in zip(places, places[1:], strict=False)]
        assert "".join(pieces) == REDACTED.text


@pytest.mark.model
def test_the_redactor_says_where_it_has_written(redactor):
    text = "Ada Byron, IBAN DE89370400440532013000, wrote to ada@example.com."
    redacted = redactor.redact(text)
    aligned = Alignment(redacted)
    assert len(redacted.places) == len(redacted.detections) > 2
    for found, (start, end) in zip(redacted.detections, redacted.places, strict=True):
        assert redacted.placeholders[redacted.text[start:end]] == text[found.start : found.end]
        assert aligned.original(start, end) == (found.start, found.end)
