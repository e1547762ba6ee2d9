"""Spans of a text by its tokens' labels: how a tagging adapter reads a text, and what its numbers mean. No torch here.

A text is read as *units*: a placeholder, a word, a number or a mark. A unit is never cut, so a placeholder stands in a
value whole or not at all. Each has one label of the BIO scheme (Ramshaw and Marcus 1995, arXiv:cmp-lg/9505040): ``O``
for none, ``B-field`` where a value begins and ``I-field`` inside it. Only spans that make sense are considered: a
``B-field`` and the ``I-field`` of the same field behind it. Which of them count, the task's form says
(:mod:`finslm.tasks.choosing`): it knows what a document has once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast, final

import numpy as np
from numpy.typing import NDArray

from finslm.errors import ConfigError
from finslm.types import TaggedSpan
from redaction.operators import PLACEHOLDER

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from finslm.engine.adapters import AdapterCard

Scores = NDArray[np.float32]

OUTSIDE: Final = "O"
MARKS: Final = 2
"""Tokens at the ends of a window."""
LINE_END, COLUMN_END = "¶", "|"
"""What stands for line ends and for tabs or wide gaps: the encoder's tokenizer drops them, and layout says a lot."""

_BEGINS: Final = 0.003
_GOES_ON: Final = 0.05
"""Probability below which no value begins at a unit, and below which none goes on."""
_NOTHING: Final = 0.05
"""Added to the probability of nothing: where one label is certain, the second is no better than nothing."""
_LONGEST: Final = 60
"""Units of a value."""
_ALMOST: Final = np.float32(np.log(0.9999))

_LAYOUT: Final = re.compile(r"(?P<line>\s*\n\s*)|(?P<column>[ \u00a0]*\t\s*|[ \u00a0]{2,})")
_TYPE: Final = re.compile(r"<([A-Z][A-Z0-9_]*?)_[0-9]+(?:_[0-9A-HJKMNP-TV-Z]{8})?>")
_WORD: Final = re.compile(r"[^\W\d_]+|\d+|[\W_]")
"""Letters, digits, or one mark: ``EUR250`` is two units."""


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """A text as a tagging adapter reads it.

    Args:
        ids: token ids, without the marks at the ends.
        units: unit of each token, rising.
        spans: start and end of each unit in the text, code points.
    """

    ids: list[int] = field(repr=False)
    units: list[int] = field(repr=False)
    spans: list[tuple[int, int]] = field(repr=False)


@final
@dataclass(frozen=True, slots=True)
class ReadToTag:
    """A text that is ready to be tagged.

    Args:
        reading: how it is read.
        windows: token ids of each window, between the marks of its ends.
        card: of the adapter that it was read for.
    """

    reading: Reading
    windows: list[list[int]] = field(repr=False)
    card: AdapterCard

    def spans(self, logits: Sequence[Scores], fields: Collection[str]) -> list[TaggedSpan]:
        """What may be values of some fields, in the order of the text; they overlap.

        Args:
            logits: [tokens, labels] of each window, without the marks.
            fields: those to look for.

        Raises:
            ConfigError: the adapter does not know one of them.
        """
        card, scores = self.card, self.scores(logits)
        return candidates(self.reading, scores, card.labels, fields, card.temperature)

    def scores(self, logits: Sequence[Scores]) -> Scores:
        """Logits of each unit, up to a constant in each: see :func:`merged`."""
        if not self.windows:
            return np.zeros((0, len(self.card.labels)), np.float32)
        return merged(self.reading, _cuts(self.reading, self.card), [log_softmax(each) for each in logits])


def in_windows(tokenizer: PreTrainedTokenizerBase, text: str, card: AdapterCard) -> ReadToTag:
    """Read a text for an adapter."""
    reading = read(tokenizer, text)
    rows = [marked(tokenizer, reading.ids[start:end]) for start, end in _cuts(reading, card)]
    return ReadToTag(reading, rows if reading.ids else [], card)


