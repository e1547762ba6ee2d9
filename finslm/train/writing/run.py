"""One run from a recipe to an adapter folder, with its figures, curves and model card."""

from __future__ import annotations

import asyncio
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch
import yaml

from finslm.config import EngineSettings
from finslm.engine.adapters import fingerprint, weights_sha256
from finslm.engine.cpu import available_cpus
from finslm.engine.local import LocalEngine
from finslm.errors import ConfigError
from finslm.evaluate.writing import WritingTally, lead, written
from finslm.train.energy import Meter
from finslm.train.finetune import Progress
from finslm.train.notes import dataset as notes
from finslm.train.writing import card, complaints
from finslm.train.writing.attack import audit
from finslm.train.writing.recipe import WritingRecipe
from finslm.train.writing.rows import Row, RowSet, Told, read, together
from finslm.train.writing.sft import WritingRun
from finslm.types import ModelIdentity
from redaction import Redactor

BUDGET_S: Final = 60.0
"""Time for one text in the redaction stage, seconds: nobody waits for it here."""
_TASKS: Final = {"complaint": "complaint_summary", "call_note": "call_summary"}
"""Kind of note → the task that sums it up."""


def train(
    recipe: WritingRecipe,
    data: Path | None,
    base_dir: Path,
    out: Path,
    *,
    progress: Progress,
    told: Told,
    redactor: Redactor | None = None,
    resume: bool = False,
    threads: int = 0,
    skip_bad: bool = False,
    checkpoint_s: float = 300.0,
) -> dict[str, Any]:
    """Read or make the rows, train, and score the saved folder as serving loads it, beside the base itself.

    Args:
        data: folder that ``rows`` of the recipe are relative to.
        redactor: that of serving; None: one with the built-in policy.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        ConfigError: rows, base or run folder cannot be used, or there is nothing to resume.
        Interrupted: the run was told to stop; its checkpoint is written.
    """
    torch.set_num_threads(threads or available_cpus())
    try:
        out.mkdir(parents=True, exist_ok=True)
        rows = load(
            recipe, data, redactor or Redactor.from_policy(None, budget_s=BUDGET_S), out, told, skip_bad=skip_bad
        )
        run = WritingRun(recipe, rows, base_dir, out, checkpoint_s)
        meter = Meter()
        folder = run.train(meter.watching(progress), resume=resume)
        energy = meter.taken(run.seconds, torch.get_num_threads(), whole=not resume)
        (out / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False), "utf-8")
        return finish(run, folder, energy)
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}; make room and go on with --resume") from error


def load(
    recipe: WritingRecipe, data: Path | None, redactor: Redactor, out: Path, told: Told, *, skip_bad: bool
) -> RowSet:
    """The rows that a recipe names.

    Raises:
        ConfigError: they cannot be used, or ``data`` is missing.
    """
    parts = []
    if recipe.rows or recipe.complaints:
        if data is None:
            raise ConfigError("--data is missing: name the folder that the recipe's rows are relative to")
        parts = [read(each, data, redactor, told, skip_bad=skip_bad) for each in recipe.rows]
        if recipe.complaints:
            parts.append(complaints.read(recipe.complaints, data, redactor, told, skip_bad=skip_bad))
    if (asked := recipe.notes) is not None:
        made = notes.load(asked, recipe.seed, out / "notes", told)
        train, dev, test, unseen = (
            [_row(note) for note in split] for split in (made.train, made.dev, made.test, made.unseen)
        )
        digests = {f"notes {split}": digest for split, digest in made.sha256.items()}
        parts.append(RowSet(train, dev, test, digests, {}, unseen))
    return together(parts)


def _row(note: notes.Row) -> Row:
    return Row(_TASKS[note.kind], note.kind, note.text, note.summary, note.raw_text)


def finish(run: WritingRun, folder: Path, energy: dict[str, Any] | None = None) -> dict[str, Any]:
    """Score the saved folder on the test rows; write metrics, curves and model card."""
    recipe, rows = run.recipe, run.rows
    scored = asyncio.run(_scored(run, folder))
    report = {
        "test": {way: _tallied(rows.test, answers) for way, answers in scored.items()},
        "rows": {"train": len(rows.train), "dev": len(rows.dev), "test": len(rows.test)},
        "left_out": dict(rows.left_out) | {"longer than max_tokens": run.too_long},
        "data_sha256": dict(rows.sha256),
        "seed": recipe.seed,
        "history": run.history,
        "seconds": round(run.seconds),
        "energy": energy,
        "audit": audit(run, folder),
        "step_losses": [round(loss, 4) for loss in run.step_losses],
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft", "trl")},
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "adapter_sha256": fingerprint(folder),
    }
    (run.out / "metrics.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    card.draw_curves(run.history, run.step_losses, run.out / "curves.png")
    card.write(recipe, report, folder)
    return report


async def _scored(run: WritingRun, folder: Path) -> dict[str, list[str]]:
    """Answers to the test rows: of the adapter, of the base itself, and the texts' first sentences."""
    name = run.recipe.name
    base = ModelIdentity(run.recipe.base_model, weights_sha256(run.base_dir))
    adapters = {name: (folder, ModelIdentity(name, fingerprint(folder)))}
    engine = LocalEngine(run.base_dir, base, adapters, EngineSettings())
    await engine.start()
    try:
        asked = [(row.task, row.text) for row in run.rows.test]
        ours, plain = [await written(engine, asked, which) for which in (name, "")]
        return {"adapter": ours, "base": plain, "first two sentences": [lead(row.text) for row in run.rows.test]}
    finally:
        await engine.close()


def _tallied(rows: Sequence[Row], answers: Sequence[str]) -> dict[str, Any]:
    whole, groups = WritingTally(), {row.group: WritingTally() for row in rows}
    for row, answer in zip(rows, answers, strict=True):
        for tally in (whole, groups[row.group]):
            tally.add(row.text, answer, row.answer)
    return whole.as_dict() | {"by_group": {name: tally.as_dict() for name, tally in sorted(groups.items())}}
