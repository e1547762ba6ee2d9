"""The adapters that ship are as good as their cards say, on published test rows, loaded as serving does, redacted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from finslm.config import EngineSettings
from finslm.engine.adapters import AdapterCard
from finslm.engine.local import LocalEngine
from finslm.evaluate.data import load
from finslm.evaluate.datasets.classification import OUT_OF_SCOPE
from finslm.models.registry import Registry
from finslm.tasks import TASKS
from finslm.train import recipe as recipes
from redaction import Redactor
from redaction.ner.weights import default_models_dir

ROWS = 400
"""Every n-th test row in scope, so many: `finslm evaluate` scores them all."""
SHIPPED = ("banking77-intent", "extract-payment", "intent", "sentiment", "summarise", "tfns-sentiment")
SERVED = ("banking_intent", "news_sentiment")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(default_models_dir())


@pytest.mark.parametrize("name", SHIPPED)
def test_it_is_small_pinned_and_has_its_card(registry, name):
    """At most 12 MB, safetensors, its digest in the manifest, its figures and licences in the card."""
    adapter = registry.resolve(name, verify=True)
    assert adapter.size_bytes < 12e6
    assert {path.suffix for path in adapter.path.iterdir()} == {".json", ".md", ".safetensors"}
    card = (adapter.path / "README.md").read_text()
    assert "95 % interval" in card
    assert re.search("CC BY 4.0|MIT|public domain", card)


def baseline(folder: Path) -> float:
    """The figure in the card."""
    return float(re.search(r"TF-IDF \+ linear SVM \| (0\.\d+)", (folder / "README.md").read_text())[1])


@pytest.mark.model
@pytest.mark.parametrize("task", SERVED)
async def test_it_beats_the_baseline_on_its_test_rows_behind_redaction(registry, shared_data, task):
    """A share of the rows in scope, redacted, through the engine."""
    name = TASKS.get(task).adapter
    adapter = registry.resolve(name)
    base, encoder = registry.resolve("smollm2-135m-instruct"), registry.resolve("all-minilm-l6-v2")
    recipe = recipes.read(name)
    rows = [row for row in load(recipe.data, shared_data, recipe.seed).test if row.label != OUT_OF_SCOPE]
    chosen = rows[:: len(rows) // ROWS][:ROWS]
    redacted = Redactor.from_policy(None).redact_batch([row.text for row in chosen])
    partner = AdapterCard.read(adapter.path).partner
    together = [adapter, *([] if partner is None else [registry.resolve(partner.adapter)])]
    adapters = {each.identity.name: (each.path, each.identity) for each in together}
    engine = LocalEngine(base.path, base.identity, adapters, EngineSettings(), encoder_dir=encoder.path)
    await engine.start()
    try:
        hits = 0
        for row, shown in zip(chosen, redacted, strict=True):
            labels, _ = await engine.classify(TASKS.get(task).render(shown.redacted_text), name)
            hits += labels[0].label == row.label
    finally:
        await engine.close()
    assert hits / len(chosen) > baseline(adapter.path), f"{hits} of {len(chosen)}"
