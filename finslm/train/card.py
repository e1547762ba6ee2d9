"""The model card of an adapter, and the picture of its training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finslm.train.recipe import Recipe

_TEMPLATE = """---
license: cc-by-4.0
language: en
library_name: peft
pipeline_tag: text-classification
base_model: {base}
datasets: [banking77]
tags: [finance, intent-classification, lora]
---

# {name}

A LoRA adapter and a classification head on {base}: {labels} labels, for task `{task}`.

| on the published test rows ({rows}) | accuracy | 95 % interval | macro F1 | top 3 | calibration error |
|---|---|---|---|---|---|
| this adapter | {acc:.4f} | {low:.4f} to {high:.4f} | {f1:.4f} | {top3:.4f} | {ece:.4f} |
| this adapter, without the {seen} test rows seen in training | {uacc:.4f} | {ulow:.4f} to {uhigh:.4f} | {uf1:.4f} | {utop3:.4f} | {uece:.4f} |
| TF-IDF + linear SVM | {bacc:.4f} | {blow:.4f} to {bhigh:.4f} | {bf1:.4f} | - | - |

Both figures come from `finslm finetune {name} --data <folder>`; the adapter's are those of this folder
as serving loads it (LoRA weights in bfloat16). Scored on: {machine}.

## Intended use

Routing a customer's message to one of the intents below, with a person able to correct it. The
probabilities are calibrated by temperature scaling on held-back training rows. It knows no label
for "none of these": a message about something else gets a label all the same, with a lower probability.
Not for decisions about a person.

## Data

{source}.
Licence: {licence}. {train} rows to train on, {dev} held back to calibrate. {overlap} texts that stand word for word
in the test file too were dropped from training; {seen} test rows stand in training with other letter case or spaces,
and the table gives the figures without them too. SHA-256 of the files: {digests}.
The rows are short English messages to a retail bank and hold no personal data; messages in serving
reach the model with placeholders in place of personal data, which these rows do not have.

## Training

LoRA rank {rank}, alpha {alpha}, on {targets}; the head is trained in full. {epochs} epochs, batch
{batch}, AdamW, learning rate {rate}, seed {seed}. Attention {attention}, mean pooling. Versions: {versions}.
"""


def write(recipe: Recipe, report: dict[str, Any], folder: Path) -> None:
    """Write ``README.md`` of the adapter folder."""
    adapter, baseline, training = report["adapter"], report["baseline"], recipe.training
    unseen = report["adapter_unseen"]
    text = _TEMPLATE.format(
        name=recipe.name,
        base=recipe.base_model,
        task=recipe.task,
        labels=report["labels"],
        rows=adapter["rows"],
        acc=adapter["accuracy"],
        low=adapter["accuracy_low"],
        high=adapter["accuracy_high"],
        f1=adapter["macro_f1"],
        top3=adapter["top3"],
        ece=adapter["calibration_error"],
        seen=adapter["rows"] - unseen["rows"],
        uacc=unseen["accuracy"],
        ulow=unseen["accuracy_low"],
        uhigh=unseen["accuracy_high"],
        uf1=unseen["macro_f1"],
        utop3=unseen["top3"],
        uece=unseen["calibration_error"],
        bacc=baseline["accuracy"],
        blow=baseline["accuracy_low"],
        bhigh=baseline["accuracy_high"],
        bf1=baseline["macro_f1"],
        machine=report["machine"],
        source=recipe.data.source,
        licence=recipe.data.licence,
        train=report["rows"]["train"],
        dev=report["rows"]["dev"],
        overlap=report["overlap_dropped"],
        digests=", ".join(f"{name} `{digest}`" for name, digest in report["data_sha256"].items()),
        rank=recipe.lora.rank,
        alpha=recipe.lora.alpha,
        targets=", ".join(recipe.lora.targets),
        epochs=training.epochs,
        batch=training.batch_size,
        rate=training.learning_rate,
        seed=recipe.seed,
        attention="in both directions" if training.bidirectional else "causal",
        versions=", ".join(f"{name} {number}" for name, number in report["versions"].items()),
    )
    (folder / "README.md").write_text(text, "utf-8")


def draw_curves(history: Sequence[dict[str, float]], file: Path) -> None:
    """Loss and held-back accuracy by epoch, PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    epochs = [int(h["epoch"]) for h in history]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.plot(epochs, [h["train_loss"] for h in history], "o-", color="#1f4e79")
    left.set(title="Training loss", xlabel="epoch", ylabel="smoothed cross-entropy", xticks=epochs, ylim=(0, None))
    right.plot(epochs, [h["dev_accuracy"] for h in history], "o-", color="#1f4e79")
    right.set(title="Accuracy on held-back training rows", xlabel="epoch", ylabel="accuracy", xticks=epochs)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)
    plt.close(figure)
