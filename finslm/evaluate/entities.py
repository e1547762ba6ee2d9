"""Scores of tagged entities: whole entities as strict IOB2 has them, and words by their tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

Tags = Sequence[str]


class Entity(NamedTuple):
    """Words ``start`` up to ``end``, half-open, of one type."""

    start: int
    end: int
    type: str


@final
@dataclass(frozen=True, slots=True)
class EntityScores:
    """Share of the entities that were found, and of those found that are right, to the word and the type."""

    entities: int
    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, right: int, found: int, there: int) -> EntityScores:
        """From counts; a share of nothing is 0."""
        f1 = 2 * right / (found + there) if right else 0.0
        return cls(there, right / found if right else 0.0, right / there if right else 0.0, f1)


def entities(tags: Tags) -> Iterator[Entity]:
    """The entities of a sentence in strict IOB2.

    One begins at a ``B`` and goes on over the ``I`` of its type; an ``I`` that follows neither is of no entity (as
    seqeval's strict mode has it, Nakayama 2018).
    """
    start = None
    for place, tag in enumerate((*tags, "O")):
        if start is not None and tag != f"I-{tags[start][2:]}":
            yield Entity(start, place, tags[start][2:])
            start = None
        if tag.startswith("B-"):
            start = place


def entity_scores(truth: Sequence[Tags], predicted: Sequence[Tags]) -> dict[str, EntityScores]:
    """Scores over all sentences, by type; ``all`` counts every entity alike (micro-average).

    Args:
        truth, predicted: tags of each sentence, of the same words.

    Raises:
        ValueError: they are not of the same sentences.
    """
    right, found, there = Counter[str](), Counter[str](), Counter[str]()
    for true, said in zip(truth, predicted, strict=True):
        if len(true) != len(said):
            raise ValueError(f"a sentence of {len(true)} words has {len(said)} predicted tags")
        own, given = {*entities(true)}, {*entities(said)}
        for counts, chosen in ((there, own), (found, given), (right, own & given)):
            counts.update(entity.type for entity in chosen)
            counts["all"] += len(chosen)
    types = sorted((there.keys() | found.keys()) - {"all"})
    return {kind: EntityScores.of(right[kind], found[kind], there[kind]) for kind in ("all", *types)}


def token_macro_f1(truth: Sequence[Tags], predicted: Sequence[Tags]) -> float:
    """Mean over the tags in ``truth``, ``O`` left out, of each one's F1 over words.

    Raises:
        ValueError: the sentences or words are not the same.
    """
    pairs = Counter(pair for own, given in zip(truth, predicted, strict=True) for pair in zip(own, given, strict=True))
    tags = sorted({true for true, _ in pairs} - {"O"})
    return sum(_f1(pairs, tag) for tag in tags) / len(tags) if tags else 0.0


def _f1(pairs: Counter[tuple[str, str]], tag: str) -> float:
    wrong = sum(count for (true, said), count in pairs.items() if (true == tag) != (said == tag))
    right = pairs[tag, tag]
    return 2 * right / (2 * right + wrong)
