"""Finds in a document: each leaf is read as ``context: value``, and what is found is mapped back."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final

from redaction.backstop import known_entities
from redaction.detection import Detection, merge
from redaction.structured.document import Document, Kind, Leaf
from redaction.structured.fields import Field, words
from redaction.structured.vocabulary import FIELD_WORDS, plausible

AnalyzeBatch = Callable[[Sequence[str]], list[list[Detection]]]
"""E.g. :meth:`redaction.Redactor.analyze_batch`."""

SOURCE: Final = "structured"

_DECLARED_SCORE: Final = 0.8
_COLUMN_SCORE: Final = 0.6

_VAGUE: Final = frozenset({"GOVERNMENT_ID", "TAX_ID", "BANK_ACCOUNT", "PASSPORT", "DRIVER_LICENSE"})
"""Types of headers that a recognizer may know better: an account is an IBAN, an id a certain country's."""

_VAGUE_SCORE: Final = 0.5

_COLUMN_LEAST: Final = 5
_COLUMN_SHARE: Final = 0.75
"""A column is of one type when so many of its values were found as that type, and so large a part of them."""

_VALUES: Final = frozenset({Kind.STRING, Kind.NUMBER, Kind.TEXT})
"""Leaves that hold data; a name known from elsewhere is not looked for in keys and markup."""

_COVERED: Final = 0.8
"""A value was found as a type when so much of it was."""

_AMOUNT = re.compile(r"\s*[-+(]?[$€£]?[0-9][0-9,]*\.[0-9]{1,4}\)?\s*")

_GUESSED: Final = frozenset(
    {"PERSON", "LOCATION", "ORGANIZATION", "NRP", "STREET_ADDRESS", "DATE_TIME", "AGE", "ZIP_CODE", "URL"}
)
"""Types that models guess: in keys, which name things, they are believed only where the key looks like a name."""


Backstop = Callable[[Sequence[str], Sequence[Sequence[Detection]]], Sequence[Sequence[Detection]]]
"""From the texts of all leaves and what was found in each to what else is known in each from the others."""


def find(
    document: Document,
    analyze_batch: AnalyzeBatch,
    *,
    yielding: frozenset[str] = frozenset(),
    backstop: Backstop = known_entities,
) -> list[Detection]:
    """Find everything in a document; sorted, without overlaps, offsets into the document.

    Besides what ``analyze_batch`` says of each leaf: a header that names a type gives it to each value
    that can be of it, and in a column most of whose values are of one type the others are too.

    Args:
        document: what :func:`redaction.structured.parse` returned.
        analyze_batch: finds in texts; called once. Equal texts are given once.
        yielding: see :func:`redaction.detection.merge`: the types that the policy keeps.
        backstop: finds in each leaf the names that were found in others.

    Raises:
        DetectionFailed: whatever ``analyze_batch`` raises goes through.
    """
    said = _analyze(document.leaves, analyze_batch)
    found = [(leaf, _with_header(leaf, more, yielding)) for leaf, more in zip(document.leaves, said, strict=True)]
    found += list(_columns(found))
    known = backstop([leaf.view.text for leaf, _ in found], [more for _, more in found])
    found += [(leaf, list(more)) for (leaf, _), more in zip(found, known, strict=True) if leaf.kind in _VALUES]
    placed = (_place(document.text, leaf, d) for leaf, more in found for d in more)
    return merge(chain.from_iterable(placed), text=document.text, yielding=yielding)


def _analyze(leaves: Sequence[Leaf], analyze_batch: AnalyzeBatch) -> list[list[Detection]]:
    """Per leaf, what is found in it; offsets into the leaf's text."""
    numbers: dict[str, int] = {}
    asked = [numbers.setdefault(_text(leaf), len(numbers)) for leaf in leaves]
    answers = analyze_batch(list(numbers)) if numbers else []
    return [
        [moved for d in answers[number] if (moved := _shift(leaf, d)) and _believed(leaf, moved)]
        for leaf, number in zip(leaves, asked, strict=True)
    ]


def _prefix(leaf: Leaf) -> str:
    return f"{leaf.context}: " if leaf.context and leaf.kind in (Kind.STRING, Kind.NUMBER) else ""


def _text(leaf: Leaf) -> str:
    return _prefix(leaf) + leaf.view.text if any(map(str.isalnum, leaf.view.text)) else ""


