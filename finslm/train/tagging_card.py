"""The model card of a tagging adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from finslm.train.card_privacy import attacks
from finslm.train.energy import sentence
from finslm.train.tagging_recipe import TaggingRecipe

_TEMPLATE: Final = """---
license: apache-2.0
language: en
library_name: peft
pipeline_tag: token-classification
base_model: {base}
tags: [finance, information-extraction, lora]
---

# {name}

A LoRA adapter and a head on each token on {base}: it tags the fields of payment instructions, invoices and texts of
customer due diligence; code writes the JSON document from what is tagged.

| held-out structures ({documents} documents, {fields} fields) | exact by field | 95 % interval | whole documents |
|---|---|---|---|
| redacted, as served | {exact:.4f} | {low:.4f} to {high:.4f} | {whole:.4f} |
| as they are | {raw:.4f} | {raw_low:.4f} to {raw_high:.4f} | {raw_whole:.4f} |

Calibration error of the fields' scores {calibration:.4f}. Figures: `finslm finetune {name}`; those of each field and
structure are in its `metrics.json`. Scored on: {machine}.

## Intended use

{use}.

## Limits

English only. Trained and tested on documents of a generator (finslm/train/documents), with names from Faker and mimesis
(MIT) and GeoNames (CC BY 4.0): wording that it has not seen makes it miss fields. Where redaction takes words beside a
value along, so does the field.

## What it gives away

Trained without differential privacy, on generated documents alone.

{attacks}

## Training

{train} documents, {dev} to calibrate on, {test} to test on; structures of the three are written apart. LoRA rank
{rank}, alpha {alpha}, on {targets}; {epochs} epochs, batch {batch}, AdamW, learning rate {rate}, seed {seed}.
Temperature {temperature}. {minutes:.0f} minutes.{energy} Versions: {versions}.
"""


def write_card(recipe: TaggingRecipe, report: dict[str, Any], folder: Path) -> None:
    """Write ``README.md`` into an adapter folder."""
    served, raw, training = report["test"]["redacted"], report["test"]["raw"], recipe.training
    text = _TEMPLATE.format(
        name=recipe.name,
        base=recipe.base_model,
        use=recipe.use,
        **{name: served[name] for name in ("documents", "fields", "exact")},
        low=served["exact_low"],
        high=served["exact_high"],
        whole=served["whole_documents"],
        raw=raw["exact"],
        raw_low=raw["exact_low"],
        raw_high=raw["exact_high"],
        raw_whole=raw["whole_documents"],
        calibration=served["calibration_error"],
        machine=report["machine"],
        **report["rows"],
        rank=recipe.lora.rank,
        alpha=recipe.lora.alpha,
        targets=", ".join(recipe.lora.targets),
        epochs=len(report["history"]) or training.epochs,
        batch=training.batch_size,
        rate=training.learning_rate,
        seed=recipe.seed,
        temperature=report["temperature"],
        minutes=report["history"][-1]["seconds"] / 60 if report["history"] else 0,
        energy=sentence(report.get("energy")),
        attacks=attacks(report["audit"], rows="documents", others="of the same structures with other values"),
        versions=", ".join(f"{name} {number}" for name, number in report["versions"].items()),
    )
    (folder / "README.md").write_text(text, "utf-8")
