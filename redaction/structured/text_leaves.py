"""Plain text: one leaf of running text, and in it the lines of the form ``key: value`` or ``key=value``."""

from __future__ import annotations

import re

from redaction.structured.document import Kind, Leaf, check_leaves, slice_view
from redaction.structured.fields import Field, words

_LINE = re.compile(
    r"(?m)^[ \t>*-]{0,16}+([^\W\d_][\w ./'()-]{0,47}?)[ \t]{0,8}+[:=][ \t]{0,16}+([^\s][^\r\n]{0,1999})(?=[\r\n]|\Z)"
)
_NAME = re.compile(r"[^\W\d_][^\s]{0,30}(?: [^\W\d_][^\s]{0,30}){0,4}[ \t]{0,8}")


def text_leaves(document: str) -> list[Leaf]:
    """Return all of the text as a leaf, and then its fields, which lie inside it.

    Raises:
        DocumentTooLarge: too many fields.
    """
    top = Field()
    leaves = [Leaf(0, len(document), slice_view(document, 0, len(document)), top, Kind.TEXT)] if document else []
    for line in _LINE.finditer(document):
        field = top.child(line[1])
        if field.declares == "PERSON" and not _is_name(line[1], line[2]):
            continue
        if field.declares or words(line[1]) != line[1]:
            leaves.append(Leaf(*line.span(2), slice_view(document, *line.span(2)), field, Kind.STRING))
            check_leaves(len(leaves))
    return leaves


def _is_name(key: str, value: str) -> bool:
    """Whether a line is ``Name: Ada``, and not one of a chat, ``Customer: Hello there``."""
    if not _NAME.fullmatch(value):
        return False
    parts = value.split()
    return "name" in key.lower() or (len(parts) > 1 and all(part[0].isupper() for part in parts if len(part) > 3))
