"""Labelled text as arrays on disk, so that training reads and does not wait for text to be made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
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
        for sample, text in zip(chunk, encode(tokenizer, [sample.text for sample in chunk]), strict=True):
            labels = _labels(text, sample.spans)
            for at in range(0, len(text.ids), longest):
                part = slice(at, at + longest)
                yield Row(
                    text.ids[part].astype(np.int32), text.features[part].astype(np.int16), labels[part].astype(np.int16)
                )


def _labels(text: Encoded, spans: Sequence[tuple[int, int, str]]) -> NDArray[np.int64]:
    """B for the pieces of a span's first word, I for the rest of it; a type that is not learned is ignored."""
    labels = np.zeros(len(text.ids), np.int64)
    last = np.append(text.first[1:], len(text.ids))
    for start, end, type_ in spans:
        inside = np.flatnonzero((text.starts < end) & (text.ends > start))
        for place, word in enumerate(inside):
            label = _NUMBER.get(f"{'I' if place else 'B'}-{type_}", IGNORED)
            labels[text.first[word] : last[word]] = label
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
