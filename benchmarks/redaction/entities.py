"""Published sentences tagged by hand (FIN, WNUT-17; FiNER-ORD for who has it): persons, organisations and places.

Test files only; of FIN and WNUT-17 other splits are among the classifier's training prose, untagged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.redaction.measure import Span, by_character
from benchmarks.redaction.systems import Find
from finslm.evaluate.datasets.base import Files
from finslm.evaluate.datasets.entities import ENTITY_SETS, Sentence
from finslm.evaluate.entities import entities, entity_scores, token_macro_f1

FOLDERS = {"fin": "ner_fin_sec", "wnut17": "wnut17", "finer-ord": "finer_ord"}
"""Of each set, its folder beside the other data; one that is not there is not measured."""

TYPES = {
    **dict.fromkeys(("PER", "person", "PERSON"), "PERSON"),
    **dict.fromkeys(("ORG", "corporation", "group", "ORGANIZATION"), "ORGANIZATION"),
    **dict.fromkeys(("LOC", "location", "LOCATION", "STREET_ADDRESS", "GPE"), "LOCATION"),
}
"""Types of the sets and of the systems → what is compared. Others, as products and titles of works, are nobody's."""

ROLES = frozenset({"lender", "borrower"})
"""FIN's annotators took these for persons: they are left out on both sides."""


class Marked(NamedTuple):
    """A sentence as text, its entities as spans, and where its words stand."""

    text: str
    truth: list[Span]
    words: list[tuple[int, int]]


def marked(sentence: Sentence) -> Marked:
    """Words joined by spaces."""
    words, at = [], 0
    for word in sentence.words:
        words.append((at, at + len(word)))
        at += len(word) + 1
    text = " ".join(sentence.words)
    spans = [Span(words[e.start][0], words[e.end - 1][1], TYPES.get(e.type, "")) for e in entities(sentence.tags)]
    return Marked(text, _compared(text, spans), words)


def _compared(text: str, spans: Sequence[Span]) -> list[Span]:
    named = [Span(s.start, s.end, TYPES.get(s.type, "")) for s in spans]
    return [s for s in named if s.type and text[s.start : s.end].lower() not in ROLES]


def tags(words: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[str]:
    """IOB2 of the words that spans touch; where two do, the later one names the word."""
    found = ["O"] * len(words)
    for span in spans:
        touched = [n for n, (start, end) in enumerate(words) if start < span.end and span.start < end]
        for place, number in enumerate(touched):
            found[number] = f"{'I' if place else 'B'}-{span.type}"
    return found


def load(data: Path) -> Iterator[tuple[str, list[Marked]]]:
    """The test sentences of each set that is there."""
    for name, folder in FOLDERS.items():
        if (data / folder).is_dir():
            yield name, [marked(s) for s in ENTITY_SETS[name].read(Files(data / folder))]


def measure(find: Find, sentences: Sequence[Marked]) -> dict[str, Any]:
    """Whole entities by strict IOB2, words by tag, and characters as in the other parts."""
    found = find([s.text for s in sentences])
    said = [_compared(s.text, spans) for s, spans in zip(sentences, found, strict=True)]
    true_tags, said_tags = (
        [tags(s.words, spans) for s, spans in zip(sentences, each, strict=True)]
        for each in ([s.truth for s in sentences], said)
    )
    score = by_character([s.truth for s in sentences], said)
    return {
        "sentences": len(sentences),
        "entities": {
            kind: {"count": s.entities, **{n: round(getattr(s, n), 4) for n in ("precision", "recall", "f1")}}
            for kind, s in entity_scores(true_tags, said_tags).items()
        },
        "token_macro_f1": round(token_macro_f1(true_tags, said_tags), 4),
        "typed": {"recall": round(score.recall, 4), "precision": round(score.precision, 4)},
    }
