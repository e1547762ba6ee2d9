"""``finslm feedback``: send a correction, say what is kept, take it out, erase it, make a training set of it."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer
from rich.console import Console
from rich.table import Table

from finslm import config
from finslm.cli.call import DEFAULT_ADDRESS, Address, CaFile, Timeout, TokenFile, print_result, to_server
from finslm.cli.texts import cell, shown, text_of
from finslm.errors import ConfigError, InvalidRequest
from finslm.feedback import Feedback, FeedbackStore
from finslm.vaulting import open_keys

if TYPE_CHECKING:
    from finslm.train.feedback import Built

app = typer.Typer(no_args_is_help=True, help="Send corrections, see and erase what is kept, build training sets of it.")
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Tenant = Annotated[str, typer.Option(help="Whose feedback.")]
Task = Annotated[str, typer.Option(help="Of this task alone.")]
Store = Annotated[
    Optional[Path], typer.Option("--store", help="Folder of the store; the setting feedback.dir when not given.")
]


@app.command()
def send(
    text: Annotated[str, typer.Argument(help="The text that the answer was about; '-': standard input.")],
    task: Annotated[str, typer.Option(help="Task of the answer.")],
    consent: Annotated[str, typer.Option(help="Basis on which it may be kept: CONSENT, TEST_DATA, ...")],
    given_by: Annotated[str, typer.Option(help="Who gave it: SUBJECT, EMPLOYEE or CONTROLLER.")],
    right: Annotated[bool, typer.Option("--right/--wrong", help="Whether the answer was right.")] = False,
    label: Annotated[Optional[str], typer.Option(help="The right label.")] = None,
    answer: Annotated[Optional[str], typer.Option(help="The right answer, of tasks that write or extract.")] = None,
    subject_file: Annotated[
        Optional[Path], typer.Option(help="File with whom the text is about, such as a customer's number.")
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    timeout: Timeout = 60.0,
    as_json: Json = False,
) -> None:
    """Say whether an answer was right, and what would have been; the text is redacted before it is kept."""
    from finslm.client import Consent

    verdict: Literal["RIGHT", "WRONG"] = "RIGHT" if right else "WRONG"
    try:
        given = Consent(basis=consent, given_by=given_by)
        with to_server(address, token_file, ca_file) as client:
            kept = client.submit_feedback(
                text_of(text),
                task=task,
                verdict=verdict,
                consent=given,
                label=label,
                answer=answer,
                subject=_subject(subject_file),
                timeout_s=timeout,
            )
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    if as_json:
        print_result(kept)
        return
    out.print(f"kept as {kept.feedback_id}", highlight=False)


@app.command("list")
def list_(
    store: Store = None,
    tenant: Tenant = "default",
    task: Task = "",
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    texts: Annotated[
        bool, typer.Option("--texts", help="Show the redacted texts too, which is put on record.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List corrections, the newest last."""
    with _store(store) as opened:
        found = list(opened.read(tenant, task))[-limit:]
        if texts and found:
            opened.note("EXPORTED", tenant, len(found))
    if as_json:
        out.print_json(json.dumps([record.as_dict(texts=texts) for record in found]))
        return
    for record in found:
        said = record.said
        line = (record.id, record.time, said.task, said.verdict, said.label or "-", said.principal, said.consent_basis)
        typer.echo("  ".join(map(shown, line)))
        if texts:
            typer.echo(_indented(said.text) + (f"\n    -> {_indented(said.answer)[4:]}" if said.answer else ""))
    if not found:
        out.print("No feedback is kept.")


def _indented(text: str) -> str:
    """Each line set in, so that none looks like the head of a record."""
    return "\n".join(f"    {shown(line)}" for line in text.split("\n"))


@app.command("show-stats")
def show_stats(store: Store = None, as_json: Json = False) -> None:
    """Count what is kept, by tenant, task, verdict and who sent it."""
    with _store(store) as opened:
        holds = opened.holds()
        counts = Counter((r.said.tenant, r.said.task, r.said.verdict, r.said.principal) for r in opened.read())
    rows = [(*key, count) for key, count in sorted(counts.items())]
    if as_json:
        names = ("tenant", "task", "verdict", "principal", "records")
        facts = {
            "tenants": {tenant: each._asdict() for tenant, each in holds.items()},
            "counts": [dict(zip(names, row, strict=True)) for row in rows],
        }
        out.print_json(json.dumps(facts))
        return
    table = Table("tenant", "task", "verdict", "principal", "records", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(cell(str(value)) for value in row))
    out.print(table if rows else "No feedback is kept.")


@app.command()
def export(
    to: Annotated[Path, typer.Option("--out", help="File to write, JSON Lines; readable by its owner alone.")],
    store: Store = None,
    tenant: Tenant = "default",
    task: Task = "",
) -> None:
    """Write corrections with their redacted texts, unsealed: to build elsewhere. It is put on record."""
    with _store(store) as opened:
        found = list(opened.read(tenant, task))
        opened.note("EXPORTED", tenant, len(found))
        try:
            with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(r.as_dict(texts=True), ensure_ascii=False) + "\n" for r in found)
        except OSError as error:
            raise ConfigError(f"{to}: {error.strerror}") from None
    out.print(f"{len(found)} records written to {to}", highlight=False)


