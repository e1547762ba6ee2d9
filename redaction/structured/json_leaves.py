"""JSON (RFC 8259) and JSON Lines: where strings, numbers and keys stand. Nothing is loaded, so nothing is lost."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, replace
from typing import Final, final

from redaction.structured.document import (
    MAX_DEPTH,
    MAX_LEVELS,
    DocumentTooLarge,
    Kind,
    Leaf,
    Malformed,
    Reading,
    check_leaves,
    slice_view,
)
from redaction.structured.fields import Field
from redaction.structured.vocabulary import plausible
from redaction.views import View

_SPACE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+")
_WORD = re.compile(r"true|false|null|NaN|-?Infinity")
"""The last two are Python's and JavaScript's, not RFC 8259's; most readers take them."""

_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\"\\/bfnrt]))"
)
_SHORT: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_BRACKETED = re.compile(r"\s*+(?:\{.*\}|\[.*\])\s*\Z", re.DOTALL)
"""What may be a JSON object or array: nothing else in a string is worth a walk."""

_LABELS: Final = frozenset({"name", "key", "label", "field", "question", "attribute"})
_LABELLED: Final = frozenset({"value", "val", "answer", "content"})
"""``{"key": "sort_code", "value": "200000"}``: the first says what the second is."""


@final
@dataclass(slots=True)
class _Frame:
    """An open object or array."""

    closes: str
    field: Field
    key: str = ""
    label: str = ""
    fresh: bool = True

    def inside(self) -> Field:
        """The field of the next value."""
        if self.label and self.key.lower() in _LABELLED:
            return self.field.child(self.label)
        return self.field.child(self.key)


@final
class JsonWalker:
    """Walks one JSON text in one pass, without recursion but into strings that are JSON themselves."""

    def __init__(self, document: str, start: int, end: int, top: Field, leaves: list[Leaf], *, level: int = 0) -> None:
        self._document, self._at, self._end = document, start, end
        self._top, self._leaves, self._level = top, leaves, level
        self._stack: list[_Frame] = []

    def walk(self) -> None:
        """Append the leaves.

        Raises:
            Malformed: no JSON; what was appended until then is worthless.
            DocumentTooLarge: nested too deep.
        """
        self._value()
        while self._stack:
            frame = self._stack[-1]
            before = self._at
            mark = self._token()
            if mark == frame.closes:
                self._stack.pop()
            elif frame.fresh:
                self._at = before
                self._member(frame)
            elif mark == ",":
                self._member(frame)
            else:
                raise self._malformed("a comma or closing bracket is missing")
        self._token()
        if self._at < self._end:
            raise self._malformed("there is more behind its end")

    def _malformed(self, why: str) -> Malformed:
        return Malformed(why, self._at)

    def _token(self) -> str:
        """Skip space; take a mark of punctuation, or nothing at the end and before a value."""
        space = _SPACE.match(self._document, self._at, self._end)
        self._at = space.end() if space else self._at
        mark = self._document[self._at : min(self._at + 1, self._end)]
        if mark and mark in "{}[],:":
            self._at += 1
            return mark
        return ""

    def _value(self) -> None:
        """Take a value; open what it opens."""
        mark = self._token()
        if mark in ("{", "["):
            self._open(mark)
        elif mark:
            raise self._malformed("a value is missing")
        elif not self._scalar():
            raise self._malformed("no value begins here")

    def _open(self, mark: str) -> None:
        if len(self._stack) >= MAX_DEPTH:
            if self._level:
                raise self._malformed("a string is nested too deep to be JSON")
            raise DocumentTooLarge(f"the JSON is nested more than {MAX_DEPTH} deep; flatten it, or send it as text")
        self._stack.append(_Frame("}" if mark == "{" else "]", self._field()))

    def _member(self, frame: _Frame) -> None:
        frame.fresh = False
        if frame.closes == "}":
            self._token()
            view = self._string(Kind.KEY, frame.field)
            frame.key = view.text
            if self._token() != ":":
                raise self._malformed("a colon is missing")
        self._value()

    def _field(self) -> Field:
        return self._stack[-1].inside() if self._stack else self._top

    def _scalar(self) -> bool:
        if self._document.startswith('"', self._at):
            view = self._string(Kind.STRING, self._field())
            if self._stack and self._stack[-1].key.lower() in _LABELS:
                self._stack[-1].label = view.text
            return True
        word = _WORD.match(self._document, self._at, self._end)
        number = None if word else _NUMBER.match(self._document, self._at, self._end)
        taken = word or number
        if taken is None:
            return False
        if number:
            self._add(*number.span(), slice_view(self._document, *number.span()), Kind.NUMBER, self._field())
        self._at = taken.end()
        return True

    def _string(self, kind: Kind, field: Field) -> View:
        found = _STRING.match(self._document, self._at, self._end)
        if found is None:
            raise self._malformed("a string is missing, unclosed, or has a bad escape or control character")
        start, end = found.start() + 1, found.end() - 1
        view = _unescape(self._document, start, end)
        inside = self._inside(view, field) if kind is Kind.STRING else None
        if inside is None:
            self._add(start, end, view, kind, field)
        else:
            self._leaves += inside
            check_leaves(len(self._leaves))
        self._at = found.end()
        return view

    def _inside(self, view: View, field: Field) -> list[Leaf] | None:
        """The leaves of a string that is a JSON object or array; None if it is none, or its key says what it is."""
        if self._level == MAX_LEVELS or not _BRACKETED.match(view.text):
            return None
        if field.declares is not None and plausible(field.declares, view.text):
            return None
        leaves: list[Leaf] = []
        try:
            JsonWalker(view.text, 0, len(view.text), field, leaves, level=self._level + 1).walk()
        except Malformed:
            return None
        return [_through(leaf, view) for leaf in leaves if leaf.start < leaf.end]

    def _add(self, start: int, end: int, view: View, kind: Kind, field: Field) -> None:
        self._leaves.append(Leaf(start, end, view, field, kind))
        check_leaves(len(self._leaves))


