"""The model card of a distilled adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from finslm.evaluate.data import Dataset
from finslm.train.distilling.recipe import DistilRecipe

_TEMPLATE: Final = """---
language: en
library_name: peft
base_model: {base}
datasets: [{datasets}]
tags: [finance, lora, distilling-step-by-step]
---

# {name}

A LoRA adapter on {base} that writes one of {labels} labels, trained on labels and on why they hold (distilling
step-by-step, Hsieh et al. 2023, arXiv:2305.02301).

| on {rows} test rows | accuracy | 95 % interval | macro F1 | calibration error |
|---|---|---|---|---|
| this adapter | {accuracy:.4f} | {accuracy_low:.4f} to {accuracy_high:.4f} | {macro_f1:.4f} | {calibration_error:.4f} |
| TF-IDF + linear SVM | {b_accuracy:.4f} | {b_low:.4f} to {b_high:.4f} | {b_f1:.4f} | - |

All figures come from `finslm distil {name} --data <folder>`, the adapter's from this folder, read again, on {machine}.

## Intended use

{use}. Not for decisions about a person. The probabilities are not calibrated.

## Data

{sources}

{train} rows to train on ({explained} with a rationale, from: {source}; weight {weight:g}), {dev} held back (accuracy
{dev_accuracy:.4f}), {rows} to test on. Texts were {redacted}. Of a text the first {max_tokens} tokens are read; {long}
were longer.

## Training

LoRA rank {rank} on {targets}; {steps} steps of {batch} rows, learning rate {rate}, seed {seed}, {minutes:.0f} minutes.
"""


def write(recipe: DistilRecipe, dataset: Dataset, report: dict[str, Any], folder: Path) -> None:
    """Write ``README.md`` of the adapter folder, where peft leaves an empty form."""
    student, baseline, training = report["student"], report["baseline"], recipe.training
    text = _TEMPLATE.format(
        name=recipe.name,
        base=recipe.base_model,
        use=recipe.use,
        datasets=", ".join(source.name for source in dataset.sources),
        labels=len(dataset.labels),
        **{name: value for name, value in student.items() if name != "top3"},
        b_accuracy=baseline["accuracy"],
        b_low=baseline["accuracy_low"],
        b_high=baseline["accuracy_high"],
        b_f1=baseline["macro_f1"],
        sources="\n".join(f"- {s.title}. {s.source}. Licence: {s.licence}." for s in dataset.sources),
        train=len(dataset.train),
        dev=len(dataset.dev),
        explained=report["rows_with_rationale"],
        source=recipe.rationales.source,
        weight=recipe.weight,
        dev_accuracy=report["dev_accuracy"],
        redacted="redacted as in serving" if recipe.data.redact else "not redacted: the recipe says so",
        max_tokens=recipe.student.max_tokens,
        long=report["longer_than_max_tokens"],
        rank=recipe.lora.rank,
        targets=", ".join(recipe.lora.targets),
        batch=training.batch_size,
        rate=training.learning_rate,
        minutes=report["seconds"] / 60,
        **{name: report[name] for name in ("machine", "steps", "seed")},
    )
    (folder / "README.md").write_text(text, "utf-8")