def _shift(leaf: Leaf, detection: Detection) -> Detection | None:
    """From the text with context to the leaf's own; what reaches over the border is cut there."""
    before = len(_prefix(leaf))
    start, end = max(0, detection.start - before), detection.end - before
    text = leaf.view.text[start : max(end, 0)]
    if not any(map(str.isalnum, text)):
        return None
    return detection.at(start + len(text) - len(text.lstrip()), end)


def _believed(leaf: Leaf, detection: Detection) -> bool:
    """Whether a finding counts where it was made: headers, markup and amounts change only for what is proven."""
    if leaf.kind is Kind.MARKUP:
        return detection.validated and detection.type not in _GUESSED
    if detection.validated:
        return True
    text = leaf.view.text[detection.start : detection.end]
    if leaf.kind is Kind.STRING and detection.type in _GUESSED and FIELD_WORDS.issuperset(words(text).lower().split()):
        return False  # a label: "Sort Code", "Account Holder"
    guessed = detection.type in _GUESSED or detection.type == "GOVERNMENT_ID"
    if guessed and leaf.kind is Kind.STRING and _AMOUNT.fullmatch(leaf.view.text):
        return False
    if leaf.kind is Kind.NUMBER and (guessed or not leaf.view.text.isdigit()):
        return False
    if leaf.kind is Kind.KEY and detection.type in _GUESSED:
        return _looks_like_name(leaf.view.text)
    return True


def _looks_like_name(key: str) -> bool:
    parts = words(key).split()
    named = len(parts) > 1 and "_" not in key and all(part[0].isupper() for part in key.split())
    return named and " " in key.strip() and FIELD_WORDS.isdisjoint(part.lower() for part in parts)


def _with_header(leaf: Leaf, found: list[Detection], yielding: frozenset[str]) -> list[Detection]:
    """Add what the header says. It names the type better than a guess does; what is proven stands beside it."""
    type_ = leaf.field.declares
    whole = [] if type_ is None else _whole(leaf, type_, _VAGUE_SCORE if type_ in _VAGUE else _DECLARED_SCORE)
    if not whole or type_ in yielding:
        return found + whole
    return whole + [d for d in found if d.validated or (type_ in _VAGUE and d.type not in _GUESSED)]


def _whole(leaf: Leaf, type_: str, score: float) -> list[Detection]:
    text = leaf.view.text
    if leaf.kind not in (Kind.STRING, Kind.NUMBER) or not plausible(type_, text):
        return []
    start = len(text) - len(text.lstrip())
    return [Detection(start, len(text.rstrip()), type_, score, SOURCE)]


def _columns(found: Sequence[tuple[Leaf, list[Detection]]]) -> Iterator[tuple[Leaf, list[Detection]]]:
    """Give the type of most values of a column to the rest of it, where no header did."""
    columns: defaultdict[Field, list[tuple[Leaf, list[Detection]]]] = defaultdict(list)
    for leaf, more in found:
        if leaf.kind in (Kind.STRING, Kind.NUMBER) and leaf.field.declares is None:
            columns[leaf.field].append((leaf, more))
    for column in columns.values():
        type_ = _usual(column) if len(column) > _COLUMN_LEAST else None
        if type_ is not None:
            yield from ((leaf, _whole(leaf, type_, _COLUMN_SCORE)) for leaf, _ in column)


def _usual(column: Sequence[tuple[Leaf, list[Detection]]]) -> str | None:
    """The type of most values; each value counts once, however often it stands there."""
    values = {leaf.view.text: _type_of(leaf, more) for leaf, more in column if leaf.view.text.strip()}
    types = Counter(type_ for type_ in values.values() if type_ is not None)
    if not types:
        return None
    (type_, often), *_ = types.most_common(1)
    return type_ if often >= max(_COLUMN_LEAST, _COLUMN_SHARE * len(values)) else None


def _type_of(leaf: Leaf, found: Sequence[Detection]) -> str | None:
    length = len(leaf.view.text.strip())
    return next((d.type for d in found if d.end - d.start >= _COVERED * length), None)


def _place(text: str, leaf: Leaf, detection: Detection) -> Iterator[Detection]:
    """From the leaf's text to the document: a number whole, the rest between its markup."""
    if leaf.kind is Kind.NUMBER:
        yield detection.at(leaf.start, leaf.end)
        return
    for start, end in leaf.spans(detection.start, detection.end):
        piece = text[start:end]
        if bare := piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            yield detection.at(first, first + len(bare))
