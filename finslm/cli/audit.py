"""``finslm audit``: check and read the audit log where it lies; works while the service runs, needs no lock."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer
from rich.console import Console
from rich.table import Column, Table

from finslm import config
from finslm.audit import Kind, Record, VerifyReport, merkle, verify_dir
from finslm.audit.keys import VKEY_FILE, read_vkey
from finslm.audit.policy import Standing, WitnessPolicy
from finslm.audit.verify import verify_reader
from finslm.audit.witnessed import verify_witnessed
from finslm.auditing import read_dsn
from finslm.errors import AuditCorrupt, ConfigError, FinslmError, InvalidRequest, UnknownRecord

if TYPE_CHECKING:
    from finslm.audit.postgres_reader import PostgresReader

app = typer.Typer(no_args_is_help=True, help="Check and read the audit log (docs/audit-log.md).")
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
_TAIL_COLUMNS = ("index", "time, UTC", "kind", "what", "who", "status", "ms")

Dir = Annotated[Path | None, typer.Option("--dir", help="Folder of the log; the setting audit.dir when not given.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Key = Annotated[
    Path | None,
    typer.Option("--key", help="Public key file (vkey) kept elsewhere; the folder's own log.vkey when not given."),
]
Policy = Annotated[
    Path | None,
    typer.Option("--policy", help="Witness policy file: the quorum must have cosigned, and the log extend that."),
]
Cosigned = Annotated[
    Path | None,
    typer.Option("--checkpoint", help="Cosigned checkpoint from elsewhere; the folder's own when not given."),
]
Database = Annotated[
    Path | None,
    typer.Option(
        "--dsn-file",
        help="File with the connection string of a log in PostgreSQL (the setting audit.dsn_file, where neither this "
        "nor --dir is given); --dir then has its key.",
    ),
]


@contextlib.contextmanager
def exit_codes(*, as_json: bool) -> Iterator[None]:
    """A log that is damaged or cannot be read ends with 1, a wrong call with 2; the reason goes to stderr."""
    try:
        yield
    except FinslmError as error:
        if as_json:
            index = {"index": error.index} if isinstance(error, AuditCorrupt) else {}
            print_json({"ok": False, "reason": error.reason, "message": str(error)} | index)
        else:
            err.print(f"error: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(2 if isinstance(error, ConfigError | InvalidRequest | UnknownRecord) else 1) from None


def log_dir(given: Path | None) -> Path:
    """The folder given, or that of the settings.

    Raises:
        ConfigError: there is no such folder.
    """
    folder = given or config.load().audit.dir
    if not folder.is_dir():
        raise ConfigError(f"no audit log in {folder}: give its folder with --dir")
    return folder


@final
@dataclass(frozen=True, slots=True)
class Source:
    """A log to be read: in a folder, or in a database with its key in that folder; None: the key was given."""

    folder: Path | None
    vkey: str | None
    reader: PostgresReader | None

    @property
    def own_folder(self) -> Path:
        """The folder of a log in files."""
        if self.folder is None:
            raise AssertionError("a log without a folder is in a database")
        return self.folder

    def verify(self, *, visit: Callable[[int, Record], None] | None = None) -> VerifyReport:
        """Check all of it; raises as :func:`finslm.audit.verify_dir`."""
        if self.reader is None:
            return verify_dir(self.own_folder, vkey=self.vkey, visit=visit)
        return verify_reader(self.reader, self.folder, vkey=self.vkey, visit=visit)


@contextlib.contextmanager
def open_source(directory: Path | None, dsn_file: Path | None, key: Path | None) -> Iterator[Source]:
    """Find the log that the options name, or the settings.

    Raises:
        AuditUnavailable: its database cannot be reached or read.
        ConfigError: there is no such folder, or a file cannot be read.
    """
    file, vkey = database_file(directory, dsn_file), read_key(key)
    if file is None:
        yield Source(log_dir(directory), vkey, None)
        return
    # A database that was named is not that of the settings: their folder has the key of another log.
    folder = directory if dsn_file is not None and vkey is not None else log_dir(directory)
    with postgres_reader(read_dsn(file)) as reader:
        if folder is not None and read_vkey(folder / VKEY_FILE).vkey() != reader.vkey:
            raise ConfigError(f"{folder} has the key of another log than this database: name its folder, or its --key")
        yield Source(folder, vkey, reader)


def database_file(directory: Path | None, dsn_file: Path | None) -> Path | None:
    """The file with the connection string, where the log lies in a database."""
    if dsn_file is not None or directory is not None:
        return dsn_file
    settings = config.load().audit
    return settings.dsn_file if settings.store == "postgres" else None


def postgres_reader(dsn: str) -> contextlib.AbstractContextManager[PostgresReader]:
    """Open the database to read; raises as :func:`finslm.audit.postgres_reader.open_reader`."""
    try:
        from finslm.audit.postgres_reader import open_reader  # needs psycopg, which a log in files does not
    except ImportError:
        raise ConfigError("a log in PostgreSQL needs psycopg: install finslm[postgres]") from None
    return open_reader(dsn)


def read_key(key: Path | None) -> str | None:
    """Text of the public key file, if one is given.

    Raises:
        ConfigError: unreadable.
    """
    try:
        return None if key is None else key.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"public key {key}: {type(error).__name__}") from None


def print_json(value: object) -> None:
    """One JSON object on standard output."""
    typer.echo(json.dumps(value, indent=2))


@app.command()
def verify(
    directory: Dir = None,
    dsn_file: Database = None,
    key: Key = None,
    policy: Policy = None,
    checkpoint: Cosigned = None,
    as_json: Json = False,
) -> None:
    """Read the whole log and check every record against its hashes, the signed checkpoint and what witnesses signed."""
    with exit_codes(as_json=as_json), open_source(directory, dsn_file, key) as source:
        report, standing = _verified(source, policy, checkpoint)
        if as_json:
            print_json(_report_json(report) | ({} if standing is None else _standing_json(standing)))
            return
        table = Table(Column(no_wrap=True), Column(overflow="fold"), show_header=False, box=None, pad_edge=False)
        for name, value in (*_report_rows(report), *([] if standing is None else _standing_rows(standing))):
            table.add_row(name, value)
        out.print("[bold green]The log holds.[/]" if report.ok else "[bold red]The log does not add up.[/]")
        out.print(table, highlight=False)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def show(
    which: Annotated[str, typer.Argument(metavar="INDEX|REQUEST_ID", help="Index of a record, or UUID of a call.")],
    directory: Dir = None,
    dsn_file: Database = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show a record, or the records of a call, after checking the whole log."""
    with exit_codes(as_json=as_json), open_source(directory, dsn_file, key) as source:
        wanted = _parse_target(which)
        found: list[tuple[int, Record]] = []

        def visit(index: int, record: Record) -> None:
            if wanted in (index, record.request_id):
                found.append((index, record))

        report = source.verify(visit=visit)
        if not found:
            raise UnknownRecord(f"no such record or call: the log has {report.tree_size} records, counted from 0")
        if as_json:
            print_json({"records": [_record_json(*item) for item in found]})
            return
        for item in found:
            out.print_json(json.dumps(_record_json(*item)))


