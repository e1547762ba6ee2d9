"""How much is found on public data: a floor, and better than Presidio alone on the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import presidio_analyzer
import pytest
import tldextract
import yaml
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

from redaction.ner.weights import SPACY, default_models_dir

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


@pytest.fixture
def stock(monkeypatch):
    """Presidio as it comes, with the same small spaCy model, and its suffix list offline."""
    monkeypatch.setattr(tldextract, "extract", tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None))
    conf = Path(presidio_analyzer.__file__).parent / "conf" / "default.yaml"
    configuration = yaml.safe_load(conf.read_text("utf-8"))
    configuration["models"] = [{"lang_code": "en", "model_name": str(default_models_dir() / SPACY)}]
    return AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=configuration).create_engine())


def test_character_recall_has_a_floor_and_beats_presidio_alone(redactor, stock, rows):
    texts = [row["full_text"] for row in rows]
    recall, precision = measure(rows, [[(d.start, d.end) for d in found] for found in redactor.analyze_batch(texts)])
    theirs = [[(r.start, r.end) for r in stock.analyze(text, "en", score_threshold=0.35)] for text in texts]
    stock_recall, _ = measure(rows, theirs)
    assert recall >= 0.80
    assert precision >= 0.75
    assert recall > stock_recall