def marked(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[int]:
    """A window between the marks of its ends."""
    return [cast(int, tokenizer.cls_token_id), *ids, cast(int, tokenizer.sep_token_id)]


def _cuts(reading: Reading, card: AdapterCard) -> list[tuple[int, int]]:
    return windows(reading, card.max_tokens - MARKS, card.overlap)


def read(tokenizer: PreTrainedTokenizerBase, text: str) -> Reading:
    """Tokenise, in training and in serving the same; no control token can come from the text."""
    spans, shown = [], []
    for start, end, word in _words(text):
        spans.append((start, end))
        shown.append(word)
    if not shown:
        return Reading([], [], [])
    encoded = cast(
        "Any", tokenizer(shown, add_special_tokens=False, split_special_tokens=True, return_attention_mask=False)
    )
    ids: list[int] = []
    units: list[int] = []
    kept: list[tuple[int, int]] = []
    for span, tokens in zip(spans, encoded["input_ids"], strict=True):
        if tokens:
            ids += tokens
            units += [len(kept)] * len(tokens)
            kept.append(span)
    return Reading(ids, units, kept)


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and what is read of each unit."""
    at = 0
    for match in PLACEHOLDER.finditer(text):
        yield from _plain(text, at, match.start())
        yield match.start(), match.end(), _named(match[0])
        at = match.end()
    yield from _plain(text, at, len(text))


def _named(placeholder: str) -> str:
    """The words of its type behind a mark: its number says nothing of what it is, and takes time to read."""
    return _TYPE.sub(r"<\1", placeholder).replace("_", " ")


def _plain(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    at = start
    while at < end:
        if layout := _LAYOUT.match(text, at, end):
            yield at, layout.end(), LINE_END if layout["line"] else COLUMN_END
            at = layout.end()
        elif word := _WORD.match(text, at, end):
            if not word[0].isspace():
                yield at, word.end(), word[0]
            at = word.end()
        else:
            at += 1


def windows(reading: Reading, most: int, overlap: int) -> list[tuple[int, int]]:
    """First token and the one after the last of each window, cut between units where that is possible.

    Args:
        most: tokens of a window.
        overlap: tokens that a window has in common with the one before, at least; fewer where a unit is longer.
    """
    count, found, start = len(reading.ids), [], 0
    while start + most < count:
        end = _unit_start(reading, start + most, start)
        found.append((start, end))
        start = max(_unit_start(reading, end - overlap, start), start + 1)
    return [*found, (start, count)]


def _unit_start(reading: Reading, at: int, after: int) -> int:
    """The last place up to ``at`` where a unit begins; ``at`` itself where one is longer than that."""
    place = at
    while place > after + 1 and reading.units[place] == reading.units[place - 1]:
        place -= 1
    return place if place > after + 1 else at


def merged(reading: Reading, parts: Sequence[tuple[int, int]], scores: Sequence[Scores]) -> Scores:
    """Log-probabilities of each unit, [units, labels]: the mean of its tokens', each from the window that sees most.

    Args:
        parts: see :func:`windows`.
        scores: of each window, log-probabilities [tokens, labels].
    """
    whole = np.zeros((len(reading.ids), scores[0].shape[1]), np.float32)
    distance = np.full(len(reading.ids), -1)
    count = len(reading.ids)
    for (start, end), part in zip(parts, scores, strict=True):
        places = np.arange(start, end)
        left = np.where(start == 0, count, places - start)
        right = np.where(end == count, count, end - 1 - places)
        better = np.minimum(left, right) > distance[start:end]
        whole[start:end][better] = part[better]
        distance[start:end] = np.maximum(distance[start:end], np.minimum(left, right))
    units = np.asarray(reading.units)
    sums = np.zeros((len(reading.spans), whole.shape[1]), np.float32)
    np.add.at(sums, units, whole)
    return cast(Scores, sums / np.bincount(units, minlength=len(reading.spans))[:, None].astype(np.float32))


def log_softmax(logits: Scores) -> Scores:
    """Over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return cast(Scores, shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def candidates(
    reading: Reading, scores: Scores, labels: Sequence[str], fields: Collection[str], temperature: float
) -> list[TaggedSpan]:
    """Every span that may be a value of one of some fields, by where it begins; they overlap.

    Args:
        scores: see :func:`merged`.
        labels: of the columns.
        fields: what is asked for; other labels have no share in the probabilities.
        temperature: log-probabilities are divided by it.

    Raises:
        ConfigError: the labels lack a field.
    """
    chosen = _columns(tuple(labels), tuple(sorted(fields)))
    if not reading.spans:
        return []
    own = log_softmax(scores[:, chosen] / np.float32(temperature))
    column = {labels[place]: number for number, place in enumerate(chosen)}
    nothing = np.logaddexp(own[:, column[OUTSIDE]], np.float32(np.log(_NOTHING)))
    found: list[TaggedSpan] = []
    for name in sorted({*fields}):
        found += _of_field(reading, name, own[:, column[f"B-{name}"]], own[:, column[f"I-{name}"]], nothing)
    return sorted(found, key=lambda span: (span.start, span.end, span.field))


def _of_field(reading: Reading, name: str, begins: Scores, goes_on: Scores, nothing: Scores) -> Iterator[TaggedSpan]:
    """The spans of one field: log-probabilities [units] that it begins, that it goes on, and of nothing."""
    ends = [*np.log1p(-np.exp(np.minimum(goes_on[1:], _ALMOST))).tolist(), 0.0]
    inside, gains = goes_on.tolist(), (goes_on - nothing).tolist()
    for first in np.flatnonzero(begins > np.log(_BEGINS)).tolist():
        surest, gain = float(begins[first]), float(begins[first] - nothing[first])
        for last in range(first, min(first + _LONGEST, len(inside))):
            if last > first:
                if inside[last] < np.log(_GOES_ON):
                    break
                surest, gain = min(surest, inside[last]), gain + gains[last]
            score = float(np.exp(min(surest, ends[last])))
            yield TaggedSpan(reading.spans[first][0], reading.spans[last][1], name, score, gain)


@lru_cache(maxsize=64)
def _columns(labels: tuple[str, ...], fields: tuple[str, ...]) -> list[int]:
    wanted = {OUTSIDE, *(f"{part}-{name}" for name in fields for part in "BI")}
    if lacking := wanted - {*labels}:
        raise ConfigError(f"the adapter has no label {min(lacking)}: train it for this task, or pull it again")
    return [column for column, label in enumerate(labels) if label in wanted]
