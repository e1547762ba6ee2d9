"""The report as one page: no script, no reference to anything outside, fit to print."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from finslm.compliance import charts
from finslm.compliance.model import Report

MAX_ROWS: Final = 60
"""Longest table of the page; the JSON has all rows."""


def to_html(report: Report) -> str:
    """Render ``report``. Everything from the log is escaped; the page's policy forbids scripts and loads."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"n": lambda value: "\u2013" if value is None else f"{value:,}", "when": _when}
    return environment.get_template("report.html.j2").render(r=report, charts=charts, max_rows=MAX_ROWS)


def _when(stamp: str) -> str:
    """``2026-01-31 23:59:59`` of a record's time."""
    return stamp[:19].replace("T", " ")
