"""``finslm audit``: taking the log elsewhere, checking what came from it, its key and its holds."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from finslm import config
from finslm.audit import Record, spool
from finslm.audit.checkpoint import Verifier
from finslm.audit.export import Verify, checkpoint_size, export_bundle, export_lines, export_reader, json_line
from finslm.audit.merkle import leaf_hash
from finslm.audit.ocsf import ocsf_line
from finslm.audit.proof import Proof
from finslm.audit.pruning import prune
from finslm.audit.records import json_schema, parse, utc_stamp
from finslm.audit.retention import HOLD_LIFTED, HOLD_SET, Hold, Retention
from finslm.audit.rotation import rotate, rotate_postgres
from finslm.audit.verify import open_verifier
from finslm.auditing import open_log, read_dsn, retention_of
from finslm.cli.audit import (
    Database,
    Dir,
    Json,
    Key,
    Source,
    database_file,
    exit_codes,
    log_dir,
    open_source,
    out,
    print_json,
    read_key,
)
from finslm.config import AuditSettings
from finslm.errors import ConfigError, InvalidRequest

_HOLD_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


class Form(StrEnum):
    """Form of an export."""

    tiles = "tiles"
    jsonl = "jsonl"
    ocsf = "ocsf"


def export(
    to: Annotated[Path, typer.Option("--out", help="New folder (tiles), or file (jsonl, ocsf).")],
    directory: Dir = None,
    dsn_file: Database = None,
    key: Key = None,
    form: Annotated[
        Form, typer.Option("--format", help="tiles: C2SP tlog-tiles, verifies anywhere. jsonl, ocsf: a line a record.")
    ] = Form.tiles,
    first: Annotated[int, typer.Option(min=0, help="Tiles: records before this one go by their hashes only.")] = 0,
    by: Annotated[
        str | None, typer.Option("--by", help="Who exports; the user of this machine when not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the whole log and write it elsewhere; that it was exported is recorded."""
    with exit_codes(as_json=as_json), open_source(directory, dsn_file, key) as source:
        records = _tiles(source, to, first) if form is Form.tiles else export_lines(*_lines(source, to, form))
        facts = {"form": form, "records": str(records), "by": _name(by)}
        recorded = source.folder is not None and leave_event(source.folder, "LOG_EXPORTED", facts)
        if as_json:
            print_json({"ok": True, "out": str(to), "records": records, "recorded": recorded})
            return
        out.print(f"{to}: {records} records", highlight=False)
        if not recorded:
            out.print("not recorded: this folder is a copy, no service writes it", style="dim")


def _tiles(source: Source, to: Path, first: int) -> int:
    if source.reader is None:
        return export_bundle(source.own_folder, to, first=first, vkey=source.vkey).records
    return export_reader(source.reader, source.folder, to, first=first, vkey=source.vkey).records


def _lines(source: Source, to: Path, form: Form) -> tuple[Verify, Path, Callable[[int, Record], str]]:
    name = open_verifier(source.folder or Path(), source.vkey).name
    return source.verify, to, partial(ocsf_line, name) if form is Form.ocsf else json_line


def leave_event(folder: Path, event: str, details: dict[str, str], tenant: str = "") -> bool:
    """Leave an event for the service to record; False where no service writes this folder."""
    if not spool.is_live(folder):
        return False
    spool.leave(folder, event, details, tenant)
    return True


def _name(by: str | None) -> str:
    name = by or _user()
    if not re.fullmatch(r"[A-Za-z0-9._@+-]{1,64}", name):
        raise InvalidRequest("--by: a name of letters, digits and . _ @ + - is wanted, at most 64")
    return name


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return f"uid-{os.getuid()}"


