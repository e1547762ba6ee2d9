"""``finslm pretrain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from finslm.train.pretraining.run import Report


def pretrain(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or path of one.")],
    data: Annotated[Path, typer.Option(help="Folder that the recipe's paths are relative to.")],
    out: Annotated[Path, typer.Option(help="Run folder: checkpoint, metrics, curves, the model.")] = Path("runs"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run folder's checkpoint.")] = False,
    threads: Annotated[int, typer.Option(help="Threads; 0: all processors.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    checkpoint_s: Annotated[float, typer.Option(min=0, help="How often the checkpoint is written, seconds.")] = 300.0,
    skip_bad_rows: Annotated[
        bool,
        typer.Option("--skip-bad-rows", help="Leave malformed rows out and count them; otherwise they end the run."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as one JSON object.")] = False,
) -> None:
    """Pretrain a causal language model: from scratch, or on from an installed base."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeRemainingColumn
    from transformers.utils import logging

    from finslm.config import load
    from finslm.models.registry import Registry
    from finslm.train.pretraining import recipe as recipes
    from finslm.train.pretraining.interruption import Interrupted
    from finslm.train.pretraining.run import train

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers' own, in the middle of ours
    chosen = recipes.read(recipe)
    base = Registry(load().models.dir).resolve(chosen.base_model, verify=True).path if chosen.base_model else None
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn(), TextColumn("loss {task.fields[loss]:.3f}"))
    console = Console(stderr=True)
    try:
        with Progress(*columns, console=console) as bar:
            line = bar.add_task(chosen.name, total=None, loss=0.0)
            report = train(
                chosen,
                data,
                out / chosen.name,
                base_dir=base,
                note=lambda what: bar.update(line, description=f"{chosen.name}: {what}"),
                resume=resume,
                threads=threads,
                device=device,
                skip_bad=skip_bad_rows,
                checkpoint_s=checkpoint_s,
                progress=lambda step, steps, loss: bar.update(line, completed=step, total=steps, loss=loss),
            )
    except Interrupted as stopped:
        console.print(str(stopped))
        raise typer.Exit(stopped.exit_status) from None
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
        return
    _print(report)


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    facts = report.facts
    table = Table(title=f"{report.folder.name}: {facts['parameters']:,} parameters", caption=str(report.folder))
    for column in ("held-out documents", "nats a token", "perplexity", "bits per byte"):
        table.add_column(column, justify="left" if column == "held-out documents" else "right")
    for name, score in (("before", report.before), ("after", report.after)):
        table.add_row(name, f"{score.loss:.4f}", f"{score.perplexity:.2f}", f"{score.bits_per_byte:.4f}")
    Console().print(table)
    Console().print(f"{facts['tokens_trained']:,} tokens, {facts['tokens_a_second']} a second")
