"""``finslm models``: install, list, verify and describe models."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.table import Column, Table

from finslm import config
from finslm.cli.texts import cell
from finslm.errors import FinslmError, UnknownModel
from finslm.models import pin as pinning
from finslm.models import pull as pulling
from finslm.models.approval import Approval
from finslm.models.registry import InstalledModel, ModelState, Registry
from finslm.models.signature import check_manifest
from finslm.models.sources import Progress, choose
from finslm.models.versions import LEAST_DIGITS, split

app = typer.Typer(no_args_is_help=True, help="Install, list, verify and describe models.")
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)

Names = Annotated[list[str] | None, typer.Argument(help="Names of models.", show_default=False)]
Dir = Annotated[Path | None, typer.Option("--dir", help="Models folder; the setting models.dir when not given.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
From = Annotated[
    str | None,
    typer.Option("--from", help="index (default) | wheel or folder | https:// or file:// mirror | hf:ORG/REPO@COMMIT"),
]


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """Unknown names end with 2, everything else that went wrong with 1; the reason goes to stderr."""
    try:
        yield
    except FinslmError as error:
        err.print(f"error: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(2 if isinstance(error, UnknownModel) else 1) from None


def _registry(directory: Path | None) -> Registry:
    return Registry(directory or config.load().models.dir)


def open_approval(directory: Path | None) -> Approval:
    """The registry and its stages, by the settings."""
    settings = config.load().models
    return Approval.open(settings, Registry(directory or settings.dir))


@app.command()
def pull(names: Names = None, source: From = None, directory: Dir = None, as_json: Json = False) -> None:
    """Install models, verified by SHA-256; without a name, all that serving needs."""
    with exit_codes():
        registry = _registry(directory)
        place, done = choose(source), []
        for name in names or registry.catalogue.for_serving():
            with _shown(quiet=as_json) as progress:
                model, fetched = pulling.pull(registry, name, place, progress)
            done.append(_facts(model) | {"fetched": fetched})
            if not as_json:
                word = "installed" if fetched else "already there and intact"
                out.print(f"{name}: {word}: {model.path} ({_mib(model.size_bytes)}, {model.licence})", highlight=False)
        if as_json:
            print_json({"models": done})


@app.command("list")
def list_models(directory: Dir = None, as_json: Json = False) -> None:
    """List the models of the manifest and those found in the models folder."""
    with exit_codes():
        approval = open_approval(directory)
        states = approval.registry.list()
        if as_json:
            print_json({"models": [_state(state, approval) for state in states], "stages": _head(approval)})
            return
        columns = (Column(name, no_wrap=True) for name in ("name", "version", "kind", "licence", "size", "state"))
        table = Table(*columns, box=None, pad_edge=False, collapse_padding=True)
        for state in states:
            table.add_row(*map(cell, _row(state, approval)))
        out.print(table)


@app.command()
def verify(
    names: Names = None,
    directory: Dir = None,
    release_key: Annotated[
        str | None, typer.Option("--release-key", help="Public key of the release: check the manifest's signature too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hash installed models again; without a name, all that serving needs and all that is installed."""
    with exit_codes():
        if release_key is not None:
            check_manifest(release_key)
        registry = _registry(directory)
        installed = [state.installed.ref for state in registry.list() if state.installed]
        results: list[dict[str, Any]] = []
        unknown = False
        missing = {*registry.catalogue.for_serving()} - {name.partition("@")[0] for name in installed}
        for name in names or sorted({*installed, *missing}):
            try:
                results.append(_facts(registry.verify(name)) | {"ok": True})
            except FinslmError as error:
                unknown = unknown or (isinstance(error, UnknownModel) and name not in registry.catalogue.models)
                results.append({"name": name[:64], "ok": False, "problem": str(error)})
    if as_json:
        print_json({"models": results})
    for result in () if as_json else results:
        line = f"{result['name']}: " + (f"intact {result['digest']}" if result["ok"] else result["problem"])
        out.print(line, style=None if result["ok"] else "red", markup=False, highlight=False)
    if not all(result["ok"] for result in results):
        raise typer.Exit(2 if unknown else 1)


