"""``finslm evaluate``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from finslm.engine.adapters import AdapterCard
    from finslm.evaluate.adapters import AdapterReport
    from finslm.models.approval import Approval


def evaluate(
    adapter: Annotated[str, typer.Argument(help="Name of a served adapter, or the folder of one.")],
    data: Annotated[Path, typer.Option(help="Folder that the recipe's paths are relative to.")],
    recipe: Annotated[
        str, typer.Option(help="Recipe that names the rows; that of the adapter's name if not given.")
    ] = "",
    redacted: Annotated[bool, typer.Option(help="Score it behind the redaction stage too.")] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for evaluation.json, evaluation.md and coverage.png.")
    ] = None,
    skip_bad_rows: Annotated[
        bool,
        typer.Option("--skip-bad-rows", help="Leave malformed rows out and count them; otherwise they end the run."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Score a classification adapter on its test rows as it is served, beside baselines and behind redaction."""
    from rich.console import Console
    from rich.table import Table

    from finslm.config import load as settings
    from finslm.engine.adapters import AdapterCard
    from finslm.evaluate.adapters import measure
    from finslm.evaluate.data import load
    from finslm.models.approval import Approval
    from finslm.train import recipe as recipes

    chosen = settings()
    registry = Approval.open(chosen.models)
    folder = Path(adapter) if Path(adapter).is_dir() else registry.resolve(adapter, verify=True).path
    card = AdapterCard.read(folder)
    rows = recipes.read(recipe or card.name)
    dataset = load(rows.data, data, rows.seed, skip_bad=skip_bad_rows)
    report = measure(
        folder,
        registry.resolve(card.base_model, verify=True).path,
        dataset,
        chosen.engine,
        redact=_redaction if redacted else None,
        encoder_dir=registry.resolve(chosen.engine.encoder).path if chosen.engine.encoder else None,
        partner=_partner(card, registry),
    )
    if out is not None:
        _write(report, out)
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
        return
    for title, columns, lines in _tables(report):
        table = Table(title=title)
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number else "left")
        for line in lines:
            table.add_row(*line)
        Console().print(table)


def _partner(card: AdapterCard, registry: Approval) -> tuple[Path, Path] | None:
    from finslm.engine.adapters import AdapterCard

    if card.partner is None:
        return None
    folder = registry.resolve(card.partner.adapter, verify=True).path
    return folder, registry.resolve(AdapterCard.read(folder).base_model, verify=True).path


def _redaction(texts: Sequence[str]) -> list[str]:
    from redaction import Redactor
    from redaction.for_good import known_placeholders_kept

    # Rows made of feedback are redacted already, and stay as they are.
    return [known_placeholders_kept(each) for each in Redactor.from_policy(None).redact_batch(texts)]


def _tables(report: AdapterReport) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, columns and lines of each table."""
    ways: list[tuple[str, Any]] = [(f"{report.name}", report.as_they_are)]
    if report.redacted is not None:
        ways.append((f"{report.name}, redacted text", report.redacted))
    lines = []
    for name, each in ways:
        lines.append(_scores(name, each.scores, each.calibration_error))
    lines += [_scores(name, scores, None) for name, scores in report.baselines.items()]
    scored = report.as_they_are.scores
    tables = [
        (
            f"{scored.rows} test rows in scope; redaction changed {report.changed} of {report.facts['rows']['test']}",
            ["", "accuracy", "95 % interval", "macro F1", "top 3", "calibration error"],
            lines,
        )
    ]
    beyond = [(name, each.outside) for name, each in ways if each.outside is not None]
    if beyond:
        tables.append(
            (
                f"{beyond[0][1].rows} test rows out of scope",
                ["", "area under ROC", "rejected", "of those in scope rejected"],
                [[n, f"{o.auroc:.4f}", f"{o.recall:.1%}", f"{o.false_alarms:.1%}"] for n, o in beyond],
            )
        )
    facts = report.facts
    tables.append(
        (
            "Speed, as served",
            ["a 64-token message", "32 at once", "the test rows", "a million like them", "adapter", "process"],
            [
                [
                    f"{facts['message_ms']} ms",
                    f"{facts['messages_a_second_batched']} a second",
                    f"{facts['texts_a_second']} a second",
                    f"{facts['cpu_hours_for_a_million']} CPU hours",
                    f"{facts['adapter_bytes'] / 1e6:.1f} MB",
                    f"{facts['process_mib']} MiB",
                ]
            ],
        )
    )
    return tables


def _scores(name: str, scores: Any, calibration: float | None) -> list[str]:
    return [
        name,
        f"{scores.accuracy:.4f}",
        f"{scores.accuracy_low:.4f}-{scores.accuracy_high:.4f}",
        f"{scores.macro_f1:.4f}",
        "-" if scores.top3 is None else f"{scores.top3:.4f}",
        "-" if calibration is None else f"{calibration:.4f}",
    ]


def _write(report: AdapterReport, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.json").write_text(json.dumps(report.as_dict(), indent=2) + "\n", "utf-8")
    pieces = []
    for title, columns, lines in _tables(report):
        rule = "|".join(["---", *["---:"] * (len(columns) - 1)])
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        pieces.append(f"**{title}**\n\n| {' | '.join(columns)} |\n|{rule}|\n{body}\n")
    (out / "evaluation.md").write_text(f"# {report.name}\n\n" + "\n".join(pieces), "utf-8")
    _draw(report, out / "coverage.png")


def _draw(report: AdapterReport, file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    for label, each in (("as they are", report.as_they_are), ("redacted", report.redacted)):
        if each is not None:
            axes.plot(*zip(*each.coverage, strict=True), label=label)
    axes.set(title=f"{report.name}: the most confident rows", xlabel="share of the test rows", ylabel="accuracy")
    axes.set_xlim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)
    plt.close(figure)
