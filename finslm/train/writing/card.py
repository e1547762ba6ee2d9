"""The model card of an adapter that writes, and the picture of its training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from finslm.train.card_privacy import attacks
from finslm.train.energy import sentence
from finslm.train.writing.recipe import WritingRecipe

_TEMPLATE: Final = """---
license: apache-2.0
language: en
library_name: peft
pipeline_tag: text-generation
base_model: {base}
tags: [finance, summarization, lora]
---

# {name}

A LoRA adapter on {base} that writes.

| on {answers} test rows, as served | facts said | 95 % interval | nothing invented | 95 % interval | ROUGE-L | words |
|---|---|---|---|---|---|---|
{lines}

Facts said: of those that the reference says. A fact is a figure, a name, an address or a placeholder
(`finslm/grounding.py`); an answer invents where it has one that its text has not. What a sentence claims beyond that is
not checked by these figures. Figures: `finslm finetune {name}`; those of each kind of text are in its `metrics.json`.
Scored as served, on: {machine}.

## Intended use

{use}. A person reads what it writes.

## Limits

English only. {source} A row of more than {max_tokens} tokens it has not seen.

## What it gives away

Trained without differential privacy: there is no guarantee for a row, only what was measured.

{attacks}

## Training

{train} rows to train on, {dev} to choose the epoch by, {test} to test on{left_out}. SHA-256: {digests}.

LoRA rank {rank}, alpha {alpha}, on {targets}; {epochs} epochs of at most {most_epochs}, batch {batch}{packed}, AdamW,
learning rate {rate}, seed {seed}, loss on the answers alone. {minutes:.0f} minutes.{energy} Versions: {versions}.
"""
_GENERATED: Final = (
    "complaints and call notes of a generator (finslm/train/notes), with names from Faker and mimesis (MIT) and "
    "GeoNames (CC BY 4.0); real ones are longer and less orderly"
)
_PUBLISHED: Final = (
    "narratives of the Consumer Complaint Database of the Consumer Financial Protection Bureau (public domain, 17 USC "
    "105), with summaries that were written for this adapter"
)


def write(recipe: WritingRecipe, report: Mapping[str, Any], folder: Path) -> None:
    """Write ``README.md`` into an adapter folder."""
    training, left_out = recipe.training, {why: n for why, n in report["left_out"].items() if n}
    text = _TEMPLATE.format(
        name=recipe.name,
        base=recipe.base_model,
        use=recipe.use,
        answers=report["rows"]["test"],
        lines="\n".join(_line(way, scores) for way, scores in _ways(report["test"])),
        machine=report["machine"],
        source=_source(recipe),
        max_tokens=training.max_tokens,
        **report["rows"],
        left_out="".join(f"; {count} left out: {why}" for why, count in left_out.items()),
        digests=", ".join(f"{name} `{digest}`" for name, digest in report["data_sha256"].items()),
        rank=recipe.lora.rank,
        alpha=recipe.lora.alpha,
        targets=", ".join(recipe.lora.targets),
        epochs=len(report["history"]),
        most_epochs=training.epochs,
        batch=training.batch_size,
        packed=f" packs of {training.max_tokens} tokens" if training.packing else "",
        rate=training.learning_rate,
        seed=recipe.seed,
        minutes=report["seconds"] / 60,
        energy=sentence(report.get("energy")),
        attacks=_attacks(report["audit"]),
        versions=", ".join(f"{name} {number}" for name, number in report["versions"].items()),
    )
    (folder / "README.md").write_text(text, "utf-8")


def _source(recipe: WritingRecipe) -> str:
    named = ((recipe.notes, _GENERATED), (recipe.complaints, _PUBLISHED), (recipe.rows, "the other rows named below"))
    kinds = "; on ".join(said for part, said in named if part)
    return f"Trained and tested on {kinds}. Text of another kind it does not know."


def _attacks(audit: Mapping[str, Any] | None) -> str:
    if audit is None:
        return "Not measured: no unseen row of a kind that it was trained on was there, or short enough."
    return attacks(audit, others=audit["others"])


def _ways(scored: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Each way and its scores; where there are several kinds of text, also on each of them."""
    for way, scores in scored.items():
        yield way, scores
        if len(kinds := scores["by_group"]) > 1:
            yield from ((f"{way}: {kind}", own) for kind, own in kinds.items())


def _line(way: str, scores: Mapping[str, float]) -> str:
    shares = (
        f"{scores[name]:.4f} | {scores[f'{name}_low']:.4f} to {scores[f'{name}_high']:.4f}"
        for name in ("facts_said", "nothing_invented")
    )
    return f"| {way} | {' | '.join(shares)} | {scores['rouge_l']:.4f} | {scores['words']:.0f} |"


def draw_curves(history: Sequence[Mapping[str, float]], step_losses: Sequence[float], file: Path) -> None:
    """Loss of each step, their mean over a twentieth of the run, and loss on the held-back rows by epoch; PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    epochs = [int(each["epoch"]) for each in history]
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    steps, width = len(step_losses), max(1, len(step_losses) // 20)
    at = [(step + 1) / max(1, steps) * max(epochs, default=1) for step in range(steps)]
    means = [sum(step_losses[step - width + 1 : step + 1]) / width for step in range(width - 1, steps)]
    axes.plot(at, step_losses, color="#9db8d2", linewidth=0.8, label="a step")
    axes.plot(at[width - 1 :], means, color="#1f4e79", label=f"mean of {width} steps")
    axes.plot(epochs, [each["dev_loss"] for each in history], "o", color="#c55a11", label="held-back rows")
    axes.set(
        title="Loss on the answers", xlabel="epoch", ylabel="nats a token", xticks=range(max(epochs, default=1) + 1)
    )
    axes.set(ylim=(0, None), xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=120)
    plt.close(figure)
