"""``finslm compliance``: draw the report of a period from the audit log."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from finslm.audit.files import write_atomically
from finslm.cli.audit import Dir, Json, Key, exit_codes, log_dir, print_json, read_key
from finslm.compliance import Report, draw, to_html
from finslm.errors import ConfigError, InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Report what the service did, from the verified audit log.")
out = Console(soft_wrap=True)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?", re.ASCII)


class Format(StrEnum):
    """Form of the report."""

    html = "html"
    json = "json"


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
    form: Annotated[Format, typer.Option("--format", help="Form of the report.")] = Format.html,
    file: Annotated[Path | None, typer.Option("--out", help="File to write; standard output when not given.")] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who draws it; the user of this machine when not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw the report of a period. Ends with 1 when a check did not pass; the report is written all the same."""
    with exit_codes(as_json=as_json):
        now = datetime.now(UTC)
        drawn = draw(
            log_dir(directory),
            _moment("--from", from_),
            now if to is None else _moment("--to", to),
            generated_at=now,
            generated_by=by or getpass.getuser(),
            vkey=read_key(key),
        )
        text = drawn.to_json() if form is Format.json or (as_json and file is None) else to_html(drawn)
        if file is None:
            typer.echo(text, nl=False)
        else:
            _write(file, text)
            _tell(drawn, file, as_json=as_json)
    if not drawn.evidence.passed:
        raise typer.Exit(1)


def _tell(drawn: Report, file: Path, *, as_json: bool) -> None:
    failed = [check.name for check in drawn.evidence.checks if not check.passed]
    if as_json:
        print_json(
            {
                "ok": not failed,
                "file": str(file),
                "records": drawn.evidence.records_counted,
                "calls": drawn.calls.total.calls,
                "failed_checks": failed,
            }
        )
        return
    out.print(f"{file}: {drawn.evidence.records_counted} records, {drawn.calls.total.calls} calls", highlight=False)
    for name in failed:
        out.print(f"check not passed: {name}", style="red", highlight=False)


def _write(file: Path, text: str) -> None:
    try:
        write_atomically(file, text.encode(), 0o644)
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
