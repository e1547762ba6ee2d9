"""Labelled text as arrays on disk, so that training reads and does not wait for text to be made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from finslm.train.names.model import IGNORED, LABELS
from finslm.train.names.sample import Sample
from redaction.ner.encoding import Encoded, encode

_CHUNK = 512
_NUMBER = {label: number for number, label in enumerate(LABELS)}


class Row(NamedTuple):
    """One text: pieces, features and labels, each [pieces]."""

    ids: NDArray[np.int32]
    features: NDArray[np.int16]
    labels: NDArray[np.int16]


def rows(tokenizer: Tokenizer, samples: Iterable[Sample], *, longest: int) -> Iterator[Row]:
    """Encode samples; longer ones are cut into pieces of ``longest``."""
    source = iter(samples)
    while chunk := list(islice(source, _CHUNK)):
        texts = encode(tokenizer, [sample.text for sample in chunk])
        labels = _labels(texts, [sample.spans for sample in chunk])
        columns = texts.ids.astype(np.int32), texts.features.astype(np.int16), labels.astype(np.int16)
        for begin, end in pairwise(texts.bounds.tolist()):
            for at in range(begin, end, longest):
                part = slice(at, min(at + longest, end))
                yield Row(columns[0][part], columns[1][part], columns[2][part])


def _labels(texts: Encoded, spans: Sequence[Sequence[tuple[int, int, str]]]) -> NDArray[np.int64]:
    """B for the pieces of a span's first word, I for the rest of it; a type that is not learned is ignored."""
    labels = np.zeros(len(texts.ids), np.int64)
    last = np.append(texts.first[1:], len(texts.ids))
    words = np.searchsorted(texts.owners, np.arange(len(spans) + 1))
    for number, (head, behind) in enumerate(pairwise(words.tolist())):
        starts, ends = texts.starts[head:behind], texts.ends[head:behind]
        for start, end, type_ in spans[number]:
            for place, word in enumerate(head + np.flatnonzero((starts < end) & (ends > start))):
                label = _NUMBER.get(f"{'I' if place else 'B'}-{type_}", IGNORED)
                labels[texts.first[word] : last[word]] = label
    return labels


def save(path: Path, shard: Sequence[Row]) -> None:
    """Write rows to one file."""
    sizes = np.array([len(row.ids) for row in shard], np.int32)
    columns = {name: np.concatenate([getattr(row, name) for row in shard]) for name in Row._fields}
    temporary = path.with_suffix(".tmp.npz")
    arrays: dict[str, Any] = {"sizes": sizes, **columns}
    np.savez(temporary, **arrays)
    temporary.rename(path)


def load(path: Path) -> list[Row]:
    """Read the rows of one file."""
    with np.load(path) as file:
        cuts = np.cumsum(file["sizes"])[:-1]
        columns = [np.split(file[name], cuts) for name in Row._fields]
    return [Row(*parts) for parts in zip(*columns, strict=True)]
