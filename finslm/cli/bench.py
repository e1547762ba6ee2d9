"""``finslm bench``: which way of computing is the fastest on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.table import Table

from finslm.config import load
from finslm.engine.cpu import available_cpus, processor_name
from finslm.errors import ConfigError
from finslm.evaluate.speed import Figure, Speed, Way, measure, ways
from finslm.models.registry import Registry

ROWS = (1, 16, 64)


def bench(
    config: Annotated[Optional[Path], typer.Option(help="Settings, YAML; FINSLM_* variables go before it.")] = None,
    runner: Annotated[str, typer.Option(help="Only this one: openvino or torch.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the configured model on this machine and say which settings are the fastest.

    Takes a minute or two. Other work on the machine makes the figures smaller: look at the spread.
    """
    settings = load(config)
    model = Registry(settings.models.dir).resolve(settings.engine.model, verify=True)
    chosen = [way for way in ways(available_cpus()) if runner in ("", way.runner)]
    if not chosen:
        raise ConfigError(f"--runner {runner}: no such runner; known: openvino, torch")
    console = Console(stderr=True)
    speeds: list[Speed] = []
    with console.status("loading") as status:
        for way in chosen:
            status.update(f"{way.runner} {way.weights}, {_threads(way)}")
            speeds.extend(measure(model.path, [way], ROWS))
    if as_json:
        lines = [asdict(speed) for speed in speeds]
        typer.echo(json.dumps({"model": model.identity.name, "processor": processor_name(), "speeds": lines}))
    else:
        _show(model.identity.name, speeds)


def _show(model: str, speeds: list[Speed]) -> None:
    console = Console()
    table = Table(
        title=f"{model} on {processor_name()}, {available_cpus()} processors: tokens a second",
        caption="Median (quarter below - quarter above). Reading a prompt of 256 tokens, then writing so many answers.",
    )
    table.add_column("way", no_wrap=True)
    for name in ("threads", "ready", "reading", *(f"{rows} at once" for rows in ROWS)):
        table.add_column(name, justify="right", no_wrap=True)
    for speed in speeds:
        way = speed.way
        figures = [speed.reading, *speed.writing.values()]
        table.add_row(f"{way.runner}\n{way.weights}", str(way.threads), f"{speed.load_s:.1f} s", *map(_shown, figures))
    console.print(table)
    one, many = (max(speeds, key=lambda speed: speed.writing[rows].median).way for rows in (ROWS[0], ROWS[1]))
    console.print(f"Fastest for {ROWS[1]} answers at once: [bold]{_settings(many)}[/]", soft_wrap=True)
    if one != many:
        console.print(f"Fastest for one answer: [bold]{_settings(one)}[/]", soft_wrap=True)


def _shown(figure: Figure) -> str:
    return f"{figure.median:,.0f}\n({figure.low:,.0f}-{figure.high:,.0f})"


def _settings(way: Way) -> str:
    return f"engine.runner={way.runner} engine.weights={way.weights} engine.threads={way.threads}"


def _threads(way: Way) -> str:
    return "one thread" if way.threads == 1 else f"{way.threads} threads"