def receipt(
    file: Annotated[Path, typer.Argument(help="A .tlog-proof file: the proof of a reply's receipt, or a later one.")],
    key: Annotated[Path, typer.Option("--key", help="The log's public key file, from a place it cannot write.")],
    leaf: Annotated[str, typer.Option(help="Leaf hash that the receipt names, 64 hex digits.")] = "",
    record: Annotated[Path | None, typer.Option(help="Or the record itself, canonical JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Check a receipt offline: that the log signed for this record."""
    with exit_codes(as_json=as_json):
        hash_ = _leaf(leaf, record)
        try:
            proof = Proof.parse(_text(file))
            signed = proof.verify(hash_, Verifier.parse((read_key(key) or "").strip()))
        except ValueError as error:
            raise InvalidRequest(str(error)) from None
        found = {"ok": True, "origin": signed.origin, "index": proof.index, "tree_size": signed.size}
        if as_json:
            print_json(found | {"root_hash": signed.root_hash.hex()})
        else:
            out.print(f"The log {signed.origin} has signed for record {proof.index} of {signed.size}.", style="green")


def _leaf(leaf: str, record: Path | None) -> bytes:
    if bool(leaf) == (record is not None):
        raise InvalidRequest("give the leaf hash (--leaf) or the record (--record), one of them")
    if record is None:
        if not re.fullmatch(r"[0-9a-f]{64}", leaf):
            raise InvalidRequest("--leaf: 64 hex digits are wanted")
        return bytes.fromhex(leaf)
    entry = _text(record).removesuffix("\n").encode()
    try:
        parse(entry)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    return leaf_hash(entry)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {type(error).__name__}: it cannot be read") from None


def schema() -> None:
    """Print the JSON Schema of a record."""
    typer.echo(json.dumps(json_schema(), indent=2))


def rotate_key(directory: Dir = None, dsn_file: Database = None, as_json: Json = False) -> None:
    """Give the log a new signing key; the old key signs that the new one takes over.

    Of a log in files the service must be stopped. Of one in a database, replicas with the old key are refused from then
    on: start them again with the new one.
    """
    with exit_codes(as_json=as_json):
        folder, file, origin = log_dir(directory), database_file(directory, dsn_file), config.load().audit.origin
        changed = rotate(folder, origin) if file is None else rotate_postgres(read_dsn(file), folder, origin)
        vkey = changed.vkey()
        if as_json:
            print_json({"ok": True, "vkey": vkey})
        else:
            out.print(f"The new public key, to be kept elsewhere too:\n{vkey}", highlight=False)
            out.print("Where witnesses cosign: add it beside the old one to their policy and logs (docs/witness.md).")


def prune_now(
    dsn_file: Database = None,
    as_json: Json = False,
) -> None:
    """Take away now what is past its time (``audit.retention``), of a log in a database.

    For a role of its own, which may update ``entries``; the role that serves then need not. A log in files is pruned by
    the service that writes it.
    """
    with exit_codes(as_json=as_json):
        settings = config.load().audit
        if settings.store != "postgres":
            raise ConfigError("a log in files is pruned by the service that writes it (audit.retention)")
        retention = retention_of(settings)
        if not retention:
            raise ConfigError("audit.retention: set all three classes; without, records are kept for ever")
        chosen = settings if dsn_file is None else settings.model_copy(update={"dsn_file": dsn_file})
        gone, first = asyncio.run(_prune(chosen, retention))
        if as_json:
            print_json({"ok": True, "pruned": gone, "first_kept": first})
        else:
            out.print(f"{gone} records went; the first that is still there is {first}", highlight=False)


async def _prune(settings: AuditSettings, retention: Retention) -> tuple[int, int]:
    log = await asyncio.to_thread(open_log, settings, create=False)
    try:
        # Records that are not published yet stay; who publishes may be another process.
        before = None if settings.tiles_dir is None else checkpoint_size(settings.tiles_dir)
        now, waiting = datetime.now(UTC), lambda: bool(spool.pending(settings.dir))
        gone = await prune(log, retention, now, waiting=waiting, before=before)
        return gone, await asyncio.to_thread(lambda: log.first_kept)
    finally:
        await log.close()


hold = typer.Typer(no_args_is_help=True, help="Legal holds: what they name stays, whatever its age.")


@hold.command("set")
def hold_set(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of the case: a-z, 0-9 and . _ -")],
    from_: Annotated[str | None, typer.Option("--from", help="Records from this day or time on (UTC).")] = None,
    to: Annotated[str | None, typer.Option("--to", help="And before this one.")] = None,
    tenant: Annotated[str, typer.Option(help="Records of this tenant; of all when not given.")] = "",
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Keep records of a time, whatever retention says, until the hold is lifted."""
    with exit_codes(as_json=as_json):
        held = Hold(
            checked_name(name), _moment("--from", from_), _moment("--to", to), checked_name(tenant) if tenant else ""
        )
        if held.time_to and held.time_to <= held.time_from:
            raise InvalidRequest("--to: before or at --from; nothing would be held")
        _leave_hold(log_dir(directory), HOLD_SET, held.details(), as_json=as_json)


@hold.command("lift")
def hold_lift(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of the case.")],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """End a hold."""
    with exit_codes(as_json=as_json):
        _leave_hold(log_dir(directory), HOLD_LIFTED, {"hold": checked_name(name)}, as_json=as_json)


def _leave_hold(folder: Path, event: str, details: dict[str, str], *, as_json: bool) -> None:
    if not leave_event(folder, event, {**details, "by": _name(None)}):
        raise ConfigError(f"{folder} is a copy: no service writes it; name the folder of the service's log")
    if as_json:
        print_json({"ok": True, "event": event, **details})
    else:
        out.print(f"{event} {details['hold']}: the service records it within seconds, or at its next start")


def checked_name(name: str) -> str:
    """A name of the operator's, as records have it.

    Raises:
        InvalidRequest: of another form.
    """
    if not _HOLD_ID.fullmatch(name):
        raise InvalidRequest("a name of a-z, 0-9, '.', '_' and '-' is wanted, at most 64")
    return name


def _moment(option: str, text: str | None) -> str:
    if text is None:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        return utc_stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{option}: a day (2026-01-01) or an RFC 3339 time is wanted") from None
