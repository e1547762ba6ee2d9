"""``finslm finetune``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def finetune(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or path of one.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder that the recipe's paths are relative to; not for one that tags.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Run folder: checkpoint, metrics, curves, the adapter.")] = Path("runs"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run folder's checkpoint.")] = False,
    threads: Annotated[int, typer.Option(help="Threads; 0: all processors.")] = 0,
    skip_bad_rows: Annotated[
        bool,
        typer.Option("--skip-bad-rows", help="Leave malformed rows out and count them; otherwise they end the run."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as one JSON object.")] = False,
) -> None:
    """Fine-tune an adapter (LoRA), one that classifies or tags by its recipe, and score it on the test rows."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from finslm.cli.finetune_tagger import finetune_tagger
    from finslm.config import load
    from finslm.errors import ConfigError
    from finslm.models.registry import Registry
    from finslm.train import recipe as recipes
    from finslm.train.run import train
    from finslm.train.tagging_recipe import is_tagging

    if is_tagging(recipe):
        finetune_tagger(recipe, out, resume=resume, threads=threads, as_json=as_json)
        return
    if data is None:
        raise ConfigError("--data is missing: name the folder that the recipe's paths are relative to")
    chosen = recipes.read(recipe)
    base = Registry(load().models.dir).resolve(chosen.base_model, verify=True)
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn(), TextColumn("loss {task.fields[loss]:.3f}"))
    with Progress(*columns, console=console) as bar:
        line = bar.add_task(chosen.name, total=None, loss=0.0)
        report = train(
            chosen,
            data,
            base.path,
            out / chosen.name,
            resume=resume,
            threads=threads,
            skip_bad=skip_bad_rows,
            progress=lambda step, steps, loss: bar.update(line, completed=step, total=steps, loss=loss),
        )
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
        return
    scores, outside = report.adapter.scores, report.adapter.outside
    table = Table(title=f"{chosen.name}: {scores.rows} test rows in scope", caption=str(report.folder))
    for column in ("", "accuracy", "95 % interval", "macro F1", "top 3", "calibration error"):
        table.add_column(column, justify="left" if not column else "right")
    for name, s in (("adapter", scores), ("TF-IDF + linear SVM", report.baseline)):
        cells = (f"{s.accuracy:.4f}", f"{s.accuracy_low:.4f}-{s.accuracy_high:.4f}", f"{s.macro_f1:.4f}")
        rest = (f"{v:.4f}" if v is not None else "-" for v in (s.top3, s.calibration_error))
        table.add_row(name, *cells, *rest)
    Console().print(table)
    if outside is not None:
        Console().print(
            f"{outside.rows} rows out of scope: area under the ROC curve {outside.auroc:.4f}; {outside.recall:.1%} are "
            f"rejected where {outside.false_alarms:.1%} of those in scope are"
        )
    if scores.accuracy < report.baseline.accuracy:
        console.print("[bold red]The adapter loses to the baseline: do not ship it.[/]")
        raise typer.Exit(1)
