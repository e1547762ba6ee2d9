"""A question and a document to an answer with its evidence, or to the plain word that it is not there."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

from finslm.answering.answers import Answer, answer
from finslm.answering.asked import read
from finslm.answering.document import Document, Unit, units
from finslm.answering.ranking import TOP, Ranker, Reader, Reading, features
from finslm.answering.words import as_words
from finslm.errors import FieldViolation, InvalidRequest

MAX_QUESTION_CHARS: Final = 1000
MAX_CITED: Final = 64
"""Values or figures of one answer; what would take more is not answered."""
MAX_UNITS: Final = 1000
"""Sentences and rows of one document: each is read by the encoder."""


class Abstained(enum.StrEnum):
    """Why there is no answer."""

    NOT_IN_DOCUMENT = "NOT_IN_DOCUMENT"
    """The document's likeness to an answer is below the ranker's threshold."""
    NO_SUCH_FIGURES = "NO_SUCH_FIGURES"
    """Evidence was found, and it has not what would have to be compared or calculated."""


@final
@dataclass(frozen=True, slots=True)
class Reply:
    """What a question gets.

    Args:
        answer: with its places and its program; None where ``abstained`` says why.
        evidence: the units that the question is answered by, the best first; empty where the document does not answer.
        scores: of each of them, the probability that it holds a part of the answer, 0 to 1.
        confidence: probability that the document answers, 0 to 1.
    """

    answer: Answer | None
    evidence: tuple[Unit, ...] = field(repr=False)
    scores: tuple[float, ...]
    confidence: float
    abstained: Abstained | None = None


@final
class Answerer:
    """Answers questions over one document at a time.

    Args:
        reader: encoder.
        ranker: trained on what this encoder reads.
    """

    def __init__(self, reader: Reader, ranker: Ranker) -> None:
        self._reader, self._ranker = reader, ranker

    def ask(self, question: str, document: Document) -> Reply:
        """Answer a question from a document, or abstain.

        Raises:
            InvalidRequest: the question or the document is empty, or larger than the limits of this module.
        """
        if not question.strip() or len(question) > MAX_QUESTION_CHARS:
            rule = f"1 to {MAX_QUESTION_CHARS} characters, got {len(question.strip())}"
            raise InvalidRequest(f"question: {rule}", FieldViolation("question", rule))
        own = units_to_read(document)
        readings = self._reader.read([as_words(text) for text in (question, *(unit.text for unit in own))])
        return reply(self._ranker, question, document, own, readings)


def units_to_read(document: Document) -> list[Unit]:
    """The document's units, which the encoder reads after the question.

    Raises:
        InvalidRequest: there are none, or more than :data:`MAX_UNITS`.
    """
    own = units(document)
    if not 1 <= len(own) <= MAX_UNITS:
        rule = f"1 to {MAX_UNITS} sentences and rows, got {len(own)}"
        raise InvalidRequest(f"document: {rule}; send the part that matters", FieldViolation("document", rule))
    return own


def reply(ranker: Ranker, question: str, document: Document, own: Sequence[Unit], readings: Sequence[Reading]) -> Reply:
    """Answer from what the encoder has read, or abstain.

    Args:
        own: units of the document.
        readings: of the question, and of each unit, as :func:`finslm.answering.words.as_words` gives them.
    """
    asked = read(question)
    table = features(asked, readings[0], own, readings[1:])
    logit = ranker.confidence(table)
    if not logit >= ranker.threshold:  # and where it is no number at all
        return Reply(None, (), (), _probability(logit), Abstained.NOT_IN_DOCUMENT)
    ranked = ranker.rank(table)
    scores = ranker.evidence.scores(table)
    found = answer(asked, document, own, ranked)
    if found is not None and max(len(found.values), len(found.citations)) > MAX_CITED:
        found = None
    return Reply(
        found,
        tuple(own[number - 1] for number in ranked[:TOP]),
        tuple(_probability(float(scores[number - 1])) for number in ranked[:TOP]),
        _probability(logit),
        Abstained.NO_SUCH_FIGURES if found is None else None,
    )


def _probability(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))
