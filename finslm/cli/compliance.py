"""``finslm compliance``: draw the report of a period from the audit log."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from finslm.audit.files import write_atomically
from finslm.cli.audit import Dir, Json, Key, exit_codes, log_dir, print_json, read_key
from finslm.compliance import Report, Request, draw
from finslm.compliance.forms import Format, render
from finslm.compliance.recorded import note
from finslm.errors import ConfigError, InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Report what the service did, from the verified audit log.")
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?", re.ASCII)


_BINARY = frozenset({Format.pdf, Format.csv})
Name = Annotated[str, typer.Option(help="Name for the report's head, 1 to 64 printable characters.")]


@app.callback()
def _group() -> None:
    """Report what the service did, from the verified audit log."""


@app.command()
def report(
    from_: Annotated[str, typer.Option("--from", help="First moment: a day (2026-01-01, UTC) or an RFC 3339 time.")],
    to: Annotated[
        str | None, typer.Option("--to", help="End, excluded; in the same form. Now, when not given.")
    ] = None,
    directory: Dir = None,
    key: Key = None,
    tenant: Annotated[str, typer.Option(help="Only this tenant's records in the body. Completeness is of all.")] = "",
    standard: Annotated[
        list[str] | None, typer.Option(help="Id of a standard whose controls table to draw; may be repeated. All.")
    ] = None,
    system: Name = "",
    environment: Name = "",
    form: Annotated[Format, typer.Option("--format", help="Form of the report. csv: a ZIP of tables.")] = Format.html,
    file: Annotated[
        Path | None, typer.Option("--out", help="File to write; needed for pdf and csv, else standard output.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who draws it; the user of this machine when not given.")
    ] = None,
    drawn_at: Annotated[
        str | None,
        typer.Option("--drawn-at", help="Time of an earlier drawing, to make it again; now when not given."),
    ] = None,
    sign_key: Annotated[Path | None, typer.Option("--sign-key", help="PEM private key to sign the PDF with.")] = None,
    sign_cert: Annotated[Path | None, typer.Option("--sign-cert", help="Its certificate, PEM.")] = None,
    witness_policy: Annotated[
        Path | None,
        typer.Option("--witness-policy", help="Whose cosignatures count; checkpoint.cosigned is held against it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw the report of a period. Ends with 1 when a check did not pass; the report is written all the same."""
    with exit_codes(as_json=as_json):
        form = Format.json if as_json and file is None else form
        _check_form(form, file, sign_key, sign_cert)
        now = datetime.now(UTC)
        at = now if drawn_at is None else _moment("--drawn-at", drawn_at)
        if at > now:
            raise InvalidRequest("--drawn-at: this time is not yet")
        request = Request(
            from_=_moment("--from", from_),
            to=at if to is None else _moment("--to", to),
            drawn_at=at,
            drawn_by=_drawn_by() if by is None else by,
            system=system,
            environment=environment,
            tenant=tenant,
            standards=None if not standard else tuple(standard),
        )
        folder = log_dir(directory)
        drawn = draw(folder, request, vkey=read_key(key), witness_policy=witness_policy)
        content = render(drawn, form)
        if sign_key is not None and sign_cert is not None:
            from finslm.compliance.pdf_sign import sign

            content = sign(content, sign_key, sign_cert)
        if not note(folder, "REPORT_DRAWN", drawn.query.sha256, form, request.drawn_by):
            err.print("not recorded: this folder is a copy, no service writes it", style="dim")
        if file is None:
            typer.echo(content.decode(), nl=False)
        else:
            _write(file, content)
            _tell(drawn, file, as_json=as_json)
    if not drawn.evidence.passed:
        raise typer.Exit(1)


def _check_form(form: Format, file: Path | None, sign_key: Path | None, sign_cert: Path | None) -> None:
    if form in _BINARY and file is None:
        raise InvalidRequest(f"--format {form}: say where to with --out")
    if (sign_key is None) != (sign_cert is None):
        raise InvalidRequest("--sign-key and --sign-cert go together")
    if sign_key is not None and form is not Format.pdf:
        raise InvalidRequest("--sign-key: only the PDF is signed; choose --format pdf")


def _drawn_by() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise InvalidRequest("--by: this machine does not know who you are; give a name") from None


def _tell(drawn: Report, file: Path, *, as_json: bool) -> None:
    failed = [check.name for check in drawn.evidence.checks if not check.passed]
    if as_json:
        print_json(
            {
                "ok": not failed,
                "file": str(file),
                "report": drawn.report_id,
                "records": drawn.evidence.records_counted,
                "calls": drawn.calls.total.calls,
                "failed_checks": failed,
            }
        )
        return
    out.print(f"{file}: {drawn.evidence.records_counted} records, {drawn.calls.total.calls} calls", highlight=False)
    for name in failed:
        out.print(f"check not passed: {name}", style="red", highlight=False)


def _write(file: Path, content: bytes) -> None:
    try:
        write_atomically(file, content, 0o644)
    except OSError as error:
        raise ConfigError(f"the report cannot be written to {file}: {error.strerror}") from None


def _moment(option: str, text: str) -> datetime:
    try:
        if not _MOMENT.fullmatch(text):  # Python reads 2026-01-01+02:00 as two o'clock
            raise ValueError
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{option}: a day (2026-01-01) or an RFC 3339 time is wanted") from None
