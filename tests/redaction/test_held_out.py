"""The held-out finance documents: sound labels, and floors a little below the recorded figures."""

from __future__ import annotations

import csv
import io
import json

import pytest

from benchmarks.redaction import finance
from benchmarks.redaction.documents import CHECKED, documents

COUNT = 208


@pytest.fixture(scope="module")
def made():
    return finance.make(COUNT)


def test_labels_lie_in_the_text_in_order_and_apart(made):
    for document in made:
        before = 0
        for value in document.values:
            assert before <= value.start < value.end <= len(document.text)
            assert document.text[value.start : value.end].strip()
            before = value.end


def test_there_are_forty_structures_and_many_kinds_of_numbers_and_a_seed_gives_the_same_again(made):
    assert len({document.kind for document in made}) >= 40
    assert len({value.type for document in made for value in document.values} & CHECKED) >= 25
    assert list(documents(finance.SEED, 60)) == made[:60]
    assert [d.text for d in documents(finance.SEED + 1, 60)] != [d.text for d in made[:60]]


def test_exports_are_sound(made):
    for document in made:
        if document.format == "json":
            assert json.loads(document.text)
        elif document.format == "csv":
            rows = list(csv.reader(io.StringIO(document.text), delimiter=";" if ";" in document.text else ","))
            assert len({len(row) for row in rows}) == 1


def test_numbers_names_and_addresses_are_found(made):
    found = finance.measure(finance.ours(), made)
    recall = found["recall"]
    assert recall["check digits"]["typed"] >= 0.97
    assert recall["check digits"]["any_type"] >= 0.98
    assert recall["names"]["typed"] >= 0.94
    assert recall["names"]["any_type"] >= 0.98
    assert recall["addresses"]["any_type"] >= 0.95
    assert found["by_character"]["precision"] >= 0.93
