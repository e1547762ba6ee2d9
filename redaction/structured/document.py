"""What a document is once its structure is known: leaves with a map to the document, and their context."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, final

from redaction.errors import RedactionError
from redaction.structured.fields import Field
from redaction.views import View

MAX_CHARS: Final = 8_000_000
"""Longest document, code points: its maps take up to 16 bytes for each."""

MAX_LEAVES: Final = 500_000
"""Most leaves of one document."""

MAX_DEPTH: Final = 500
"""Deepest nesting of JSON: below the recursion limit of the parsers that will read the document next."""

MAX_LEVELS: Final = 3
"""JSON in strings of JSON is read so many levels down; each level doubles the backslashes."""

FORMATS: Final = ("auto", "text", "json", "jsonl", "csv", "html")


@final
class DocumentTooLarge(RedactionError):
    """The document is longer, deeper or has more leaves than the limits; nothing of it was redacted."""


@final
class Malformed(Exception):
    """The document breaks the rules of the format tried, and will be read as plain text. Never leaves this package.

    Args:
        why: the rule.
        at: where, code points.
    """

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.why, self.at = why, at


class Kind(StrEnum):
    """What a leaf is in its document."""

    STRING = "string"
    """A value: may be replaced in part."""
    NUMBER = "number"
    """A bare JSON number: replaced as a whole, by a JSON string."""
    KEY = "key"
    """A key of a JSON object."""
    MARKUP = "markup"
    """A column header, or markup that carries no data of its own: only what is proven is replaced."""
    TEXT = "text"
    """Running text."""


@final
@dataclass(frozen=True, slots=True)
class Leaf:
    """One piece of a document that can hold data.

    Args:
        start: its first code point in the document; quotes are outside.
        end: the code point after its last.
        view: what it says, unescaped, and where in the document each character of that stands.
        field: the key, header or path above it.
        kind: what it is in its document.
        quoted: a CSV cell between quotes.
        level: in how many JSON strings around its own it stands: each escaped it once more.
    """

    start: int
    end: int
    view: View = field(repr=False)
    field: Field = field(repr=False)
    kind: Kind
    quoted: bool = False
    level: int = 0

    @property
    def context(self) -> str:
        """The words of the key or header path, the nearest last."""
        return self.field.context

    def spans(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the document's spans of ``view.text[start:end]``: more than one where markup stands between."""
        starts, ends = self.view.starts, self.view.ends
        if starts is None or ends is None or isinstance(starts, range):
            yield self.view.span(start, end)
            return
        first: int | None = None
        last = 0
        for at in range(start, end):
            here, after = starts[at], ends[at]
            if first is not None and (here > last or here == after):
                yield first, last
                first = None
            if here < after:
                first, last = (here if first is None else first), after
        if first is not None:
            yield first, last

    def value(self, start: int, end: int) -> str:
        """Return what the document's ``[start:end]``, a span of this leaf, says."""
        starts = self.view.starts
        if starts is None:
            return self.view.text[start:end]
        return self.view.text[bisect_left(starts, start) : bisect_left(starts, end)]


@final
@dataclass(frozen=True, slots=True)
class Document:
    """A document and its leaves, sorted by start.

    Args:
        text: the document.
        format: json, jsonl, csv, html or text.
        leaves: where data can be. In plain text the first leaf is all of it, and fields lie inside.
        note: what a person should know: that a malformed document was read as plain text, and why.
        delimiter: of CSV.
    """

    text: str = field(repr=False)
    format: str
    leaves: tuple[Leaf, ...] = field(repr=False)
    note: str = ""
    delimiter: str = ""


@final
class Reading:
    """Collects what a leaf says, with the map back."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._starts, self._ends = array("q"), array("q")

    def plain(self, text: str, start: int) -> None:
        """Add characters that stand in the document as they are."""
        self._pieces.append(text)
        self._starts.extend(range(start, start + len(text)))
        self._ends.extend(range(start + 1, start + len(text) + 1))

    def unit(self, text: str, start: int, end: int) -> None:
        """Add characters that all stand for the document's ``[start:end]``; an empty span only parts its neighbours."""
        self._pieces.append(text)
        self._starts.extend([start] * len(text))
        self._ends.extend([end] * len(text))

    def view(self) -> View:
        """Return the view."""
        return View("".join(self._pieces), self._starts, self._ends)

    def span(self) -> tuple[int, int]:
        """Return first and last offset in the document; at least one character must have been added."""
        return self._starts[0], self._ends[-1]

    def __bool__(self) -> bool:
        return bool(self._starts)


def slice_view(document: str, start: int, end: int) -> View:
    """Return the view of a piece without escapes; its map takes no memory."""
    return View(document[start:end], range(start, end), range(start + 1, end + 1))


def check_leaves(count: int) -> None:
    """Stop a document with too many leaves.

    Raises:
        DocumentTooLarge: more than the limit.
    """
    if count > MAX_LEAVES:
        raise DocumentTooLarge(f"the document has more than {MAX_LEAVES} values; split it")
