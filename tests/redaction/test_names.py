"""The name classifier: what it reads, what it says, that its offsets are exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.budget import budget
from redaction.errors import DetectionFailed, ModelMissing
from redaction.ner.encoding import GAPS, SHAPES, encode
from redaction.ner.names import LEFT_TO_PATTERNS, Names


@pytest.fixture(scope="module")
def names():
    return Names()


def found(names, text):
    return [(text[d.start : d.end], d.type) for d in names.detect(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Margaret Okonkwo.", ("Margaret Okonkwo", "PERSON")),
        ("Please call Jürgen Müller-Lüdenscheidt back.", ("Jürgen Müller-Lüdenscheidt", "PERSON")),
        ("my name is margaret okonkwo and i live in bristol", ("margaret okonkwo", "PERSON")),
        ("We moved our account from Lisbon to Tokyo last year.", ("Tokyo", "LOCATION")),
        ("Please send it to 27 Linden Avenue in Bristol.", ("27 Linden Avenue", "STREET_ADDRESS")),
        ("I have worked for Holloway & Partners LLP since March.", ("Holloway & Partners LLP", "ORGANIZATION")),
    ],
)
def test_it_finds_names_places_firms_and_addresses(names, text, expected):
    assert expected in found(names, text)


@pytest.mark.parametrize(
    "text",
    [
        "What is the exchange rate today?",
        "Please send me the statement as a PDF.",
        "The interest on the loan is due on Monday.",
        "IBAN, BIC and SWIFT are the same to me.",
        "my card XXXX-XXXX-XXXX was declined",
    ],
)
def test_it_leaves_ordinary_text(names, text):
    assert found(names, text) == []


def test_it_says_only_types_that_it_answers_for(names):
    assert not set(names.types) & LEFT_TO_PATTERNS
    assert {"PERSON", "LOCATION", "ORGANIZATION", "STREET_ADDRESS"} <= set(names.types)


@settings(max_examples=60)
@given(st.text(st.characters() | st.sampled_from("Ann Bé \n.,-'1"), max_size=300))
def test_any_text_gives_ordered_spans_inside_it(names, text):
    text = text.encode("utf-8", "replace").decode("utf-8")
    spans = [(d.start, d.end) for d in names.detect(text)]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:], strict=False))


def test_texts_together_give_what_they_give_alone(names):
    texts = ["I am Ann Lee.", "", "Berlin is cold; Omar Haddad is in Cairo.", "no one"]
    together, alone = names.detect_batch(texts), [names.detect(text) for text in texts]
    assert [[(d.start, d.end, d.type) for d in one] for one in together] == [
        [(d.start, d.end, d.type) for d in one] for one in alone
    ]


def test_with_threads_the_same_is_found_and_no_time_left_is_an_error(names):
    several = Names(threads=2)
    texts = ["My name is Margaret Okonkwo. " + "All was in line with what we had expected. " * 40, "I am Ann Lee."]
    assert several.detect_batch(texts) == names.detect_batch(texts)
    with budget(0), pytest.raises(DetectionFailed, match="out of time"):
        several.detect_batch(texts)


def test_a_name_deep_in_a_long_text_is_found_at_its_place(names):
    filler = "The quarterly figures were in line with what we had expected. " * 60
    text = f"{filler}My name is Margaret Okonkwo. {filler}"
    assert ("Margaret Okonkwo", "PERSON") in found(names, text)


def test_a_window_that_repeats_is_computed_once(names, monkeypatch):
    ran = []
    run = names._run
    monkeypatch.setattr(names, "_run", lambda texts, windows: ran.append(len(windows)) or run(texts, windows))
    names.detect_batch(["I am Ann Lee."] * 50)
    assert ran == [1]


def test_a_missing_model_says_so(tmp_path):
    with pytest.raises(ModelMissing, match=r"config\.json is missing"):
        Names(tmp_path)


def test_each_word_says_how_it_is_written_and_what_stands_before_it(names):
    text = "Dear Šárka,\n IBAN DE89370400440532013000 iPhone M. 5  x"
    words = encode(names._tokenizer, [text])
    said = {
        text[start:end]: (SHAPES[words.features[first] // len(GAPS)], GAPS[words.features[first] % len(GAPS)])
        for first, start, end in zip(words.first, words.starts, words.ends, strict=True)
    }
    assert said["Dear"] == ("title", "start")
    assert said["Šárka"] == ("title", "space")
    assert said[","] == ("mark", "none")
    assert said["IBAN"] == ("upper", "line")
    assert said["DE89370400440532013000"] == ("alphanumeric", "space")
    assert said["iPhone"] == ("mixed", "space")
    assert said["M"] == ("initial", "space")
    assert said["5"] == ("digits", "space")
    assert said["x"] == ("lower", "wide")


def test_long_words_cost_few_pieces(names):
    plain, junk, number = np.diff(encode(names._tokenizer, ["word", "qzxj" * 15, "12345678901234567890"]).bounds)
    assert junk <= 6 * plain
    assert number <= 2
