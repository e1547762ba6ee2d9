"""The token classifier: windows, offsets, words in whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.budget import budget
from redaction.errors import DetectionFailed
from redaction.ner.rampart import Rampart
from redaction.ner.weights import default_models_dir, folder_digest
from redaction.ner.windows import plan


@pytest.fixture(scope="module")
def rampart():
    return Rampart(default_models_dir())


@given(st.integers(0, 2000), st.integers(2, 200), st.data())
def test_windows_own_every_item_once_and_look_at_what_they_own(count, size, data):
    windows = plan(count, size, data.draw(st.integers(0, size - 1)))
    owned = [item for window in windows for item in range(window.own_start, window.own_end)]
    assert owned == list(range(count))
    for window in windows:
        assert window.start <= window.own_start < window.own_end <= window.end <= window.start + size


def test_windows_that_do_not_advance_are_refused():
    with pytest.raises(ValueError, match="overlap"):
        plan(10, 4, 4)


def test_offsets_are_exact_where_normalisation_changes_the_text(rampart):
    text = "My name is Krisztián Szöllösy (한국) and I live in Zürich."
    people = [text[d.start : d.end] for d in rampart.detect(text) if d.type == "PERSON"]
    assert " ".join(people) == "Krisztián Szöllösy"


def test_types_are_ours_and_scores_are_probabilities(rampart):
    found = rampart.detect("Ada Lovelace, 12 High Street, Leeds; phone 020 7946 0958; passport 533380006")
    assert {"PERSON", "STREET_ADDRESS", "LOCATION", "PHONE_NUMBER"} <= {d.type for d in found}
    assert all(0.35 <= d.score <= 1 and d.source == "rampart" and not d.validated for d in found)


def test_a_batch_gives_what_single_texts_give(rampart):
    texts = ["", "Ada Lovelace", "x " * 400 + "Ada Lovelace of Leeds", " "]
    assert rampart.detect_batch(texts) == [rampart.detect(text) for text in texts]


def test_it_stops_when_the_time_is_up(rampart):
    with budget(0), pytest.raises(DetectionFailed, match="ran out of time"):
        rampart.detect("Ada")


def test_a_folder_digest_changes_with_content_and_name_but_not_with_the_manifest(tmp_path):
    (tmp_path / "a").write_text("1")
    first = folder_digest(tmp_path)
    (tmp_path / "finslm-manifest.json").write_text("{}")
    assert folder_digest(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert folder_digest(tmp_path) != first