@app.command()
def tail(
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many records.")] = 20,
    directory: Dir = None,
    dsn_file: Database = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show the newest records, after checking the whole log."""
    with exit_codes(as_json=as_json), open_source(directory, dsn_file, key) as source:
        newest: deque[tuple[int, Record]] = deque(maxlen=count)
        source.verify(visit=lambda *item: newest.append(item))
        if as_json:
            print_json({"records": [_record_json(*item) for item in newest]})
            return
        table = Table(*(Column(name, overflow="fold") for name in _TAIL_COLUMNS), box=None, pad_edge=False)
        for index, record in newest:
            table.add_row(str(index), *_row(record), style=None if record.status in ("", "OK") else "red")
        out.print(table, highlight=False)


def _verified(source: Source, policy: Path | None, checkpoint: Path | None) -> tuple[VerifyReport, Standing | None]:
    """The log checked by itself, or with a policy also against what its witnesses have cosigned."""
    if policy is not None:
        if source.reader is not None:
            raise InvalidRequest("--policy: of a log in a database, export it first and verify the export")
        rules = WitnessPolicy.load(policy)
        witnessed = verify_witnessed(source.own_folder, rules, vkey=source.vkey, checkpoint=checkpoint)
        return witnessed.log, witnessed.standing
    if checkpoint is not None:
        raise InvalidRequest("--checkpoint needs --policy, which says whose cosignatures count")
    return source.verify(), None


def _parse_target(which: str) -> int | str:
    if which.isascii() and which.isdigit():
        return int(which[:19])
    try:
        return str(uuid.UUID(which))
    except ValueError:
        raise InvalidRequest("give the index of a record (0, 1, ...) or the UUID of a call") from None


def _record_json(index: int, record: Record) -> dict[str, Any]:
    entry = record.canonical()
    return {"index": index, "leaf_hash": merkle.leaf_hash(entry).hex(), "record": json.loads(entry)}


def _row(record: Record) -> tuple[str, str, str, str, str, str]:
    what = record.event if record.kind is Kind.EVENT else record.method
    status = record.status if record.status in ("", "OK") else f"{record.status} {record.reason}"
    duration = "" if record.duration_ms is None else str(record.duration_ms)
    return record.time[:19].replace("T", " "), record.kind, what, record.principal, status, duration


def _report_json(report: VerifyReport) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "origin": report.checkpoint.origin,
        "tree_size": report.tree_size,
        "root_hash": report.root_hash,
        "records": report.records,
        "first_kept": report.first_kept,
        "checkpoint_size": report.checkpoint.size,
        "intents_without_outcome": list(report.intents_without_outcome),
        "outcomes_without_intent": list(report.outcomes_without_intent),
    }


def _report_rows(report: VerifyReport) -> Iterator[tuple[str, str]]:
    yield "log", report.checkpoint.origin
    yield "records", f"{report.records} read, {report.tree_size} in the tree"
    yield "root hash", report.root_hash
    if report.first_kept:
        yield "hashes only", f"the first {report.first_kept}"
    yield "signed", f"the first {report.checkpoint.size}"
    yield "calls without outcome", _indexes(report.intents_without_outcome)
    yield "outcomes without call", _indexes(report.outcomes_without_intent)


def _standing_json(standing: Standing) -> dict[str, Any]:
    witnesses = {name: moment(time_s) for name, time_s in standing.times.items()}
    met_at = moment(standing.met_at) if standing.met_at else ""
    return {"cosigned_size": standing.checkpoint.size, "cosigned_by": witnesses, "quorum_met_at": met_at}


def _standing_rows(standing: Standing) -> Iterator[tuple[str, str]]:
    yield "cosigned", f"the first {standing.checkpoint.size}"
    for name, time_s in standing.times.items():
        yield f"  by {name}", moment(time_s)


def moment(time_s: int) -> str:
    """Unix seconds as RFC 3339, UTC. Past the year 9999 the number itself."""
    try:
        return datetime.fromtimestamp(time_s, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return str(time_s)


def _indexes(indexes: tuple[int, ...], limit: int = 10) -> str:
    shown = ", ".join(map(str, indexes[:limit])) + (", ..." if len(indexes) > limit else "")
    return f"{len(indexes)} (records {shown})" if indexes else "none"
