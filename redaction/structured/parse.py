"""From text to a document: the format is given or found out, and what breaks its rules is read as plain text."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

from redaction.errors import RedactionError
from redaction.structured import csv_leaves as tables
from redaction.structured.document import FORMATS, MAX_CHARS, Document, DocumentTooLarge, Leaf, Malformed
from redaction.structured.html_leaves import HtmlWalker
from redaction.structured.json_leaves import json_leaves, jsonl_leaves
from redaction.structured.text_leaves import text_leaves

_MARKUP = re.compile(r"\s*+<(?:!doctype\b|!--|\?xml\b|[a-z][\w:.-]*+(?:\s[^<>]*+)?/?>)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\s*+<[A-Z][A-Z0-9_]*_[0-9]+>")
_CLOSING = re.compile(r"</[A-Za-z]|/>|<(?:br|hr|p)\b", re.IGNORECASE)

_TABLE_SHARE: Final = 0.9
"""So many of the first rows must have the same number of cells for a text to be taken for a table."""

_TABLE_ROWS: Final = 4
"""Least rows of a table whose headers have no known word; an address has fewer lines."""

_PROSE = re.compile(r"[.!?:] |\D, \D")


def parse(document: str, format: str = "auto") -> Document:  # noqa: A002 - the word of the interface
    """Find the leaves of a document.

    Args:
        document: the whole document.
        format: one of :data:`FORMATS`. ``csv`` finds out its delimiter itself: comma, semicolon, tab or bar.

    Raises:
        DocumentTooLarge: longer, deeper or with more leaves than the limits.
        RedactionError: an unknown format.
    """
    if format not in FORMATS:
        raise RedactionError(f"unknown format {format[:64]!r}; known: {', '.join(FORMATS)}")
    if len(document) > MAX_CHARS:
        raise DocumentTooLarge(f"the document has {len(document)} characters, the limit is {MAX_CHARS}; split it")
    if format == "auto":
        return _found(document)
    try:
        return _READERS[format](document)
    except Malformed as error:
        return _plain(document, _fallen_back(document, format, error))


def _found(document: str) -> Document:
    """Try what the first characters promise."""
    body = document.removeprefix("\ufeff").lstrip(" \t\r\n")
    note = ""
    if body[:1] in ("{", "["):
        try:
            return _json(document)
        except Malformed as error:
            note = _fallen_back(document, "json", error)
        lines = _jsonl(document)
        if not lines.note and len(lines.leaves):
            return lines
    elif _MARKUP.match(body) and not _PLACEHOLDER.match(body) and _CLOSING.search(body):
        return _html(document)
    elif _is_table(document):
        return _csv_or_text(document)
    return _plain(document, note)


def _is_table(document: str) -> bool:
    """Whether it is a table: even rows below a header. Prose with commas must stay in one piece."""
    start = int(document.startswith("\ufeff"))
    try:
        delimiter, share, width = tables.sniff(document, start)
        sample = list(islice(tables.rows(document, start, delimiter), 50))
    except Malformed:
        return False
    if share < _TABLE_SHARE or width < 2 or len(sample) < 2:
        return False
    head = [tables.text_of(document, cell) for cell in sample[0]]
    if len(head) != width or any(map(_PROSE.search, head)) or not tables.has_header(document, sample):
        return False
    return tables.knows(head) or (len(sample) >= _TABLE_ROWS and not any(name.startswith(" ") for name in head))


def _csv_or_text(document: str) -> Document:
    try:
        return _csv(document)
    except Malformed as error:
        return _plain(document, _fallen_back(document, "csv", error))


def _fallen_back(document: str, tried: str, error: Malformed) -> str:
    line = document.count("\n", 0, error.at) + 1
    return f"not valid {tried.upper()}: {error.why} (line {line}); read as plain text"


def _plain(document: str, note: str = "") -> Document:
    return _document(document, "text", text_leaves(document), note)


def _json(document: str) -> Document:
    return _document(document, "json", json_leaves(document))


def _jsonl(document: str) -> Document:
    leaves, wrong, full = jsonl_leaves(document)
    note = ""
    if wrong:
        note = f"{len(wrong)} of {full} lines are not valid JSON (first: line {wrong[0]}); they were read as plain text"
    return _document(document, "jsonl", leaves, note)


def _html(document: str) -> Document:
    return _document(document, "html", HtmlWalker(document).walk())


def _csv(document: str) -> Document:
    leaves, delimiter = tables.csv_leaves(document)
    return Document(document, "csv", tuple(leaves), "", delimiter)


def _document(text: str, format_: str, leaves: list[Leaf], note: str = "") -> Document:
    return Document(text, format_, tuple(leaves), note)


_READERS: Final = {"text": _plain, "json": _json, "jsonl": _jsonl, "csv": _csv, "html": _html}
