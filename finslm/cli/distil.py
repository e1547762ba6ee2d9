"""``finslm distil``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from finslm.train.distilling.run import Report


def distil(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or path of one.")],
    data: Annotated[Path, typer.Option(help="Folder that the recipe's paths are relative to.")],
    out: Annotated[Path, typer.Option(help="Run folder: checkpoint, rationales, metrics, curves, adapter.")] = Path(
        "runs"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run folder's checkpoint.")] = False,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0: all processors.")] = 0,
    skip_bad_rows: Annotated[
        bool,
        typer.Option("--skip-bad-rows", help="Leave malformed rows out and count them; otherwise they end the run."),
    ] = False,
    checkpoint_every: Annotated[float, typer.Option(min=0, help="Seconds from one checkpoint to the next.")] = 300.0,
    write_rows: Annotated[
        Path | None,
        typer.Option(help="Train nothing: write the redacted rows that a file of rationales must explain."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as one JSON object.")] = False,
) -> None:
    """Train a small decoder on labels and on why they hold (distilling step-by-step)."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeRemainingColumn
    from transformers.utils import logging

    from finslm.cli.finetune import serving_redactor
    from finslm.config import load
    from finslm.errors import ConfigError
    from finslm.models.registry import Registry
    from finslm.train.distilling import recipe as recipes
    from finslm.train.distilling import run
    from finslm.train.pretraining.interruption import Interrupted

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers' own, in the middle of ours
    chosen, settings = recipes.read(recipe), load()
    registry, console = Registry(settings.models.dir), Console(stderr=True)
    redactor = serving_redactor(settings.redaction) if chosen.data.redact else None
    folder = out / chosen.name
    if write_rows is not None:
        if redactor is None:
            raise ConfigError("data.redact is false: rows that are not redacted are not written for a teacher")
        rows = run.read_rows(chosen, data, folder, redactor, skip_bad=skip_bad_rows)
        console.print(f"{run.write_rows(rows, write_rows)} rows in {write_rows}", markup=False)
        return
    base = registry.resolve(chosen.base_model, verify=True)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
    try:
        with Progress(*columns, console=console) as bar:
            teacher = bar.add_task("rationales", total=None, note="", visible=False)
            line = bar.add_task(chosen.name, total=None, note="")
            report = run.train(
                chosen,
                data,
                base.path,
                folder,
                installed=lambda name: registry.resolve(name, verify=True).path,
                resume=resume,
                threads=threads,
                skip_bad=skip_bad_rows,
                redactor=redactor,
                checkpoint_s=checkpoint_every,
                teacher_progress=lambda done, whole: bar.update(teacher, completed=done, total=whole, visible=True),
                progress=lambda step, steps, loss: bar.update(
                    line, completed=step, total=steps, note=f"loss {loss:.3f}"
                ),
            )
    except Interrupted as stopped:
        console.print(str(stopped))
        raise typer.Exit(stopped.exit_status) from None
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
        return
    _print(chosen.name, report, Console())


def _print(name: str, report: Report, console: Console) -> None:
    from rich.table import Table

    facts = report.facts
    table = Table(title=f"{name}: {report.student.rows} test rows", caption=str(report.folder))
    for column in ("", "accuracy", "95 % interval", "macro F1"):
        table.add_column(column, justify="left" if not column else "right")
    for row, s in (("student", report.student), ("TF-IDF + linear SVM", report.baseline)):
        table.add_row(row, f"{s.accuracy:.4f}", f"{s.accuracy_low:.4f}-{s.accuracy_high:.4f}", f"{s.macro_f1:.4f}")
    console.print(table)
    console.print(f"{facts['rows_with_rationale']} of {facts['rows']['train']} training rows had a rationale")
    if report.student.accuracy < report.baseline.accuracy:
        console.print("[bold red]The student loses to the baseline: do not ship it.[/]")
        raise typer.Exit(1)
