"""Which units of a document hold what a question asks for, and whether any does: a linear model that can be read.

The vectors are those of a frozen encoder, one for each token; the largest similarity of each token of the question to
one of the unit's is what ColBERT ranks by (Khattab & Zaharia 2020, arXiv:2004.12832). Beside it stand BM25, the words
that question and unit share, years, and what kind of unit it is. The weights are in a JSON file by feature.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

from finslm.answering.asked import Asked, Operation, years_in
from finslm.answering.document import Unit
from finslm.answering.words import Bm25, content_words
from finslm.errors import ConfigError
from redaction.operators import PLACEHOLDER

Floats = NDArray[np.float64]
RANKER_FILE: Final = "ranker.json"
SHIPPED: Final = Path(__file__).parent / "shipped" / "qa" / RANKER_FILE
"""The ranker that comes with the package, for readings of all-minilm-l6-v2."""

_PLAIN: Final = (
    "cosine",
    "bm25",
    "similarity",
    "similarity of rare tokens",
    "words of the question",
    "words of the question in the label",
    "words of the label",
    "least similar tokens",
    "most similar tokens of the unit",
    "similarity of the unit",
    "years",
    "row",
    "header",
    "sentence",
    "length",
    "row for a figure",
    "row for words",
    "sentence for a reason",
    "has a digit",
)
_COMPARED: Final = 7
"""The first so many features are also given against those of the document's other units."""
FEATURES: Final = (
    *_PLAIN,
    *(f"{name}, below the best" for name in _PLAIN[:_COMPARED]),
    *(f"{name}, in deviations" for name in _PLAIN[:_COMPARED]),
)
"""Names of a unit's features, in order."""
_SUMMED: Final = 12
TOP: Final = 3
"""Units that are cited, and that say whether there is an answer."""
SUMMARY: Final = (
    "best score",
    "third score",
    "lead of the best",
    *(f"best: {name}" for name in FEATURES),
    *(f"highest: {name}" for name in FEATURES[:_SUMMED]),
    *(f"mean of three: {name}" for name in FEATURES[:_SUMMED]),
)
"""Names of the features of a document as a whole, in order."""


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the encoder reads it.

    Args:
        tokens: [T] token ids, the marks at both ends left out.
        vectors: [T, hidden] of length 1 each.
        mean: [hidden], of length 1; of the whole text with its marks.
    """

    tokens: NDArray[np.int64] = field(repr=False)
    vectors: NDArray[np.float32] = field(repr=False)
    mean: NDArray[np.float32] = field(repr=False)

    @classmethod
    def of(cls, ids: Sequence[int], hidden: NDArray[np.float32]) -> Reading:
        """From what an encoder computes.

        Args:
            ids: token ids with the marks at both ends.
            hidden: [ids, hidden] last hidden states.
        """
        inside = _normed(hidden[1 : len(ids) - 1]).astype(np.float16).astype(np.float32)
        return cls(np.array(ids[1:-1], np.int64), inside, _normed(hidden.sum(0)))


def _normed(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brought to length 1, along the last axis."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


class Reader(Protocol):
    """Reads texts with an encoder."""

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading for each text."""
        ...


def features(asked: Asked, question: Reading, units: Sequence[Unit], readings: Sequence[Reading]) -> Floats:
    """[units, FEATURES] of a question and a document's units.

    Args:
        readings: of each unit's text.
    """
    ranking = Bm25([unit.text for unit in units]).scores(asked.text)
    rarity = _rarity(question, readings)
    words = content_words(asked.text) - {str(year) for year in asked.years}
    plain = np.array(
        [
            [
                float(question.mean @ reading.mean),
                by_words,
                *_similarity(question, reading, rarity),
                *_shared(words, unit),
                *_likeness(question, reading),
                *_kind(asked, unit, len(reading.tokens)),
            ]
            for unit, reading, by_words in zip(units, readings, ranking, strict=True)
        ]
    )
    return compared(plain)


def compared(plain: Floats) -> Floats:
    """The features of units by themselves, and against those of the others."""
    own = plain[:, :_COMPARED]
    return np.concatenate([plain, own - own.max(0), (own - own.mean(0)) / (own.std(0) + 1e-6)], axis=1)


def without(table: Floats, units: Sequence[int]) -> Floats:
    """The features as they are where these units, by their numbers, are taken out of the document."""
    return compared(np.delete(table[:, : len(_PLAIN)], [number - 1 for number in units], axis=0))


def _rarity(question: Reading, readings: Sequence[Reading]) -> NDArray[np.float64]:
    held = Counter(token for reading in readings for token in set(reading.tokens.tolist()))
    weights = np.array([np.log(1 + len(readings) / (1 + held[token])) for token in question.tokens.tolist()])
    return weights / weights.sum() if len(weights) else weights


