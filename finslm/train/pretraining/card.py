"""The model card of a pretrained model, and the picture of its training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from finslm.train.pretraining.recipe import PretrainRecipe
from finslm.train.pretraining.schedule import peak

if TYPE_CHECKING:
    from finslm.train.pretraining.loop import Loop

_TEMPLATE = """---
license: other
license_name: {licence!r}
language: en
library_name: transformers
pipeline_tag: text-generation
{base}tags: [finance, causal-lm{tag}]
---

# {name}

{what}: {parameters:,} parameters, Llama type ({layers} layers, width {hidden}, {heads} heads of queries on {groups} of
keys and values), vocabulary {vocabulary:,}, window {window} tokens.

| held-out documents | nats a token | perplexity | bits per byte |
|---|---|---|---|
| {first} | {b_loss:.4f} | {b_perplexity:.2f} | {b_bits:.4f} |
| this model | {a_loss:.4f} | {a_perplexity:.2f} | {a_bits:.4f} |

{held_out_documents:,} whole documents, {held_out_bytes:,} bytes, {held_tokens:,} tokens, none trained on; {scoring}.
Bits per byte compare models with different tokenizers, perplexity does not. The figures are those of this folder, its
weights in bfloat16, printed by `finslm pretrain`.

## Intended use

{use}. It writes on from a text; it was not taught to answer, and says things that are not so. A base for `finslm
finetune`. Not for decisions about a person.

## Limits

What the documents below do not show it has not learned. Nothing was done against what they hold of bias, error or
outdated law. Text of more than {window} tokens it was not trained on.

## Data

{sources}

{train_documents:,} documents ({train_bytes:,} bytes) to train on; {duplicates_dropped:,} word-for-word duplicates
dropped{bad}. {redaction}
SHA-256 of the files: {digests}.

## Training

{tokens_trained:,} tokens ({epochs:.2f} times through the {stream:,} tokens there are) in {steps:,} steps of
{per_step:,}, packed windows of {window}, attention {attention} documents, AdamW, peak learning rate {rate}, schedule
{schedule}, seed {seed}. {minutes:.1f} minutes, {speed} tokens a second, on {machine}. Versions: {versions}. SHA-256 of
the weights: `{weights_sha256}`; of the tokenizer: `{tokenizer_sha256}`.
"""


def write(recipe: PretrainRecipe, report: dict[str, Any], folder: Path) -> None:
    """Write ``README.md`` of the model folder."""
    (folder / "README.md").write_text(_TEMPLATE.format(**_of_model(recipe, folder), **_of_run(recipe, report)), "utf-8")


def _of_model(recipe: PretrainRecipe, folder: Path) -> dict[str, Any]:
    from transformers import LlamaConfig

    config = LlamaConfig.from_pretrained(folder)
    scratch = recipe.base_model is None
    return {
        "name": recipe.name,
        "licence": recipe.licence,
        "use": recipe.use.rstrip("."),
        "what": "Trained from scratch" if scratch else f"{recipe.base_model}, trained further on text of the field",
        "base": "" if scratch else f"base_model: {recipe.base_model}\n",
        "tag": "" if scratch else ", domain-adaptive",
        "first": "the same network, random" if scratch else f"{recipe.base_model}, as it was",
        "layers": config.num_hidden_layers,
        "hidden": config.hidden_size,
        "heads": config.num_attention_heads,
        "groups": config.num_key_value_heads,
        "vocabulary": config.vocab_size,
    }


def _of_run(recipe: PretrainRecipe, report: dict[str, Any]) -> dict[str, Any]:
    how, counts, before, after = recipe.training, report["corpus"], report["before"], report["after"]
    within = how.attention == "within"
    return {
        **{name: report[name] for name in ("parameters", "tokens_trained", "steps", "seed", "machine")},
        **{name: report[name] for name in ("weights_sha256", "tokenizer_sha256")},
        **{name: counts[name] for name in ("held_out_documents", "held_out_bytes", "train_documents", "train_bytes")},
        "duplicates_dropped": counts["duplicates_dropped"],
        **{f"b_{name}": before[key] for name, key in _SHORT.items()},
        **{f"a_{name}": after[key] for name, key in _SHORT.items()},
        "window": how.window,
        "held_tokens": after["tokens"],
        "scoring": "a document sees none of another" if within else f"scored in packed windows of {how.window} tokens",
        "sources": "\n".join(f"- {p.path}: {p.source}. Licence: {p.licence}." for p in recipe.corpus.parts),
        "bad": f"; {counts['malformed_skipped']:,} malformed rows left out" if counts["malformed_skipped"] else "",
        "redaction": _redaction(report),
        "digests": ", ".join(f"{name} `{digest}`" for name, digest in report["data_sha256"].items()),
        "epochs": report["tokens_trained"] / report["tokens"]["train"],
        "stream": report["tokens"]["train"],
        "per_step": how.batch_windows * how.accumulation * how.window,
        "attention": "within" if within else "across",
        "rate": peak(recipe),
        "schedule": how.schedule,
        "minutes": report["seconds"] / 60,
        "speed": report["tokens_a_second"],
        "versions": ", ".join(f"{name} {number}" for name, number in report["versions"].items()),
    }


_SHORT = {"loss": "loss", "perplexity": "perplexity", "bits": "bits_per_byte"}


def _redaction(report: dict[str, Any]) -> str:
    if not (done := report["redaction"]):
        return "No document passed the redaction stage: all are published."
    found = ", ".join(f"{name} {number:,}" for name, number in done["replaced"].items()) or "nothing"
    return (
        f"{report['corpus']['redacted_documents']:,} documents passed the redaction stage first "
        f"(`{done['digest'][:16]}`), which replaced: {found}."
    )


def draw_curves(loop: Loop, file: Path) -> None:
    """Loss of each step, and of the held-out documents, by tokens; PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    each = loop.tokens / max(1, loop.done)
    smooth = _smoothed(loop.losses)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    at = each * np.arange(1, len(loop.losses) + 1) / 1e6
    left.plot(at, loop.losses, color="#1f4e79", alpha=0.25, lw=0.8)
    left.plot(at, smooth, color="#1f4e79", label="training")
    held = [(each * e["step"] / 1e6, e["loss"], e["bits_per_byte"]) for e in loop.evaluations]
    left.plot([h[0] for h in held], [h[1] for h in held], "o-", color="#b3541e", ms=3, label="held out")
    left.set(title="Loss", xlabel="million tokens", ylabel="nats a token")
    left.legend(frameon=False)
    right.plot([h[0] for h in held], [h[2] for h in held], "o-", color="#b3541e", ms=3)
    right.set(title="Held-out documents", xlabel="million tokens", ylabel="bits per byte")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _smoothed(losses: list[float]) -> np.ndarray:
    """Mean of the steps around each, a fiftieth of the run."""
    width = max(1, len(losses) // 50)
    summed = np.cumsum([0.0, *losses])
    starts = np.maximum(0, np.arange(1, len(losses) + 1) - width)
    ends = np.arange(1, len(losses) + 1)
    return np.asarray((summed[ends] - summed[starts]) / (ends - starts))
