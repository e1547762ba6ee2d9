"""``finslm finetune`` for a recipe with ``head: tag``."""

from __future__ import annotations

import json
from pathlib import Path

import typer


def finetune_tagger(recipe: str, out: Path, *, resume: bool, threads: int, as_json: bool) -> None:
    """Make documents, fine-tune a tagging adapter on them and score it on held-out structures."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from finslm.config import load
    from finslm.models.registry import Registry
    from finslm.train import tagging_recipe
    from finslm.train.tagging_run import train

    chosen = tagging_recipe.read(recipe)
    base = Registry(load().models.dir).resolve(chosen.base_model, verify=True)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn(), TextColumn("{task.fields[at]}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        line = bar.add_task(chosen.name, total=None, at="")
        report = train(
            chosen,
            base.path,
            out / chosen.name,
            resume=resume,
            threads=threads,
            told=lambda split, made, count: bar.update(line, completed=made, total=count, at=f"{split} documents"),
            progress=lambda step, steps, loss: bar.update(line, completed=step, total=steps, at=f"loss {loss:.3f}"),
        )
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    table = Table(title=f"{chosen.name}: held-out structures", caption=str(out / chosen.name))
    for column in ("", "exact by field", "95 % interval", "whole documents", "calibration error"):
        table.add_column(column, justify="left" if not column else "right")
    for way, scores in report["test"].items():
        interval = f"{scores['exact_low']:.4f}-{scores['exact_high']:.4f}"
        shown = (scores["exact"], scores["whole_documents"], scores["calibration_error"])
        exact, whole, error = (f"{share:.4f}" for share in shown)
        table.add_row(way, exact, interval, whole, error)
    Console().print(table)
