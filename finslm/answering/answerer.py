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
from finslm.answering.ranking import TOP, Ranker, Reader, features
from finslm.errors import FieldViolation, InvalidRequest

MAX_QUESTION_CHARS: Final = 1000
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
        confidence: probability that the document answers, 0 to 1.
    """

    answer: Answer | None
    evidence: tuple[Unit, ...] = field(repr=False)
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
        own = units(document)
        _check(question, own)
        asked = read(question)
        first, *readings = self._reader.read([question, *(unit.text for unit in own)])
        table = features(asked, first, own, readings)
        logit = self._ranker.confidence(table)
        confidence = 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))
        if logit < self._ranker.threshold:
            return Reply(None, (), confidence, Abstained.NOT_IN_DOCUMENT)
        ranked = self._ranker.rank(table)
        evidence = tuple(own[number - 1] for number in ranked[:TOP])
        found = answer(asked, document, own, ranked)
        return Reply(found, evidence, confidence, Abstained.NO_SUCH_FIGURES if found is None else None)


def _check(question: str, own: Sequence[Unit]) -> None:
    if not question.strip() or len(question) > MAX_QUESTION_CHARS:
        rule = f"1 to {MAX_QUESTION_CHARS} characters, got {len(question.strip())}"
        raise InvalidRequest(f"question: {rule}", FieldViolation("question", rule))
    if not 1 <= len(own) <= MAX_UNITS:
        rule = f"1 to {MAX_UNITS} sentences and rows, got {len(own)}"
        raise InvalidRequest(f"document: {rule}; send the part that matters", FieldViolation("document", rule))
