"""The report's tables as CSV files in one ZIP: for a spreadsheet, whole, and harmless in it."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Final

from finslm.compliance.compose import compose
from finslm.compliance.document import Cell, Facts, Table
from finslm.compliance.model import Report
from finslm.compliance.pictures import Picture

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet may run a cell that begins so (OWASP, CSV Injection)."""
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP can say; it says nothing about when this was drawn."""


def to_csv_zip(report: Report) -> bytes:
    """All tables, one file each: RFC 4180, UTF-8, full times and digests. Stored, so the bytes depend on no library."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for table in compose(report).tables():
            entry = zipfile.ZipInfo(f"{table.id}.csv", _LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, on every system
            archive.writestr(entry, _csv(table).encode())
    return out.getvalue()


def _csv(table: Table | Facts) -> str:
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    if isinstance(table, Facts):
        write(("name", "value"))
        for row in table.rows:
            write(map(_plain, row))
        return out.getvalue()
    kept = [i for i, column in enumerate(table.columns) if column.kind != "picture"]
    write(_plain(table.columns[i].title) for i in kept)
    for cells in table.rows:
        write(_plain(cells[i]) for i in kept)
    return out.getvalue()


def _plain(cell: Cell) -> str:
    """The cell as it is written; an apostrophe before what a spreadsheet would take for a formula."""
    if cell is None or isinstance(cell, Picture):
        return ""
    words = str(cell)
    return f"'{words}" if words.startswith(_FORMULA) else words