def _through(leaf: Leaf, string: View) -> Leaf:
    """A leaf of the text of a string as one of the document in which the string stands."""
    starts = array("q", (string.span(at, at + 1)[0] for at in leaf.view.starts or ()))
    ends = array("q", (string.span(at - 1, at)[1] for at in leaf.view.ends or ()))
    start, end = string.span(leaf.start, leaf.end)
    return replace(leaf, start=start, end=end, view=View(leaf.view.text, starts, ends), level=leaf.level + 1)


def _unescape(document: str, start: int, end: int) -> View:
    if document.find("\\", start, end) < 0:
        return slice_view(document, start, end)
    reading = Reading()
    at = start
    for escape in _ESCAPE.finditer(document, start, end):
        reading.plain(document[at : escape.start()], at)
        reading.unit(_character(escape), *escape.span())
        at = escape.end()
    reading.plain(document[at:end], at)
    return reading.view()


def _character(escape: re.Match[str]) -> str:
    high, low, single, short = escape.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    return chr(int(single, 16)) if single else _SHORT[short]


def json_leaves(document: str) -> list[Leaf]:
    """Return the leaves of a JSON text; a byte order mark may stand before it.

    Raises:
        Malformed: it is no JSON.
        DocumentTooLarge: too deep, or too many leaves.
    """
    leaves: list[Leaf] = []
    JsonWalker(document, int(document.startswith("\ufeff")), len(document), Field(), leaves).walk()
    return leaves


def jsonl_leaves(document: str) -> tuple[list[Leaf], list[int], int]:
    """Return the leaves of JSON Lines, the numbers of the lines that are no JSON, and how many lines have anything.

    A line that is no JSON becomes one leaf of running text.

    Raises:
        DocumentTooLarge: too deep, or too many leaves.
    """
    leaves: list[Leaf] = []
    top, wrong, full = Field(), [], 0
    at, number = int(document.startswith("\ufeff")), 0
    while at < len(document):
        number += 1
        end = document.find("\n", at)
        end = len(document) if end < 0 else end
        if document[at:end].strip():
            full += 1
            if not _line(document, at, end, top, leaves):
                wrong.append(number)
        at = end + 1
    return leaves, wrong, full


def _line(document: str, start: int, end: int, top: Field, leaves: list[Leaf]) -> bool:
    before = len(leaves)
    try:
        JsonWalker(document, start, end, top, leaves).walk()
        return True
    except Malformed:
        del leaves[before:]
        leaves.append(Leaf(start, end, slice_view(document, start, end), top, Kind.TEXT))
        return False
