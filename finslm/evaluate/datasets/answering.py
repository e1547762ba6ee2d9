"""Rows to train an answering adapter on: pairs of a question and a unit of a document, and questions by operation."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, final

from finslm.answering.pairs import EVIDENCE, OTHER, pair
from finslm.answering.words import Bm25, content_words
from finslm.evaluate.datasets.base import DATASETS, Example, Files, Splits
from finslm.evaluate.datasets.passages import Passage, Question, read_tatqa

TRAIN_FOLDS: Final = range(6)
DEV_FOLDS: Final = range(6, 7)
TEST_FOLDS: Final = range(7, 10)
"""Of documents, by the digest of their group: nothing of a test document is trained on."""
NEAREST: Final = 6
"""Units of the same document, those whose words are most the question's, of which hard ones are drawn."""
HARD: Final = 2
EASY: Final = 1
"""Units of the same document that a question is trained to pass over: so many of the nearest, so many of the rest."""
FOREIGN: Final = 1
"""Units of other documents, of those whose words are most the question's."""

_TATQA: Final = {
    "title": "TAT-QA, questions over a table and its paragraphs",
    "licence": "CC BY 4.0",
    "commercial": True,
    "source": "NExTplusplus/TAT-QA",
}
_OPTIONS: Final = {"file": "file of the set (default: tatqa_dataset_dev.json), split here by document"}


def split(passages: Sequence[Passage]) -> tuple[list[Passage], list[Passage], list[Passage]]:
    """Documents to train, to choose and calibrate, and to test on."""
    train, dev, test = ([p for p in passages if p.fold in folds] for folds in (TRAIN_FOLDS, DEV_FOLDS, TEST_FOLDS))
    return train, dev, test


@final
class Strangers:
    """Units of other documents that a question could be mistaken to be answered by.

    Args:
        passages: documents to draw from.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._units = [(p.group, unit.text) for p in passages for unit in p.units]
        self._words = [content_words(text) for _, text in self._units]
        self._ranking = Bm25([text for _, text in self._units])

    def draw(self, question: Question, group: str, chance: random.Random) -> list[str]:
        """Some of those whose words are most the question's.

        A unit that has every word of the question is passed over: it may well answer it.
        """
        scores, asked = self._ranking.scores(question.text), content_words(question.text)
        fitting = [i for i, (own, _) in enumerate(self._units) if own != group and not asked <= self._words[i]]
        nearest = heapq.nlargest(NEAREST * FOREIGN, fitting, key=scores.__getitem__)
        return [self._units[i][1] for i in chance.sample(nearest, min(FOREIGN, len(nearest)))]


@DATASETS.register("tatqa-evidence", **_TATQA, options=_OPTIONS)  # type: ignore[arg-type]
def _evidence(files: Files, options: Mapping[str, str]) -> Splits:
    passages = read_tatqa(files, options.get("file", "tatqa_dataset_dev.json"))
    train, dev, test = (tuple(evidence_rows(part)) for part in split(passages))
    return Splits(train, dev, test)


def evidence_rows(passages: Sequence[Passage], seed: int = 0) -> Iterator[Example]:
    """Pairs of each question with the units that hold its evidence, and with hard and easy ones that do not."""
    chance = random.Random(seed)  # noqa: S311 - repeatable draws, not a secret
    strangers = Strangers(passages)
    for passage in passages:
        ranking = Bm25([unit.text for unit in passage.units])
        for question in passage.questions:
            if question.evidence:
                yield from _pairs(question, passage, ranking, chance)
                for text in strangers.draw(question, passage.group, chance):
                    yield Example(pair(question.text, text), OTHER)


def _pairs(question: Question, passage: Passage, ranking: Bm25, chance: random.Random) -> Iterator[Example]:
    scores = ranking.scores(question.text)
    others = sorted(
        (u for u in passage.units if u.number not in question.evidence), key=lambda u: -scores[u.number - 1]
    )
    near, rest = others[:NEAREST], others[NEAREST:]
    for number in sorted(question.evidence):
        yield Example(pair(question.text, passage.units[number - 1].text), EVIDENCE)
    for unit in (*chance.sample(near, min(HARD, len(near))), *chance.sample(rest, min(EASY, len(rest)))):
        yield Example(pair(question.text, unit.text), OTHER)
