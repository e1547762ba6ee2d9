"""Our recognizers inside a stock Presidio engine, and Presidio as it comes, to compare with."""

from __future__ import annotations

import socket

import pytest
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

from redaction.ner.weights import default_models_dir
from redaction.presidio import add_to, as_presidio, stock_analyzer
from redaction.recognizers import RECOGNIZERS

IBAN = "DE89370400440532013000"


class NoLanguage(NlpEngine):
    """An engine that knows nothing of language: patterns only."""

    def load(self):
        pass

    def is_loaded(self):
        return True

    def process_text(self, text, language):
        return NlpArtifacts([], [], [], [], self, language)

    def process_batch(self, texts, language, **_):
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word, language):
        return False

    def is_punct(self, word, language):
        return False

    def get_supported_entities(self):
        return []

    def get_supported_languages(self):
        return ["en"]


@pytest.fixture(scope="module")
def engine():
    registry = add_to(RecognizerRegistry(supported_languages=["en"]))
    return AnalyzerEngine(registry=registry, nlp_engine=NoLanguage(), supported_languages=["en"])


def test_every_recognizer_of_ours_is_in_it_with_its_types(engine):
    names = {recognizer.name for recognizer in engine.registry.recognizers}
    assert names == set(RECOGNIZERS.names())
    assert set(engine.get_supported_entities("en")) == {
        t for n in RECOGNIZERS.names() for t in RECOGNIZERS.get(n).types
    }


def test_it_finds_what_ours_find_and_explains_without_quoting(engine):
    text = f"Pay {IBAN}, BIC: DEUTDEFF, mail ann@example.com, phone +44 20 7946 0958"
    results = engine.analyze(text, "en", return_decision_process=True)
    got = {(r.entity_type, text[r.start : r.end]) for r in results}
    assert {("IBAN_CODE", IBAN), ("EMAIL_ADDRESS", "ann@example.com"), ("PHONE_NUMBER", "+44 20 7946 0958")} <= got
    for result in results:
        assert result.analysis_explanation.recognizer in RECOGNIZERS.names()
        assert text[result.start : result.end] not in str(result.analysis_explanation)
    [iban] = [r for r in results if r.entity_type == "IBAN_CODE"]
    assert iban.score == 1.0
    assert iban.analysis_explanation.validation_result is True


def test_only_what_is_asked_for_is_answered():
    recognizer = as_presidio(RECOGNIZERS.get("email_address")())
    assert recognizer.analyze("ann@example.com", ["IBAN_CODE"]) == []
    assert [r.entity_type for r in recognizer.analyze("ann@example.com", ["EMAIL_ADDRESS"])] == ["EMAIL_ADDRESS"]


def test_the_language_is_the_callers():
    assert as_presidio(RECOGNIZERS.get("iban")(), "de").supported_language == "de"


def test_stock_presidio_runs_without_the_network(monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection"))
    stock = stock_analyzer(default_models_dir())
    found = {r.entity_type for r in stock.analyze("I am Ada Lovelace, ada@example.com", "en")}
    assert {"PERSON", "EMAIL_ADDRESS"} <= found
    assert "SpacyRecognizer" in {r.name for r in stock.registry.recognizers}
    assert "UkNinoRecognizer" not in {r.name for r in stock.registry.recognizers}  # off as it comes