def _similarity(question: Reading, reading: Reading, rarity: NDArray[np.float64]) -> tuple[float, float]:
    if not len(question.tokens) or not len(reading.tokens):
        return 0.0, 0.0
    nearest = (question.vectors @ reading.vectors.T).max(1)
    return float(nearest.mean()), float(nearest @ rarity)


def _likeness(question: Reading, reading: Reading) -> tuple[float, float, float]:
    if not len(question.tokens) or not len(reading.tokens):
        return 0.0, 0.0, 0.0
    table = question.vectors @ reading.vectors.T
    back = table.max(0)
    return float(np.sort(table.max(1))[:3].mean()), float(np.sort(back)[-5:].mean()), float(back.mean())


def _shared(words: set[str], unit: Unit) -> tuple[float, float, float]:
    label = content_words(unit.label.rpartition(": ")[2] or unit.label)
    asked = max(1, len(words))
    said = len(words & label)
    return len(words & content_words(unit.text)) / asked, said / asked, said / max(1, len(label))


def _kind(asked: Asked, unit: Unit, tokens: int) -> tuple[float, ...]:
    years = len(set(asked.years) & set(years_in(unit.text))) / len(asked.years) if asked.years else 0.5
    row, sentence, span = bool(unit.cells), unit.row is None, asked.operation is Operation.SPAN
    reason = asked.text.lower().startswith(("why", "how", "when", "where"))
    digit = any(map(str.isdigit, PLACEHOLDER.sub("", unit.text)))
    values = (
        row,
        unit.is_header,
        sentence,
        np.log1p(tokens),
        row and not span,
        row and span,
        reason and sentence,
        digit,
    )
    return (years, *map(float, values))


def summary(table: Floats, scores: Floats) -> Floats:
    """[SUMMARY] of a document for a question.

    Args:
        table: [units, FEATURES].
        scores: [units] of a ranker.
    """
    order = np.argsort(-scores, kind="stable")[:TOP]
    best = table[order]
    lead = scores[order[0]] - scores[order[min(1, len(order) - 1)]]
    head = [scores[order[0]], scores[order[-1]], lead]
    return np.concatenate([head, best[0], table[:, :_SUMMED].max(0), best[:, :_SUMMED].mean(0)])


@final
@dataclass(frozen=True, slots=True)
class Linear:
    """A logistic model over named features."""

    names: tuple[str, ...]
    weights: Floats = field(repr=False)
    bias: float

    def scores(self, table: Floats) -> Floats:
        """Log-odds of each row."""
        return np.asarray(table @ self.weights + self.bias, np.float64)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        weights = {name: round(float(w), 6) for name, w in zip(self.names, self.weights, strict=True)}
        return {"bias": round(self.bias, 6), "weights": weights}

    @classmethod
    def of(cls, entry: Mapping[str, Any], names: tuple[str, ...]) -> Linear:
        """Read it from JSON.

        Raises:
            ValueError: it has other features than these.
        """
        weights = entry["weights"]
        if set(weights) != set(names):
            raise ValueError(f"{len(set(weights) ^ set(names))} features are not those of this version")
        return cls(names, np.array([float(weights[name]) for name in names]), float(entry["bias"]))


@final
@dataclass(frozen=True, slots=True)
class Ranker:
    """What ranks a document's units and says whether they answer.

    Args:
        evidence: over FEATURES.
        answerable: over SUMMARY.
        threshold: log-odds below which nothing is answered.
        about: how it was trained, for its card.
    """

    evidence: Linear
    answerable: Linear
    threshold: float
    about: Mapping[str, Any]

    def rank(self, table: Floats) -> list[int]:
        """Numbers of the units, the best first."""
        return [int(place) + 1 for place in np.argsort(-self.evidence.scores(table), kind="stable")]

    def confidence(self, table: Floats) -> float:
        """Log-odds that the document answers."""
        return float(self.answerable.scores(summary(table, self.evidence.scores(table))[None])[0])

    def write(self, file: Path) -> None:
        """As JSON."""
        parts = {
            "about": dict(self.about),
            "threshold": round(self.threshold, 6),
            "evidence": self.evidence.as_dict(),
            "answerable": self.answerable.as_dict(),
        }
        file.write_text(json.dumps(parts, indent=1) + "\n", "utf-8")

    @classmethod
    def read(cls, file: Path) -> Ranker:
        """Read a file that :meth:`write` wrote.

        Raises:
            ConfigError: not there, damaged, or of another version.
        """
        try:
            parts = json.loads(file.read_text("utf-8"))
            return cls(
                Linear.of(parts["evidence"], FEATURES),
                Linear.of(parts["answerable"], SUMMARY),
                float(parts["threshold"]),
                parts["about"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"ranker {file}: {error}; train it again") from error
