"""Postcodes by their rules, and addresses as one span."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.recognizers.postal import StreetAddress, ZipCode

ZIPS, STREETS = ZipCode(), StreetAddress()


def found(recognizer, text):
    return [text[d.start : d.end] for d in recognizer.detect(text)]


@pytest.mark.parametrize("code", ["EC1A 1BB", "W1A 0AX", "M1 1AE", "B33 8TH", "CR2 6XH", "DN55 1PT", "GIR 0AA"])
def test_british_postcodes_need_no_word(code):
    assert found(ZIPS, f"in London {code}, she said") == [code]


@pytest.mark.parametrize("code", ["QZ1 1AA", "EC1A 1CB", "M1 1AI", "D1F 2O2", "Z1Z 1Z1"])
def test_what_breaks_the_rules_is_no_postcode(code):
    assert found(ZIPS, f"in London {code}, she said") == []


@given(st.from_regex(r"[0-9]{5}(-[0-9]{4})?|[0-9]{4}|[0-9]{3} [0-9]{2}|[0-9]{4}-[0-9]{3}", fullmatch=True))
def test_behind_a_word_every_grouping_is_one_and_without_it_none(code):
    for frame in ("ZIP: {}", "my zip code is {}", '"postalCode": "{}"', "PLZ {}"):
        assert found(ZIPS, frame.format(code)) == [code]
    assert found(ZIPS, f"order {code} of") == []


@pytest.mark.parametrize(
    "address",
    [
        "350 Fifth Avenue, Suite 3300, New York, NY 10118",
        "Unit 0822 Box 8858\nDPO AA 13319",
        "10 rue de Rivoli, 75001 Paris",
        "Musterstraße 5\n80331 München",
        "Drottninggatan 12, 111 51 Stockholm",
        "25 Martin Place, Sydney NSW 2000",
        "Rua Augusta 100, 1100-053 Lisboa",
        "P.O. Box 1234",
        "7 Grove Road\nLeeds LS1 4AP",
    ],
)
def test_an_address_is_one_span(address):
    assert found(STREETS, f"Please write to {address}.") == [address]


@pytest.mark.parametrize(
    "text",
    [
        "12 months in Court",
        "3 District Court judges",
        "in 2023 Wall Street lost",
        "500 GB Hard Drive",
        "revenue via 5 banks",
        "Section 12 Street",
        "during 1984 the Brigade 5",
    ],
)
def test_other_words_are_no_street(text):
    assert found(STREETS, text) == []


def test_forms_alone_cover_more_than_half_of_the_labelled_addresses(shared_data):
    rows = json.loads((shared_data / "pii" / "synth_dataset_v2.json").read_text("utf-8"))
    hit = total = said = right = 0
    for row in rows:
        any_type = {i for s in row["spans"] for i in range(s["start_position"], s["end_position"])}
        gold = {
            i
            for s in row["spans"]
            if s["entity_type"] == "STREET_ADDRESS"
            for i in range(s["start_position"], s["end_position"])
        }
        got = {i for d in STREETS.detect(row["full_text"]) for i in range(d.start, d.end)}
        hit, total, said, right = hit + len(got & gold), total + len(gold), said + len(got), right + len(got & any_type)
    assert hit / total > 0.6
    assert right / said > 0.93
