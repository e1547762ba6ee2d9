"""The model card of an adapter, and the picture of its training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finslm.evaluate.data import Dataset
from finslm.train import card_privacy
from finslm.train.energy import sentence
from finslm.train.recipe import Recipe

_TEMPLATE = """---
license: apache-2.0
language: en
library_name: peft
pipeline_tag: text-classification
base_model: {base}
datasets: [{datasets}]
tags: [finance, text-classification, lora]
---

# {name}

A LoRA adapter and a classification head on {base}: {labels} labels, for task `{task}`.

| on the test rows in scope ({rows}) | accuracy | 95 % interval | macro F1 | top 3 | calibration error |
|---|---|---|---|---|---|
| this adapter | {accuracy:.4f} | {accuracy_low:.4f} to {accuracy_high:.4f} | {macro_f1:.4f} | {top3:.4f} | {calibration:.4f} |
{unseen}{alone}| TF-IDF + linear SVM | {b_accuracy:.4f} | {b_low:.4f} to {b_high:.4f} | {b_f1:.4f} | - | - |

{together}{outside}Of the most confident {share:.0%} of the rows, {sure:.1%} are right.

All figures come from `finslm finetune {name} --data <folder>`; the adapter's are those of this folder as serving loads
it (LoRA weights in bfloat16). Scored on: {machine}.

## Intended use

{use}. The probabilities are calibrated by temperature scaling on held-back rows. Not for decisions about a person.

## Limits

English only. {long_texts} What the training rows do not show it has not learned; the figures above hold for
text like theirs.

## Data

{sources}

{train} rows to train on, {dev} held back to calibrate, {test} to test on. {overlap} texts that stand word for word in
the test rows too were dropped from training; {seen} test rows stand in training with other letter case or spaces{bad}.
SHA-256 of the files: {digests}. {redaction}

## Privacy

{privacy}

## Training

LoRA rank {rank}, alpha {alpha}, on {targets}; the head is trained in full{start}. {epochs} epochs of at most
{most_epochs}, batch {batch}, AdamW, learning rate {rate}, seed {seed}. Attention {attention}, mean pooling. {minutes:.0f}
minutes.{energy}{taught} Versions: {versions}.
"""


def write(recipe: Recipe, dataset: Dataset, report: dict[str, Any], folder: Path) -> None:
    """Write ``README.md`` of the adapter folder."""
    adapter, baseline, training = report["adapter"], report["baseline"], recipe.training
    unseen, beyond = adapter["unseen"], adapter["outside"]
    share, sure = min(adapter["coverage"], key=lambda point: abs(point[0] - 0.8))
    seen = adapter["rows"] - unseen["rows"]
    text = _TEMPLATE.format(
        name=recipe.name,
        base=recipe.base_model,
        task=recipe.task,
        use=recipe.use,
        datasets=", ".join(source.name for source in dataset.sources),
        labels=report["labels"],
        rows=adapter["rows"],
        **{name: adapter[name] for name in ("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "top3")},
        calibration=adapter["calibration_error"],
        unseen=""
        if not seen
        else f"| this adapter, without the {seen} rows seen in training | {unseen['accuracy']:.4f} | "
        f"{unseen['accuracy_low']:.4f} to {unseen['accuracy_high']:.4f} | {unseen['macro_f1']:.4f} | "
        f"{unseen['top3']:.4f} | {unseen['calibration_error']:.4f} |\n",
        **_partner(report.get("partner")),
        b_accuracy=baseline["accuracy"],
        b_low=baseline["accuracy_low"],
        b_high=baseline["accuracy_high"],
        b_f1=baseline["macro_f1"],
        outside=""
        if beyond is None
        else f"Of {beyond['rows']} test rows that are out of scope, the confidence tells {beyond['auroc']:.4f} (area under "
        f"the ROC curve) from those in scope; the threshold {beyond['threshold']:.3f} rejects {beyond['recall']:.1%} of "
        f"them and {beyond['false_alarms']:.1%} of those in scope.\n\n",
        share=share,
        sure=sure,
        machine=report["machine"],
        long_texts=f"Of a text only the first {training.max_tokens} tokens are read."
        if training.long_texts == "cut"
        else f"A text of more than {training.max_tokens} tokens is refused.",
        sources="\n".join(f"- {s.title}. {s.source}. Licence: {s.licence}." for s in dataset.sources),
        **{name: report["rows"][name] for name in ("train", "dev", "test")},
        overlap=report["overlap_dropped"],
        bad=f"; {dataset.skipped} malformed rows were left out" if dataset.skipped else "",
        seen=seen,
        digests=", ".join(f"{name} `{digest}`" for name, digest in report["data_sha256"].items()),
        redaction=card_privacy.redaction(report["redaction"]),
        privacy=card_privacy.privacy(report["privacy"], report["audit"]),
        rank=recipe.lora.rank,
        alpha=recipe.lora.alpha,
        targets=", ".join(recipe.lora.targets),
        start=", from a logistic regression on the untuned base" if training.head_start == "linear" else "",
        epochs=len(report["history"]),
        most_epochs=training.epochs,
        batch=training.batch_size,
        rate=training.learning_rate,
        seed=recipe.seed,
        taught=_taught(recipe),
        energy=sentence(report.get("energy")),
        attention="in both directions" if training.bidirectional else "causal",
        minutes=report["history"][-1]["seconds"] / 60 if report["history"] else 0,
        versions=", ".join(f"{name} {number}" for name, number in report["versions"].items()),
    )
    (folder / "README.md").write_text(text, "utf-8")


def _partner(partner: dict[str, Any] | None) -> dict[str, str]:
    if partner is None:
        return {"alone": "", "together": ""}
    alone = partner["alone"]
    return {
        "alone": f"| its own answer alone | {alone['accuracy']:.4f} | {alone['accuracy_low']:.4f} to "
        f"{alone['accuracy_high']:.4f} | {alone['macro_f1']:.4f} | - | - |\n",
        "together": f"It answers together with {partner['adapter']} (SHA-256 `{partner['sha256']}`): the mean of both, its "
        f"own with weight {partner['weight']}, at temperature {partner['temperature']:.2f}. Attacks and training time below "
        "are of its own part.\n\n",
    }


def _taught(recipe: Recipe) -> str:
    if (teachers := recipe.teachers) is None:
        return ""
    names = " and ".join(teachers.adapters)
    return (
        f" It learned from the labels and, with a weight of {teachers.weight}, from the judgement of {names} on the same "
        "rows."
    )


def draw_curves(history: Sequence[dict[str, float]], coverage: Sequence[tuple[float, float]], file: Path) -> None:
    """Loss and held-back accuracy by epoch, and accuracy of the most confident rows; PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    epochs = [int(h["epoch"]) for h in history]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
    left.plot(epochs, [h["train_loss"] for h in history], "o-", color="#1f4e79")
    top = 1.08 * max((h["train_loss"] for h in history), default=1.0)
    left.set(title="Training loss", xlabel="epoch", ylabel="what the recipe makes small", xticks=epochs, ylim=(0, top))
    middle.plot(epochs, [h["dev_accuracy"] for h in history], "o-", color="#1f4e79")
    middle.set(title="Accuracy on held-back rows", xlabel="epoch", ylabel="accuracy", xticks=epochs)
    right.plot([share for share, _ in coverage], [accuracy for _, accuracy in coverage], "-", color="#1f4e79")
    right.set(title="Accuracy of the most confident", xlabel="share of the test rows", ylabel="accuracy", xlim=(0, 1))
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)
    plt.close(figure)
