"""``finslm redact``: files and standard input, in this process; no server is needed."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from finslm.errors import InvalidRequest

STDIN = Path("-")


class Format(StrEnum):
    """How a file is read; see :func:`redaction.structured.parse`."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


def redact(
    files: Annotated[
        Optional[list[Path]], typer.Argument(help="Text files, UTF-8; '-' or none: standard input.")
    ] = None,
    policy: Annotated[Optional[Path], typer.Option(help="Policy, YAML; built in: finance.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a file: text, format, detections, counts. No values.")
    ] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="Structured files stay valid; html is XML too, csv any delimiter.")
    ] = Format.AUTO,
) -> None:
    """Replace personal data in text by placeholders and write the result to standard output."""
    from redaction import Redactor
    from redaction.structured import redact_document

    redactor = Redactor.from_policy(policy)
    for path in files or [STDIN]:
        redacted = redact_document(redactor, _read(path), format_)
        if redacted.note:
            typer.echo(f"{path}: {redacted.note}", err=True)
        if not as_json:
            sys.stdout.write(redacted.text)
            continue
        found = [
            {"type": d.type, "start": d.start, "end": d.end, "score": round(d.score, 4)} for d in redacted.detections
        ]
        line = {
            "file": str(path),
            "format": redacted.format,
            "note": redacted.note,
            "text": redacted.text,
            "detections": found,
            "counts": dict(redacted.entity_counts),
        }
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


def _read(path: Path) -> str:
    data = sys.stdin.buffer.read() if path == STDIN else _read_file(path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path}: not UTF-8 at byte {error.start}: convert it first") from None


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
