"""The adapter that ships is as good as its card says, on the published test rows, loaded as serving loads it."""

from __future__ import annotations

import csv
import re

import pytest

from finslm.config import EngineSettings
from finslm.engine.local import LocalEngine
from finslm.models.registry import Registry
from finslm.tasks import TASKS
from redaction.ner.weights import default_models_dir
from redaction.text import RedactedText

ROWS = 400
"""Every n-th test row, so many: the whole set takes minutes and is `finslm finetune`'s to score."""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(default_models_dir())


def test_it_is_small_pinned_and_has_its_card(registry):
    """At most 12 MB, safetensors, its digest in the manifest, its figures and licence in the card."""
    adapter = registry.resolve("banking77-intent", verify=True)
    assert adapter.size_bytes < 12e6
    assert {path.suffix for path in adapter.path.iterdir()} == {".json", ".md", ".safetensors"}
    card = (adapter.path / "README.md").read_text()
    assert "TF-IDF" in card
    assert "CC BY 4.0" in card


@pytest.mark.model
async def test_it_beats_the_baseline_on_the_published_test_rows(registry, shared_data):
    """A share of the test rows through the engine; the baseline's figure is the one in the card."""
    base, adapter = registry.resolve("smollm2-135m-instruct"), registry.resolve("banking77-intent")
    card = (adapter.path / "README.md").read_text()
    baseline = float(re.search(r"TF-IDF \+ linear SVM \| (0\.\d+)", card)[1])
    with (shared_data / "banking77" / "test.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = rows[:: len(rows) // ROWS][:ROWS]
    engine = LocalEngine(
        base.path, base.identity, {"banking77-intent": (adapter.path, adapter.identity)}, EngineSettings()
    )
    await engine.start()
    try:
        task = TASKS.get("banking_intent")
        hits = 0
        for row in chosen:
            labels, _ = await engine.classify(task.render(RedactedText(row["text"])), "banking77-intent")
            hits += labels[0].label == row["category"]
    finally:
        await engine.close()
    assert hits / len(chosen) > baseline, f"{hits} of {len(chosen)}"
