"""``finslm finetune`` for a recipe with ``head: write``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, final

import typer


@final
class Given(NamedTuple):
    """What the command was told."""

    data: Path | None
    out: Path
    resume: bool
    threads: int
    skip_bad: bool
    checkpoint_s: float


def finetune_writer(recipe: str, given: Given, *, as_json: bool) -> None:
    """Fine-tune an adapter that writes and score what it writes on the test rows."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeRemainingColumn

    from finslm.cli.finetune import serving_redactor
    from finslm.config import load
    from finslm.models.registry import Registry
    from finslm.train.pretraining.interruption import Interrupted
    from finslm.train.writing import recipe as recipes
    from finslm.train.writing.run import train

    chosen, settings, console = recipes.read(recipe), load(), Console(stderr=True)
    base = Registry(settings.models.dir).resolve(chosen.base_model, verify=True)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn(), TextColumn("{task.fields[at]}"))
    with Progress(*columns, console=console) as bar:
        line = bar.add_task(chosen.name, total=None, at="")
        try:
            report = train(
                chosen,
                given.data,
                base.path,
                given.out / chosen.name,
                redactor=serving_redactor(settings.redaction),
                resume=given.resume,
                threads=given.threads,
                skip_bad=given.skip_bad,
                checkpoint_s=given.checkpoint_s,
                told=lambda what, done, count: bar.update(line, completed=done, total=count, at=what),
                progress=lambda step, steps, loss: bar.update(line, completed=step, total=steps, at=f"loss {loss:.3f}"),
            )
        except Interrupted as told:
            bar.stop()
            console.print(str(told))
            raise typer.Exit(told.exit_status) from None
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    _print(chosen.name, report, given.out / chosen.name)


def _print(name: str, report: dict[str, Any], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{name}: {report['rows']['test']} test rows, redacted as served", caption=str(folder))
    for column in ("", "facts said", "nothing invented", "ROUGE-L", "words"):
        table.add_column(column, justify="left" if not column else "right")
    for way, scores in report["test"].items():
        shares = (f"{scores[key]:.4f}" for key in ("facts_said", "nothing_invented", "rouge_l"))
        table.add_row(way, *shares, f"{scores['words']:.0f}")
    Console().print(table)
