"""A note, and how one is put together from pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from finslm.train.names.grammar import Piece, assemble

KINDS: Final = ("complaint", "call_note")
Spans = tuple[tuple[int, int, str], ...]


@final
@dataclass(frozen=True, slots=True)
class Note:
    """A text and its summary.

    Args:
        kind: see :data:`KINDS`.
        structure: which of the structures it follows.
        text: the text.
        summary: one to three sentences; each value in it is spelled as in the text.
        facts: start, end (code points, half open) in the text and name of a fact.
        said: the same in the summary.
    """

    kind: str
    structure: str
    text: str = field(repr=False)
    summary: str = field(repr=False)
    facts: Spans
    said: Spans


def composed(kind: str, structure: str, text: Sequence[Piece], summary: Sequence[Piece]) -> Note:
    """The note of two lists of pieces."""
    whole, short = assemble(text), assemble(summary)
    return Note(kind, structure, whole.text, short.text, whole.spans, short.spans)


def named(pieces: Sequence[Piece]) -> frozenset[str]:
    """The facts that pieces name."""
    return frozenset(name for text, name in pieces if name and text)


def capitalised(pieces: Sequence[Piece]) -> list[Piece]:
    """With a capital at its beginning, unless it begins with a fact."""
    for number, (text, name) in enumerate(pieces):
        if name:
            break
        if text:
            return [*pieces[:number], (text[:1].upper() + text[1:], name), *pieces[number + 1 :]]
    return list(pieces)


def changed(pieces: Sequence[Piece], change: Callable[[str], str], *, facts: bool = True) -> list[Piece]:
    """Each piece changed.

    Args:
        change: of one piece's text.
        facts: whether values are changed too.
    """
    return [(text if name and not facts else change(text), name) for text, name in pieces]


def ended(pieces: Sequence[Piece], mark: str = ".") -> list[Piece]:
    """As a sentence: with its mark at the end, if it has none."""
    text = "".join(text for text, _ in pieces).rstrip()
    return [*pieces] if text.endswith((".", "!", "?")) else [*pieces, (mark, None)]
