"""The report as one page: no script, no reference to anything outside, fit to print."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from finslm.compliance.compose import compose
from finslm.compliance.document import Chart, Facts, Table, shown
from finslm.compliance.model import Report
from finslm.compliance.pictures import Picture

MAX_ROWS: Final = 60
"""Longest table of the page; the tables (CSV) and the JSON have all rows."""
_FOLDER: Final = Path(__file__).parent
_STATUS_CLASS: Final = {
    "passed": "good",
    "not passed": "bad",
    "evidenced": "good",
    "partly": "some",
    "not evidenced": "bad",
    "the bank's own": "own",
}


def to_html(report: Report) -> str:
    """Render ``report``. Everything from the log is escaped; the page's policy allows its style sheet by its hash."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests |= {kind.__name__.lower(): _is(kind) for kind in (Table, Facts, Chart, Picture)}
    style = (_FOLDER / "report.css").read_text("utf-8")
    return environment.get_template("report.html.j2").render(
        d=compose(report),
        shown=shown,
        max_rows=MAX_ROWS,
        status_class=_STATUS_CLASS,
        style=Markup(style),  # noqa: S704 - our own file, and nothing of the report goes into it
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)
