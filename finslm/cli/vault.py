"""``finslm vault``: what it holds, erasure, and rotation of the keys it hangs on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from finslm import config
from finslm.errors import ConfigError
from finslm.vaulting import open_keys, open_vault
from redaction.errors import RedactionError
from redaction.vault import Owner
from redaction.vault.stored import StoredVault

app = typer.Typer(no_args_is_help=True, help="Say what the vault holds, erase from it, and rotate its keys.")
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_STEP = 1000


@app.command()
def status(as_json: Json = False) -> None:
    """Count sessions and values by tenant, and name the keys that something hangs on."""
    with _vault() as vault:
        holds, in_use, current = vault.holds(), sorted(vault.keys_in_use()), vault.current_key
    if as_json:
        tenants = {tenant: count._asdict() for tenant, count in sorted(holds.items())}
        out.print_json(json.dumps({"tenants": tenants, "keys_in_use": in_use, "current_key": current}))
        return
    table = Table("tenant", "sessions", "values", "erased", box=None, pad_edge=False)
    for tenant, count in sorted(holds.items()):
        table.add_row(tenant, *map(str, count))
    out.print(table if holds else "The vault is empty.")
    out.print(f"current key {current}", highlight=False)
    if old := [key for key in in_use if key != current]:
        out.print(f"still in use: {', '.join(old)}; run finslm vault rewrap before they are taken out", highlight=False)


@app.command()
def rewrap(as_json: Json = False) -> None:
    """Wrap with the current key what hangs on others, while the service goes on."""
    done = 0
    with _vault() as vault:
        while count := vault.rewrap(_STEP):
            done += count
        current, in_use = vault.current_key, sorted(vault.keys_in_use())
    if as_json:
        out.print_json(json.dumps({"rewrapped": done, "current_key": current, "keys_in_use": in_use}))
        return
    out.print(f"{done} data keys wrapped with {current}; in use now: {', '.join(in_use) or 'none'}", highlight=False)


@app.command()
def erase(
    tenant: Annotated[str, typer.Option(help="Whose sessions.")],
    principal: Annotated[str | None, typer.Option(help="Of this caller alone.")] = None,
    session: Annotated[str | None, typer.Option(help="This session alone; needs --principal.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Destroy the keys and values of sessions, for good; the service puts it on record."""
    if session is not None and principal is None:
        err.print("error: --session needs --principal: a session is found by its owner", style="red", highlight=False)
        raise typer.Exit(2)
    what = f"session {session}" if session else f"all sessions of {principal or 'everybody'}"
    if not yes and not typer.confirm(f"Erase {what} of tenant {tenant}? They cannot come back.", err=True):
        raise typer.Exit(1)
    with _vault() as vault:
        gone = vault.purge_tenant(tenant) if principal is None else vault.purge(Owner(tenant, principal), session)
    if as_json:
        out.print_json(json.dumps({"erased": gone}))
        return
    out.print(f"{gone} sessions erased", highlight=False)


@contextlib.contextmanager
def _vault() -> Iterator[StoredVault]:
    """The vault of the settings.

    Raises:
        typer.Exit: 1, after a line on standard error: it cannot be opened or used, or lives in a process's memory.
    """
    try:
        settings = config.load()
        vault = open_vault(settings, open_keys(settings.keys))
        if not isinstance(vault, StoredVault):
            raise ConfigError("vault.store is memory: it lives and ends with the process that serves")
        with contextlib.closing(vault):
            yield vault
    except (ConfigError, RedactionError) as error:
        err.print(f"error: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
