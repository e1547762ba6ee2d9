"""The adapter: the faults of Presidio that it does not inherit."""

from __future__ import annotations

import time

import pytest
import regex
from presidio_analyzer import predefined_recognizers as stock

from redaction.budget import budget, remaining_s
from redaction.errors import DetectionFailed
from redaction.ner.weights import default_models_dir
from redaction.presidio import Presidio, _Deadline, _fail_closed


@pytest.fixture(scope="module")
def presidio():
    return Presidio(default_models_dir())


def test_a_pattern_that_runs_out_of_time_raises():
    slow = _Deadline(regex.compile(r"(a|aa)+$"))
    with budget(0.3), pytest.raises(DetectionFailed, match="pattern ran out of time"):
        list(slow.finditer("a" * 60 + "b", timeout=60))


def test_a_recognizer_reports_its_time_out_as_a_failure():
    recognizer = _fail_closed(stock.UsSsnRecognizer())
    recognizer.patterns[0].compiled_regex = _Deadline(regex.compile(r"(a|aa)+$"))
    with budget(0.3), pytest.raises(DetectionFailed):
        recognizer.analyze("a" * 60 + "b", ["US_SSN"])


def test_every_pattern_honours_the_budget_and_the_class_keeps_its_own(presidio):
    patterns = [p for r in presidio._engine.registry.recognizers for p in getattr(r, "patterns", ())]
    assert len(patterns) > 20
    assert all(isinstance(pattern.compiled_regex, _Deadline) for pattern in patterns)
    assert not any(isinstance(p.compiled_regex, _Deadline) for p in stock.UsSsnRecognizer.PATTERNS)


def test_a_recognizer_that_matches_in_a_way_of_its_own_is_refused():
    with pytest.raises(TypeError, match="IbanRecognizer"):
        _fail_closed(stock.IbanRecognizer())


def test_a_repeated_pattern_of_20_kb_does_not_blow_up(presidio):
    start = time.process_time()
    with budget(60):
        presidio.detect("a." * 10_000)
    assert time.process_time() - start < 10


def test_words_of_the_trade_are_no_organisations(presidio):
    text = "The IBAN and the BIC were wrong, said the FDIC about Barclays Bank PLC."
    found = [text[d.start : d.end] for d in presidio.detect(text) if d.type == "ORGANIZATION"]
    assert found == ["Barclays Bank PLC"]


def test_masked_text_and_short_numbers_are_nobodys(presidio):
    found = presidio.detect("On XX/XX/2023 XXXX XXXX of XXXX wrote about 15 USC 1681 to me.")
    assert not [d for d in found if d.type in ("PERSON", "ORGANIZATION", "PHONE_NUMBER")]


def test_a_context_word_before_a_weak_pattern_raises_it(presidio):
    [plain] = [d for d in presidio.detect("the value 123456789012 is it") if d.type == "US_BANK_NUMBER"]
    [cued] = [d for d in presidio.detect("bank account 123456789012 is it") if d.type == "US_BANK_NUMBER"]
    assert plain.score < 0.35 <= cued.score


def test_what_crosses_a_window_is_found_whole(presidio):
    text = "x " * 1990 + "SSN 536-22-1234 and more " * 3
    spans = {text[d.start : d.end] for d in presidio.detect(text) if d.type == "US_SSN" and d.score > 0.35}
    assert spans == {"536-22-1234"}


def test_the_vocabulary_forgets_the_words_of_a_request(presidio):
    presidio.detect("My name is Zyxwvutsr Qponmlkj")
    before = len(presidio._spacy._pipeline.vocab.strings)
    presidio.detect("My name is Qwyjibo Farnsworthington and I bank at Gringotterly")
    assert len(presidio._spacy._pipeline.vocab.strings) == before
    assert "Farnsworthington" not in presidio._spacy._pipeline.vocab.strings


def test_a_budget_inside_a_budget_is_only_ever_shorter():
    with budget(1), budget(100):
        assert remaining_s() <= 1
    with budget(0), pytest.raises(DetectionFailed, match="ran out of time"):
        remaining_s()