@app.command()
def erase(
    store: Store = None,
    tenant: Tenant = "default",
    ids: Annotated[Optional[list[str]], typer.Option("--id", help="These records.")] = None,
    subject_file: Annotated[
        Optional[Path], typer.Option(help="What is about the subject that this file names; '-': standard input.")
    ] = None,
    principal: Annotated[str, typer.Option(help="What this caller has sent.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All of the tenant's.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Erase corrections, for good; the service puts it on record. Training sets and adapters made of them stay."""
    if not (ids or subject_file or principal or everything):
        err.print("error: say what: --id, --subject-file, --principal or --all", style="red", highlight=False)
        raise typer.Exit(2)
    if not yes and not typer.confirm(f"Erase feedback of tenant {tenant}? It cannot come back.", err=True):
        raise typer.Exit(1)
    with _store(store) as opened:
        gone = opened.erase(
            tenant, ids=ids or (), subject=_subject(subject_file), principal=principal, everything=everything
        )
    if as_json:
        out.print_json(json.dumps({"erased": gone}))
        return
    out.print(f"{gone} records erased", highlight=False)


@app.command()
def build(
    task: Annotated[str, typer.Option(help="Task to train for.")],
    to: Annotated[Path, typer.Option("--out", help="Folder to write; must not be there yet.")],
    data: Annotated[
        Optional[Path],
        typer.Option(help="Data folder of the adapter's recipe, to train on both; without it, on feedback alone."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="Recipe of the adapter; the one named as the task's adapter.")] = "",
    name: Annotated[str, typer.Option(help="Name of the adapter; the recipe's when not given.")] = "",
    stores: Annotated[
        Optional[list[Path]], typer.Option("--store", help="Folder of a store; the setting feedback.dir.")
    ] = None,
    exports: Annotated[
        Optional[list[Path]], typer.Option("--export", help="File that finslm feedback export has written.")
    ] = None,
    tenant: Tenant = "default",
    max_share: Annotated[float, typer.Option(help="Of the rows, that one caller alone may vouch for.")] = 0.5,
    new_labels: Annotated[bool, typer.Option("--new-labels", help="Train labels that the task did not have.")] = False,
    min_rows: Annotated[int, typer.Option(min=1, help="Rows to train on that a new label needs.")] = 5,
    as_json: Json = False,
) -> None:
    """Make a training set with splits, a recipe and a data card, and say what to run next."""
    from finslm.tasks import TASKS, TaskKind
    from finslm.train import recipe as recipes
    from finslm.train.feedback import select, write

    chosen = TASKS.get(task)
    base = None
    if chosen.kind is TaskKind.CLASSIFY:
        base = recipes.read(recipe or chosen.adapter or "")
        if base.task != task:
            raise ConfigError(f"recipe {base.name} is for task {base.task}, not {task}: give another with --recipe")
    records = {record.id: record for record in _collected(stores, exports, tenant, task)}
    selection = select(records.values(), max_share=max_share, new_labels=new_labels, min_rows=min_rows)
    built = write(selection, to, recipe=base, data=data, name=name)
    if as_json:
        out.print_json(json.dumps(built.facts | {"folder": str(built.folder)}))
        return
    _print_built(built, data)


def _collected(stores: list[Path] | None, exports: list[Path] | None, tenant: str, task: str) -> Iterator[Feedback]:
    for file in exports or ():
        yield from (r for r in _exported(file) if (r.said.tenant, r.said.task) == (tenant, task))
    folders: list[Path | None] = [*stores] if stores else [] if exports else [None]
    for folder in folders:
        with _store(folder) as opened:
            found = list(opened.read(tenant, task))
            opened.note("BUILT", tenant, len(found))
        yield from found


def _exported(file: Path) -> Iterator[Feedback]:
    try:
        lines = file.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {type(error).__name__}: a readable UTF-8 file is wanted") from None
    for number, line in enumerate(lines, 1):
        try:
            if line:
                yield Feedback.from_dict(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{file}, line {number}: {type(error).__name__}: not what export writes") from None


def _print_built(built: Built, data: Path | None) -> None:
    rows = built.facts["rows"]
    out.print(f"{built.folder}: {', '.join(f'{count} rows to {split}' for split, count in rows.items())}")
    for why, count in built.facts["left_out"].items():
        out.print(f"  left out, {why}: {count}", highlight=False)
    if built.recipe is None:
        out.print("The task does not classify: name these files in a recipe of its own (docs/feedback.md).")
        return
    folder = data or built.folder
    out.print("Next:", highlight=False)
    steps = [f"finslm finetune {built.recipe} --data {folder} --out runs"]
    if built.compare is not None:
        evaluate = f"--data {folder} --recipe {built.compare} --out"
        steps += [f"finslm evaluate {built.name} {evaluate} before"]
        steps += [f"finslm evaluate runs/{built.name}/{built.name} {evaluate} after"]
    for step in steps:
        out.print(f"  {step}", highlight=False)
    out.print("then, if the new one is better: finslm models add, finslm models promote", highlight=False)


def _subject(file: Path | None) -> str:
    """From a file: on the command line others could read it."""
    if file is None:
        return ""
    try:
        found = (text_of("-") if str(file) == "-" else file.read_text("utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file}: {type(error).__name__}: a readable UTF-8 file is wanted") from None
    if not found:
        raise InvalidRequest(f"{file}: it names nobody")
    return found


@contextlib.contextmanager
def _store(folder: Path | None) -> Iterator[FeedbackStore]:
    """The store of the settings, or of a folder with their keys."""
    settings = config.load()
    chosen = settings.feedback if folder is None else settings.feedback.model_copy(update={"dir": folder})
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder")
    with contextlib.closing(FeedbackStore(chosen, open_keys(settings.keys))) as opened:
        yield opened
