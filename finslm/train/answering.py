"""Train what ranks evidence and abstains: two logistic regressions over features, in seconds, nothing of it tuned."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np

from finslm.answering.asked import read, years_in
from finslm.answering.ranking import (
    FEATURES,
    SUMMARY,
    Floats,
    Linear,
    Ranker,
    Reader,
    Reading,
    features,
    summary,
    without,
)
from finslm.answering.words import as_words, content_words
from finslm.evaluate.datasets.passages import Passage, Question

FALSE_ABSTENTION: Final = 0.12
"""Share of answerable questions, of documents not trained on, at which the threshold refuses."""
_ASKING_WORDS: Final = """
    change percentage percent average difference increase decrease total amount value ratio year fiscal
    respective sum higher lower highest lowest largest smallest greater less more most least proportion number
    period nominal end ended annual calculated across financial cost
"""
_ASKING: Final = frozenset(_ASKING_WORDS.split())
"""Words of a question that no document need have to answer it."""


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A question asked of its own document and of documents that do not answer it.

    Args:
        own: features of its document's units.
        hard: of the document, of those that lack a word of what is asked, that has the most similar unit.
        other: of such a document, drawn.
        gone: of its own document without the evidence; None where nothing is left or the evidence is not located.
    """

    passage: Passage
    question: Question
    own: Floats = field(repr=False)
    hard: Floats | None = field(repr=False)
    other: Floats | None = field(repr=False)
    gone: Floats | None = field(repr=False)


@final
class Corpus:
    """Documents with what an encoder reads of them.

    Args:
        passages: documents. Those of the same fold stand in for each other to make unanswerable questions: so that
            no training case holds anything of a test document.
        reader: encoder.
    """

    def __init__(self, passages: Sequence[Passage], reader: Reader) -> None:
        self.passages = passages
        read_units = iter(reader.read([as_words(unit.text) for p in passages for unit in p.units]))
        self._units = [[next(read_units) for _ in p.units] for p in passages]
        self._questions = reader.read([as_words(q.text) for p in passages for q in p.questions])
        self._words = [[content_words(unit.text) for unit in p.units] for p in passages]
        self._means = np.stack([reading.mean for own in self._units for reading in own])
        self._owner = np.repeat(np.arange(len(passages)), [len(own) for own in self._units])

    def cases(self, seed: int = 0) -> Iterator[Case]:
        """Every question, asked of its own document and of others."""
        chance = random.Random(seed)  # noqa: S311 - repeatable draws, not a secret
        readings = iter(self._questions)
        for place, passage in enumerate(self.passages):
            for question in passage.questions:
                yield self._case(place, question, next(readings), chance)

    def _case(self, place: int, question: Question, reading: Reading, chance: random.Random) -> Case:
        passage = self.passages[place]
        own = self._features(place, question, reading)
        strangers = self._strangers(passage, question)
        hard = other = gone = None
        if strangers:
            nearest = np.full(len(self.passages), -1.0)
            np.maximum.at(nearest, self._owner, self._means @ reading.mean)
            hard = self._features(max(strangers, key=lambda i: nearest[i]), question, reading)
            other = self._features(chance.choice(strangers), question, reading)
        if question.evidence and len(question.evidence) < len(passage.units):
            gone = without(own, sorted(question.evidence))
        return Case(passage, question, own, hard, other, gone)

    def _features(self, place: int, question: Question, reading: Reading) -> Floats:
        return features(read(question.text), reading, self.passages[place].units, self._units[place])

    def _strangers(self, passage: Passage, question: Question) -> list[int]:
        """Documents of other groups in which no unit has every word of what is asked: such a one may answer it."""
        asked = content_words(question.text) - _ASKING - {str(year) for year in years_in(question.text)}
        return [
            i
            for i, other in enumerate(self.passages)
            if other.fold == passage.fold
            and other.group != passage.group
            and not any(asked <= words for words in self._words[i])
        ]


def fit(train: Sequence[Case], held_back: Sequence[Case], about: dict[str, object] | None = None) -> Ranker:
    """Train on cases; the threshold is chosen on others.

    Args:
        train: of documents to train on.
        held_back: of documents to choose the threshold on.
    """
    located = [case for case in train if case.question.evidence]
    rows = np.concatenate([case.own for case in located])
    truth = np.concatenate([_marks(case) for case in located])
    evidence = _logistic(rows, truth, FEATURES, 1.0)
    shown = [(table, weight) for case in train for table, weight in _asked_of(case) if table is not None]
    marks = np.array([float(weight > 0) for _, weight in shown])
    answerable = _logistic(
        np.array([summary(table, evidence.scores(table)) for table, _ in shown]),
        marks,
        SUMMARY,
        0.3,
        np.array([abs(weight) for _, weight in shown]),
    )
    ranker = Ranker(evidence, answerable, 0.0, about or {})
    confidences = [ranker.confidence(case.own) for case in held_back]
    return Ranker(evidence, answerable, float(np.quantile(confidences, FALSE_ABSTENTION)), about or {})


def _asked_of(case: Case) -> Iterator[tuple[Floats | None, float]]:
    """The documents that a question is asked of; the weight is negative where they do not answer.

    A document without its evidence is so like one that answers that it counts for less: with full weight the others are
    told apart less well (chosen on fold 6).
    """
    yield from ((case.own, 1.0), (case.hard, -1.0), (case.other, -1.0), (case.gone, -0.5))


def _marks(case: Case) -> Floats:
    return np.array([float(number + 1 in case.question.evidence) for number in range(len(case.own))])


def _logistic(
    rows: Floats, truth: Floats, names: tuple[str, ...], inverse_penalty: float, counts: Floats | None = None
) -> Linear:
    """Fitted on features of mean 0 and deviation 1; the weights are those of the features as they are."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = rows.mean(0), rows.std(0) + 1e-9
    found = LogisticRegression(C=inverse_penalty, max_iter=500).fit((rows - mean) / deviation, truth, counts)
    weights = found.coef_[0] / deviation
    return Linear(names, weights, float(found.intercept_[0] - weights @ mean))