@app.command()
def show(name: str, directory: Dir = None, as_json: Json = False) -> None:
    """Say what a model is, whose it is, its licence, its source and its state here."""
    with exit_codes():
        approval = open_approval(directory)
        facts = _state(find(approval, name), approval)
    if as_json:
        print_json(facts)
        return
    table = Table(show_header=False, box=None)
    for key, value in facts.items():
        if value is not None and key != "files":
            table.add_row(key, cell(json.dumps(value) if isinstance(value, dict | bool) else str(value)))
    out.print(table)


@app.command()
def pin(name: str, as_json: Json = False) -> None:
    """Record the digest of a shipped model in the package's manifest (for releases, from a checkout)."""
    with exit_codes():
        digest = pinning.pin(name)
    if as_json:
        print_json({"name": name, "digest": digest})
    else:
        out.print(f"{name}: pinned to {digest}", highlight=False)


def _row(state: ModelState, approval: Approval) -> tuple[str, ...]:
    """``current``: approved, and what its name means."""
    if (model := state.installed) is None:
        entry = state.entry
        return (state.name, "", entry.kind if entry else "", entry.licence if entry else "", "", state.state)
    stage = approval.stage(model)
    shown = "current" if stage == "approved" and approval.serves(state) else stage
    return (state.name, model.identity.digest[:LEAST_DIGITS], model.kind, model.licence, _mib(model.size_bytes), shown)


def _facts(model: InstalledModel) -> dict[str, Any]:
    return {
        "name": model.identity.name,
        "digest": model.identity.digest,
        "kind": model.kind,
        "licence": model.licence,
        "attribution": model.attribution,
        "path": str(model.path),
        "size_bytes": model.size_bytes,
    }


def find(approval: Approval, ref: str) -> ModelState:
    """The version that ``NAME`` means now, or the certain one of ``NAME@DIGEST``; one that is not installed too.

    Raises:
        UnknownModel: no model of this name.
    """
    registry, (name, digest) = approval.registry, split(ref)
    states = registry.versions(name)
    if not states:
        registry.catalogue.entry(name)  # raises, with the known names
    wanted = digest or approval.current(name)
    found = [s for s in states if s.installed and s.installed.identity.digest.startswith(wanted)]
    if digest and not found:
        registry.resolve(ref)  # raises, with the known versions
    return (found or list(states))[0]


def _head(approval: Approval) -> dict[str, Any]:
    head = approval.log.head
    return {"decisions": head.size, "head": head.hash}


def _state(state: ModelState, approval: Approval) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": state.name, "state": state.state}
    if state.installed:
        facts |= {"stage": approval.stage(state.installed), "current": approval.serves(state)}
    if state.entry:
        facts |= state.entry.model_dump(
            mode="json", include={"kind", "title", "description", "licence", "attribution", "homepage", "base"}
        )
        facts["serving"], facts["transform"] = state.entry.serving, state.entry.transform
        if wheel := state.entry.wheel:
            facts["source"] = f"wheel {wheel.distribution}=={wheel.version} sha256 {wheel.sha256}"
        facts["files"] = {path: file.sha256 for path, file in state.entry.files.items()}
    return facts | (_facts(state.installed) if state.installed else {"problem": state.problem})


@contextlib.contextmanager
def _shown(*, quiet: bool) -> Iterator[Progress]:
    """Give a progress callback: bars on a terminal, one line a step elsewhere, nothing with ``--json``."""
    if quiet or not err.is_terminal:
        seen: set[str] = set()

        def line(step: str, done: int, total: int) -> None:  # noqa: ARG001 - the Protocol's
            if step not in seen and not quiet:
                seen.add(step)
                err.print(step, markup=False, highlight=False)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=err, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def bar(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total or None)
            bars.update(tasks[step], completed=done)

        yield bar


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.1f} MiB"


def print_json(tree: dict[str, Any]) -> None:
    """Write one JSON object to standard output."""
    typer.echo(json.dumps(tree, ensure_ascii=False))
