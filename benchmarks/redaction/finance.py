"""The held-out finance documents: are the numbers with check digits covered, and the names and addresses?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.redaction.documents import Document, Value, documents
from benchmarks.redaction.measure import Span, by_character, family
from benchmarks.redaction.systems import presidio as stock
from redaction import Redactor
from redaction.structured import redact_document

SEED = 20_261_123
Find = Callable[[Sequence[Document]], list[list[Span]]]

GROUPS = {
    "names": frozenset({"PERSON"}),
    "addresses": frozenset({"STREET_ADDRESS"}),
    "names and addresses": frozenset({"PERSON", "STREET_ADDRESS"}),
    "towns and countries": frozenset({"LOCATION"}),
    "organisations": frozenset({"ORGANIZATION"}),
}
"""Labels that are read by a model."""


def ours() -> Find:
    """finslm's redactor; exports go through the entry for documents."""
    redactor = Redactor.from_policy()

    def find(chosen: Sequence[Document]) -> list[list[Span]]:
        plain = iter(redactor.analyze_stream(d.text for d in chosen if d.format == "text"))
        found = [
            next(plain) if d.format == "text" else redact_document(redactor, d.text, format=d.format).detections
            for d in chosen
        ]
        return [[Span(d.start, d.end, d.type) for d in detections] for detections in found]

    return find


def presidio() -> Find:
    """Stock Presidio, which takes every document for plain text."""
    find = stock()
    return lambda chosen: find([document.text for document in chosen])


def make(count: int) -> list[Document]:
    """The documents of the benchmark."""
    return list(documents(SEED, count))


def measure(find: Find, chosen: Sequence[Document]) -> dict[str, Any]:
    """Recall by value: covered to its last letter and digit, by the right type and by any; precision by character."""
    found = find(chosen)
    total: Counter[str] = Counter()
    typed: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    for document, spans in zip(chosen, found, strict=True):
        for value in document.values:
            for group in _groups(value):
                total[group] += 1
                typed[group] += _covered(document, value, [s for s in spans if family(s.type) == family(value.type)])
                covered[group] += _covered(document, value, spans)
    truth = [[Span(v.start, v.end, v.type) for v in document.values] for document in chosen]
    texts = [document.text for document in chosen]
    score = by_character(truth, found, texts=texts)
    return {
        "documents": len(chosen),
        "structures": len({document.kind for document in chosen}),
        "recall": {
            group: {
                "values": count,
                "typed": round(typed[group] / count, 4),
                "any_type": round(covered[group] / count, 4),
            }
            for group, count in sorted(total.items())
        },
        "by_character": {"recall": round(score.recall, 4), "precision": round(score.precision, 4)},
    }


def _groups(value: Value) -> list[str]:
    """The sums a value counts in: its type, and what it is of."""
    if value.damaged:
        return ["damaged check digits"]
    groups = [name for name, types in GROUPS.items() if value.type in types]
    return [*groups, *(["check digits"] if value.checked else []), value.type]


def _covered(document: Document, value: Value, spans: Sequence[Span]) -> bool:
    left = {at for at in range(value.start, value.end) if document.text[at].isalnum()}
    for span in spans:
        left.difference_update(range(span.start, span.end))
    return not left
