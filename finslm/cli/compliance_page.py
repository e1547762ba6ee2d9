"""``finslm compliance serve``: the compliance officer's page, in a browser on this machine."""

from __future__ import annotations

import signal
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated

import typer

from finslm.audit.listening import UNIX
from finslm.audit.verify import open_verifier
from finslm.cli.audit import Dir, Key, exit_codes, log_dir, read_key
from finslm.compliance.request import check_name
from finslm.errors import ConfigError
from finslm.telemetry import logs

if TYPE_CHECKING:
    from finslm.compliance.page.server import PageServer

Name = Annotated[str, typer.Option(help="Name for the head of the page and its reports, 1 to 64 printable characters.")]


def serve(
    directory: Dir = None,
    listen: Annotated[
        str, typer.Option(help="Loopback address as HOST:PORT, or unix:PATH. No other is taken.")
    ] = "127.0.0.1:8765",
    token_file: Annotated[
        Path | None, typer.Option(help="File with the log-in token, mode 600. A one-time token is printed without it.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Witness policy file: Verify also checks the cosignatures.")
    ] = None,
    key: Key = None,
    system: Name = "",
    environment: Name = "",
) -> None:
    """Show what the service did, from the verified log, in a browser on this machine; until SIGTERM or Ctrl-C."""
    # The page is imported here: no other command needs it.
    from finslm.compliance.page.access import read_token
    from finslm.compliance.page.desk import Setting
    from finslm.compliance.page.server import PageServer, check_local, open_access

    with exit_codes(as_json=False):
        check_local(listen)
        folder, vkey = log_dir(directory), read_key(key)
        if vkey is not None:
            open_verifier(folder, vkey)
        for field, value in (("system", system), ("environment", environment)):
            if value:
                check_name(field, value)
        token = None if token_file is None else read_token(token_file)
        if not (folder / "hashes").is_file():
            raise ConfigError(f"no audit log in {folder}: give its folder with --dir")
        logs.configure("WARNING")
        setting = Setting(folder, vkey, policy, system, environment)
        _serve(PageServer(setting, open_access(token, _print_token), listen))


def _print_token(token: str) -> None:
    """For the officer's eyes, and good for one log-in; the next one is printed when it is used."""
    typer.echo(f"log-in token: {token}")


def _serve(server: PageServer) -> None:
    """Answer in a thread, so that a signal can end it: its handler must not wait for the loop that it interrupts."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    thread = Thread(target=server.serve, name="page")
    thread.start()
    typer.echo(f"page: {server.address if server.address.startswith(UNIX) else f'http://{server.address}/'}")
    stop.wait()
    server.shutdown()
    thread.join()
