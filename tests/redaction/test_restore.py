"""Exact restoration, whole and in a stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.errors import RedactionError
from redaction.restore import StreamRestorer, restore, unknown_placeholders

MAP = {"<PERSON_1>": "Ada <PERSON_2>", "<PERSON_2>": "Bob", "<PERSON_10>": "Zoë", "<IBAN_CODE_1>": "DE89"}
PIECES = [*MAP, "<", "<PERSON_", "<PERSON_1", ">", "<PERSON_3>", "<person_1>", "PERSON_1", "1", "_", " ", "é", "<<"]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


def test_a_restored_value_is_not_restored_again():
    assert restore("<PERSON_1> and <PERSON_2>", MAP) == "Ada <PERSON_2> and Bob"


@pytest.mark.parametrize("near", ["<person_1>", "< PERSON_1>", "<PERSON_01>", "PERSON_1", "<PERSON_3>", "＜PERSON_1＞"])
def test_near_misses_stay_as_they_are(near):
    assert restore(near, MAP) == near


def test_unknown_placeholders_are_listed_once_in_order():
    text = "<PERSON_9> <PERSON_1> <CARD_1> <PERSON_9> <x_1>"
    assert unknown_placeholders(text, MAP) == ["<PERSON_9>", "<CARD_1>"]


@given(texts, st.data())
def test_any_chunking_gives_what_the_whole_gives(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stream = StreamRestorer(MAP)
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(map(stream.feed, chunks)) + stream.close() == restore(text, MAP)


@given(texts)
def test_only_a_proper_beginning_of_an_issued_placeholder_is_held_back(text):
    stream, given_out = StreamRestorer(MAP), ""
    for place, character in enumerate(text, 1):
        given_out += stream.feed(character)
        held = next(n for n in range(len(text) + 1) if restore(text[: place - n], MAP) == given_out)
        beginning = text[place - held : place]
        assert not beginning or any(p.startswith(beginning) and p != beginning for p in MAP)


def test_a_stream_without_placeholders_holds_nothing():
    stream = StreamRestorer({})
    assert stream.feed("a <PERSON_") == "a <PERSON_"
    assert stream.close() == ""


def test_a_closed_stream_takes_no_more():
    stream = StreamRestorer(MAP)
    assert stream.feed("x <PER") == "x "
    assert stream.close() == "<PER"
    with pytest.raises(RedactionError, match="closed"):
        stream.feed("y")


def test_ten_thousand_documents_at_every_split():
    """Letters of all planes of Unicode and pieces of placeholders; nothing is held longer than a placeholder."""
    random = np.random.default_rng(11)
    planes = [chr(plane << 16 | low) for plane in range(17) for low in (0x21, 0x3C, 0x41, 0x5F, 0x3E, 0xFF1C, 0xFFFD)]
    pieces = [*PIECES, *planes, "<PERSON_1_7H3KQ2ZD>", "<PERSON_1_7H3K"]
    known = {**MAP, "<PERSON_1_7H3KQ2ZD>": "\U0001f4b6 value"}
    longest = max(map(len, known))
    for _ in range(10_000):
        text = "".join(pieces[n] for n in random.integers(len(pieces), size=6))
        whole = restore(text, known)
        for split in range(len(text) + 1):
            stream = StreamRestorer(known)
            first = stream.feed(text[:split])
            assert len(stream._held) < longest
            assert first + stream.feed(text[split:]) + stream.close() == whole
        stream = StreamRestorer(known)
        assert "".join(map(stream.feed, text)) + stream.close() == whole


def test_a_stream_that_may_be_cut_drops_the_beginning_of_a_name():
    stream = StreamRestorer(MAP)
    assert stream.feed("for <PERSON_") == "for "
    assert stream.close(cut=True) == ""
    stream = StreamRestorer(MAP)
    stream.feed("a <")
    assert stream.close(cut=True) == "<"
