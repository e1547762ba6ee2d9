"""How much is found on public data: a floor, and better than Presidio alone on the same rows."""

from __future__ import annotations

import json

import pytest

from redaction.ner.weights import default_models_dir
from redaction.presidio import stock_analyzer

ROWS = 150


@pytest.fixture(scope="module")
def rows(shared_data):
    return json.loads((shared_data / "pii" / "synth_dataset_v2.json").read_text("utf-8"))[:ROWS]


def measure(rows, found):
    """Character recall and precision, whatever the type."""
    gold = {
        (n, i)
        for n, row in enumerate(rows)
        for s in row["spans"]
        for i in range(s["start_position"], s["end_position"])
    }
    said = {(n, i) for n, spans in enumerate(found) for start, end in spans for i in range(start, end)}
    return len(gold & said) / len(gold), len(gold & said) / len(said)


@pytest.fixture(scope="module")
def stock():
    """Presidio as it comes, with the same small spaCy model, and its suffix list offline."""
    return stock_analyzer(default_models_dir())


def test_character_recall_has_a_floor_and_beats_presidio_alone(redactor, stock, rows):
    texts = [row["full_text"] for row in rows]
    recall, precision = measure(rows, [[(d.start, d.end) for d in found] for found in redactor.analyze_batch(texts)])
    theirs = [[(r.start, r.end) for r in stock.analyze(text, "en", score_threshold=0.35)] for text in texts]
    stock_recall, _ = measure(rows, theirs)
    assert recall >= 0.95
    assert precision >= 0.90
    assert recall > stock_recall
