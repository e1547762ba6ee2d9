"""``finslm finetune``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from finslm.config import RedactionSettings
    from finslm.models.registry import Registry
    from finslm.train.partners import Companion
    from finslm.train.recipe import Recipe
    from finslm.train.run import Report
    from finslm.train.teachers import Teacher
    from redaction import Redactor


def finetune(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or path of one.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder that the recipe's paths are relative to; not for one that tags.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Run folder: checkpoint, cards, metrics, curves, the adapter.")] = Path(
        "runs"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run folder's checkpoint.")] = False,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0: all processors.")] = 0,
    skip_bad_rows: Annotated[
        bool,
        typer.Option("--skip-bad-rows", help="Leave malformed rows out and count them; otherwise they end the run."),
    ] = False,
    twin: Annotated[
        bool,
        typer.Option(help="Train a twin on planted texts and part of the rows, to measure what is remembered."),
    ] = True,
    checkpoint_every: Annotated[
        float, typer.Option(min=0, help="Seconds from one checkpoint to the next within an epoch.")
    ] = 300.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as one JSON object.")] = False,
) -> None:
    """Fine-tune an adapter (LoRA), one that classifies, tags or writes by its recipe, and score it on the test rows."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeRemainingColumn

    from finslm.cli.finetune_tagger import finetune_tagger
    from finslm.cli.finetune_writer import Given, finetune_writer
    from finslm.config import load
    from finslm.errors import ConfigError
    from finslm.models.registry import Registry
    from finslm.train import recipe as recipes
    from finslm.train import recipe_files
    from finslm.train.run import train

    if (head := recipe_files.head(recipe)) == "tag":
        finetune_tagger(recipe, out, resume=resume, threads=threads, as_json=as_json)
        return
    if head == "write":
        given = Given(data, out, resume, threads, skip_bad_rows, checkpoint_every)
        finetune_writer(recipe, given, as_json=as_json)
        return
    if data is None:
        raise ConfigError("--data is missing: name the folder that the recipe's paths are relative to")
    chosen, settings = recipes.read(recipe), load()
    registry = Registry(settings.models.dir)
    base = registry.resolve(chosen.base_model, verify=True)
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console) as bar:
        lines = {
            name: bar.add_task(name, total=None, note="", visible=not i)
            for i, name in enumerate(("redaction", chosen.name, "twin"))
        }

        def show(name: str, done: int, whole: int, note: str = "") -> None:
            bar.update(lines[name], completed=done, total=whole, note=note, visible=True)

        report = train(
            chosen,
            data,
            base.path,
            out / chosen.name,
            resume=resume,
            threads=threads,
            skip_bad=skip_bad_rows,
            redactor=serving_redactor(settings.redaction) if chosen.data.redact else None,
            with_twin=twin,
            checkpoint_s=checkpoint_every,
            teachers=_teachers(chosen, registry),
            companion=_companion(chosen, registry),
            redaction_progress=lambda done, whole: show("redaction", done, whole),
            progress=lambda step, steps, loss: show(chosen.name, step, steps, f"loss {loss:.3f}"),
            twin_progress=lambda step, steps, loss: show("twin", step, steps, f"loss {loss:.3f}"),
        )
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
        return
    _print(chosen.name, report, Console())
    if report.adapter.scores.accuracy < report.baseline.accuracy:
        console.print("[bold red]The adapter loses to the baseline: do not ship it.[/]")
        raise typer.Exit(1)


def _teachers(recipe: Recipe, registry: Registry) -> list[Teacher]:
    return [_adapter(name, registry) for name in (recipe.teachers.adapters if recipe.teachers else ())]


def _companion(recipe: Recipe, registry: Registry) -> Companion | None:
    from finslm.train.partners import Companion

    if (asked := recipe.partner) is None:
        return None
    return Companion(asked.adapter, _adapter(asked.adapter, registry), asked.weight)


def _adapter(name: str, registry: Registry) -> Teacher:
    from finslm.engine.adapters import AdapterCard
    from finslm.train.teachers import Teacher

    folder = registry.resolve(name, verify=True).path
    return Teacher(folder, registry.resolve(AdapterCard.read(folder).base_model, verify=True).path)


def serving_redactor(settings: RedactionSettings) -> Redactor:
    """That of serving, with more time: nobody waits for an answer."""
    from finslm.errors import ConfigError
    from finslm.train.run import BUDGET_S
    from redaction import Redactor
    from redaction.errors import RedactionError

    try:
        return Redactor.from_policy(settings.policy_file, budget_s=BUDGET_S, threads=settings.classifier_threads)
    except RedactionError as error:
        raise ConfigError(str(error)) from error


def _print(name: str, report: Report, console: Console) -> None:
    from rich.table import Table

    scores, outside = report.adapter.scores, report.adapter.outside
    table = Table(title=f"{name}: {scores.rows} test rows in scope", caption=str(report.folder))
    for column in ("", "accuracy", "95 % interval", "macro F1", "top 3", "calibration error"):
        table.add_column(column, justify="left" if not column else "right")
    for row, s in (("adapter", scores), ("TF-IDF + linear SVM", report.baseline)):
        cells = (f"{s.accuracy:.4f}", f"{s.accuracy_low:.4f}-{s.accuracy_high:.4f}", f"{s.macro_f1:.4f}")
        rest = (f"{v:.4f}" if v is not None else "-" for v in (s.top3, s.calibration_error))
        table.add_row(row, *cells, *rest)
    console.print(table)
    if outside is not None:
        console.print(
            f"{outside.rows} rows out of scope: area under the ROC curve {outside.auroc:.4f}; {outside.recall:.1%} are "
            f"rejected where {outside.false_alarms:.1%} of those in scope are"
        )
    for line in _privacy(report):
        console.print(line)


def _privacy(report: Report) -> list[str]:
    """A line on the guarantee, where there is one, and on what attacks found."""
    plan, audit = report.facts["privacy"], report.facts["audit"]
    lines = (
        [] if plan is None else [f"epsilon {plan['epsilon']:.2f} at delta {plan['delta']:g} ({plan['noise']} noise)"]
    )
    best = audit["membership"]["calibrated"] or audit["membership"]["loss_threshold"]
    lines.append(f"told whether a row was trained on: area under the ROC curve {best['auc']:.3f} (.5 is guessing)")
    bits = ", ".join(f"{each['mean']:.2f} bits ({each['times']} times)" for each in audit["exposure"])
    return [*lines, *([f"exposure of planted texts: {bits}"] if bits else [])]
