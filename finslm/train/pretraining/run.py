"""One pretraining run from recipe to model folder, with its figures, curves and model card.

The run folder holds the recipe, the packed documents, the checkpoint, ``metrics.json``, ``curves.png`` and, when all
is done, the model folder of the recipe's name, whose weights are then not touched again. It has a seal, so that a copy
of it among the installed models is served.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import torch
import yaml

from finslm.engine.cpu import available_cpus, processor_name
from finslm.errors import ConfigError
from finslm.models.digest import sha256_file
from finslm.models.manifest import ModelEntry
from finslm.models.seal import SEAL_NAME, make_seal
from finslm.train.pretraining import card, network
from finslm.train.pretraining.heldout import HeldOut
from finslm.train.pretraining.loop import CHECKPOINT, CHECKPOINT_S, Loop, Progress
from finslm.train.pretraining.packing import Packed
from finslm.train.pretraining.prepare import Note, prepare, read_tokenizer
from finslm.train.pretraining.recipe import PretrainRecipe

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

PACKED: Final = "packed"
"""Folder of the run folder: the tokens, and the tokenizer."""


@final
@dataclass(frozen=True, slots=True)
class Report:
    """Where the model is, and how it did."""

    folder: Path
    before: HeldOut
    """The held-out documents before the first step: of the random network, or of the base."""
    after: HeldOut
    """Of the saved folder, read again."""
    facts: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "folder": self.folder.name,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            **self.facts,
        }


def train(
    recipe: PretrainRecipe,
    data: Path,
    out: Path,
    *,
    progress: Progress,
    base_dir: Path | None = None,
    note: Note = lambda _: None,
    resume: bool = False,
    threads: int = 0,
    device: str = "cpu",
    skip_bad: bool = False,
    checkpoint_s: float = CHECKPOINT_S,
) -> Report:
    """Prepare, train, save, and score the saved folder.

    Args:
        data: folder that the recipe's paths are relative to; not read again when resuming.
        out: run folder.
        base_dir: model folder of the recipe's ``base_model``.

    Raises:
        ConfigError: data, base or run folder cannot be used, or there is nothing to resume.
        Interrupted: by a signal; ``resume`` goes on.
    """
    torch.set_num_threads(threads or available_cpus())
    _check_device(device)
    _check_folder(recipe, out, resume=resume)
    if resume:
        packed = Packed.read(out / PACKED)
    else:
        with _room(out):
            out.mkdir(parents=True, exist_ok=True)
            (out / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), "utf-8")
            packed = prepare(recipe, data, base_dir, out / PACKED, note=note, skip_bad=skip_bad)
    note("training")
    loop = _loop(recipe, packed, base_dir, out, device, checkpoint_s)
    if resume:
        loop.resume()
    loop.run(progress)
    return finish(recipe, packed, loop, out)


def finish(recipe: PretrainRecipe, packed: Packed, loop: Loop, out: Path) -> Report:
    """Save, score the saved folder, write metrics, curves, card and seal; then the checkpoint goes.

    Raises:
        ConfigError: no room; the checkpoint is still there.
    """
    folder, unfinished = out / recipe.name, out / f"{recipe.name}.new"
    with _room(out):
        network.save(loop.network, read_tokenizer(out / PACKED), unfinished)
        loop.network = network.read_network(unfinished, torch.bfloat16).to(loop.device)  # type: ignore[arg-type]
        before, after = _as_score(loop.evaluations[0]), loop.score()
        report = Report(folder, before, after, _facts(recipe, packed, loop, unfinished))
        (out / "metrics.json").write_text(json.dumps(report.as_dict(), indent=2) + "\n", "utf-8")
        card.draw_curves(loop, out / "curves.png")
        card.write(recipe, report.as_dict(), unfinished)
        _seal(recipe, unfinished)
        unfinished.replace(folder)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return report


def _check_folder(recipe: PretrainRecipe, out: Path, *, resume: bool) -> None:
    """Never over what an earlier run left."""
    if (out / recipe.name).exists():
        raise ConfigError(
            f"{out / recipe.name} is there: a finished model is not overwritten; give --out another folder"
        )
    if (out / CHECKPOINT).exists() and not resume:
        raise ConfigError(f"{out} holds the checkpoint of an unfinished run: --resume, or give --out another folder")


def _check_device(device: str) -> None:
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"device {device!r}: cpu or cuda is wanted")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda: torch finds no GPU here; take cpu")


@contextmanager
def _room(out: Path) -> Iterator[None]:
    """Say plainly that the disk is full."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror or error}; make room and go on with --resume") from error


def _loop(
    recipe: PretrainRecipe, packed: Packed, base_dir: Path | None, out: Path, device: str, checkpoint_s: float
) -> Loop:
    how = recipe.training
    net: LlamaForCausalLM
    if base_dir is not None:
        net = network.read_network(base_dir)
        if how.window > net.config.max_position_embeddings:
            raise ConfigError(
                f"training.window {how.window}: {recipe.base_model} reads {net.config.max_position_embeddings} tokens"
            )
    else:
        net = network.new_network(str(recipe.preset), packed.facts["vocabulary"], how.window, recipe.seed)
    end = read_tokenizer(out / PACKED).eos_token_id
    return Loop(net, packed, recipe, out, end=end, device=device, checkpoint_s=checkpoint_s)


def _facts(recipe: PretrainRecipe, packed: Packed, loop: Loop, folder: Path) -> dict[str, Any]:
    return {
        "parameters": sum(p.numel() for p in loop.network.parameters()),
        "weights_sha256": sha256_file(folder / "model.safetensors"),
        "tokenizer_sha256": sha256_file(folder / "tokenizer.json"),
        "seed": recipe.seed,
        "steps": loop.done,
        "tokens_trained": loop.tokens,
        "seconds": round(loop.seconds, 1),
        "tokens_a_second": round(loop.tokens / loop.seconds, 1) if loop.seconds else None,
        "evaluations": loop.evaluations,
        "losses": loop.losses,
        **packed.facts,
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
        "machine": f"{processor_name()}, {loop.device}, {torch.get_num_threads()} threads",
    }


def _as_score(kept: dict[str, float]) -> HeldOut:
    return HeldOut(kept["loss"], kept["perplexity"], kept["bits_per_byte"], int(kept["tokens"]))


def _seal(recipe: PretrainRecipe, folder: Path) -> None:
    sources = "; ".join(part.source for part in recipe.corpus.parts)
    entry = ModelEntry(
        kind="causal-lm",
        title=recipe.name,
        description=recipe.use,
        licence=recipe.licence,
        attribution=f"pretrained on: {sources}",
    )
    seal = make_seal(folder, recipe.name, entry, origin="pretrain")
    (folder / SEAL_NAME).write_text(seal.model_dump_json(indent=2) + "\n", "utf-8")
