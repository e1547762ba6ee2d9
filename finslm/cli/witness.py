"""``finslm witness``: a small process, run elsewhere, that keeps the audit log from taking anything back."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Column, Table

from finslm.audit.keys import read_vkey
from finslm.audit.policy import WitnessPolicy
from finslm.audit.witness import Witness
from finslm.audit.witness_check import check_with_witnesses
from finslm.audit.witness_http import WitnessServer
from finslm.audit.witness_state import create_key, list_seen, read_public_key
from finslm.cli.audit import Dir, Json, Key, exit_codes, log_dir, moment, print_json, read_key
from finslm.errors import ConfigError
from finslm.telemetry import logs

app = typer.Typer(no_args_is_help=True, help="Witness an audit log: run it on another host (docs/witness.md).")
out = Console(soft_wrap=True)

Folder = Annotated[Path, typer.Option("--dir", help="Folder of the witness: its key and what it has cosigned.")]
Policy = Annotated[Path, typer.Option("--policy", help="Witness policy file (C2SP tlog-policy).")]


@app.command()
def init(
    directory: Folder,
    name: Annotated[str, typer.Option(help="Name of the witness, such as witness.bank.example/risk.")],
) -> None:
    """Make the key of a new witness and print its public key, for the policy."""
    with exit_codes(as_json=False):
        try:
            typer.echo(create_key(directory, name).vkey())
        except OSError as error:
            raise ConfigError(f"witness: {directory}: {error.strerror}") from None


@app.command()
def serve(
    directory: Folder,
    log: Annotated[list[Path], typer.Option("--log", help="Public key (log.vkey) of a log to witness; repeatable.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT, or unix:PATH.")] = "127.0.0.1:8085",
    level: Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Answer over HTTP until SIGTERM or Ctrl-C (C2SP tlog-witness)."""
    with exit_codes(as_json=False):
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ConfigError("--log-level: wanted DEBUG, INFO, WARNING or ERROR")
        logs.configure(level)
        with Witness.open(directory, [read_vkey(path) for path in log]) as witness:
            _serve(WitnessServer(witness, listen), witness.verifier.name)


@app.command()
def show(directory: Folder, as_json: Json = False) -> None:
    """Show the witness's public key and what it has cosigned last of each log; works while it serves."""
    with exit_codes(as_json=as_json):
        try:
            vkey, seen = read_public_key(directory).vkey(), list(list_seen(directory))
        except OSError as error:
            raise ConfigError(f"witness: {directory}: {error.strerror}") from None
        rows = [(s.checkpoint.origin, s.checkpoint.size, s.checkpoint.root_hash.hex(), moment(s.time_s)) for s in seen]
        fields = ("origin", "size", "root_hash", "time")
        if as_json:
            print_json({"vkey": vkey, "logs": [dict(zip(fields, row, strict=True)) for row in rows]})
            return
        out.print(vkey, markup=False, highlight=False)
        _print_rows(fields, rows)


@app.command()
def check(policy: Policy, directory: Dir = None, key: Key = None, as_json: Json = False) -> None:
    """Ask the witnesses what they have cosigned last, and check that the log in a folder has all of it."""
    with exit_codes(as_json=as_json):
        found = check_with_witnesses(log_dir(directory), WitnessPolicy.load(policy), read_key(key))
        if as_json:
            print_json({"ok": found.ok, "tree_size": found.log.tree_size, "witnesses": list(map(asdict, found.views))})
        else:
            verdict = "[bold green]The witnesses agree.[/]" if found.ok else "[bold red]The witnesses do not agree.[/]"
            out.print(f"{verdict} The log has {found.log.tree_size} records.", highlight=False)
            rows = [
                (v.witness, v.size, moment(v.time_s) if v.time_s else "", v.verdict.value, v.detail)
                for v in found.views
            ]
            _print_rows(("witness", "size", "time", "", "detail"), rows)
    if not found.ok:
        raise typer.Exit(1)


def _serve(server: WitnessServer, name: str) -> None:
    """Answer in a thread, so that a signal can end it: its handler must not wait for the loop that it interrupts."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    thread = Thread(target=server.serve, name="witness")
    thread.start()
    structlog.get_logger(__name__).info("listening", address=server.address, witness=name)
    stop.wait()
    server.stop()
    thread.join()


def _print_rows(titles: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    table = Table(*(Column(title, overflow="fold") for title in titles), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(str, row))
    out.print(table, highlight=False, markup=False)
