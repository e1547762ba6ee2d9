"""``finslm audit subject``: which calls were about somebody, and erasure (GDPR articles 15 and 17)."""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from finslm import config
from finslm.audit import Kind, Record, verify_dir
from finslm.audit.subjects import Sighting
from finslm.auditing import open_subjects
from finslm.cli.audit import Dir, Json, exit_codes, log_dir, out, print_json
from finslm.cli.audit_tools import checked_name, leave_event
from finslm.errors import ConfigError, InvalidRequest
from finslm.subjects import TYPES, SubjectIndex
from finslm.vaulting import open_keys

app = typer.Typer(no_args_is_help=True, help="Calls that were about somebody: find them, erase who it was.")

Tenant = Annotated[str, typer.Option(help="Whose calls.")]
Type = Annotated[str, typer.Option("--type", help=f"What the value is: {', '.join(sorted(TYPES))}.")]
MAX_CHARS = 512


@app.command()
def search(tenant: Tenant, type_: Type, directory: Dir = None, as_json: Json = False) -> None:
    """Read a value (a name, an address, a number) from standard input and find the calls that had it in them.

    Each call found is proven against the log: the store opens the commitment that stands in its record.
    """
    with exit_codes(as_json=as_json):
        folder, value = log_dir(directory), _value(type_)
        with _index() as index:
            token = index.token(checked_name(tenant), type_, value)
            found = index.sightings(tenant, token)
        calls = [_shown(item) for item in _proven(folder, token, found)]
        facts = {"search": uuid.uuid4().hex, "found": str(len(calls))}
        recorded = leave_event(folder, "SUBJECT_SEARCHED", facts, tenant)
        if as_json:
            print_json({"calls": calls, "recorded": recorded})
            return
        out.print(f"{len(calls)} calls", highlight=False)
        for call in calls:
            out.print(f"{call['index']:>9}  {call['time']}  {call['method']}  {call['request_id']}", highlight=False)


@app.command()
def erase(
    tenant: Tenant,
    type_: Type,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, nothing is done.")] = False,
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Read a value from standard input and destroy the key under which its sightings lie. The log stays as it is."""
    with exit_codes(as_json=as_json):
        folder, value = log_dir(directory), _value(type_)
        if not yes:
            raise InvalidRequest("this cannot be undone: say --yes")
        with _index() as index:
            seen = index.erase(tenant, index.token(checked_name(tenant), type_, value))
            facts = {"erasure": uuid.uuid4().hex, "records": str(seen)}
            recorded = leave_event(folder, "SUBJECT_ERASED", facts, tenant)
            index.forget()
        if as_json:
            print_json({"erased": seen, "recorded": recorded})
        else:
            out.print(f"erased: who it was in {seen} calls", highlight=False)
            if not recorded:
                out.print("not recorded: no service writes this folder", style="yellow")


@contextlib.contextmanager
def _index() -> Iterator[SubjectIndex]:
    settings = config.load()
    index = open_subjects(settings.audit, open_keys(settings.keys))
    if index is None:
        raise ConfigError("audit.subjects_file is not set: the service keeps nothing by which somebody could be found")
    try:
        yield index
    finally:
        index.close()


def _value(type_: str) -> str:
    if type_ not in TYPES:
        raise InvalidRequest(f"--type: one of {', '.join(sorted(TYPES))}")
    value = sys.stdin.read(MAX_CHARS + 1).strip()
    if not 0 < len(value) <= MAX_CHARS:
        raise InvalidRequest(
            f"a value of 1 to {MAX_CHARS} characters is wanted on standard input, never as an argument"
        )
    return value


def _proven(folder: Path, token: bytes, found: list[Sighting]) -> list[tuple[int, Record]]:
    """The OUTCOME records of the calls found, each one's commitment opened."""
    wanted: dict[str, list[Sighting]] = {}
    for sighting in found:
        wanted.setdefault(sighting.request_id, []).append(sighting)
    records: list[tuple[int, Record]] = []

    def visit(index: int, record: Record) -> None:
        if record.kind is Kind.OUTCOME and any(
            sighting.proves(token, record.subjects) for sighting in wanted.get(record.request_id, ())
        ):
            records.append((index, record))

    verify_dir(folder, visit=visit)
    return records


def _shown(item: tuple[int, Record]) -> dict[str, Any]:
    index, record = item
    return {
        "index": index,
        "time": record.time,
        "method": record.method,
        "task": record.task,
        "principal": record.principal,
        "request_id": record.request_id,
        "subjects": record.subjects,
    }
