"""Texts as the encoder reads them by itself, without an adapter: what ranks evidence compares them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

MAX_TOKENS: Final = 160
"""Of a longer text only the beginning is read."""

Hidden = NDArray[np.float32]


@final
@dataclass(frozen=True, slots=True)
class TextStates:
    """What the encoder makes of a text.

    Args:
        ids: token ids, with the marks at both ends.
        hidden: [ids, hidden] last hidden states.
    """

    ids: Sequence[int] = field(repr=False)
    hidden: Hidden = field(repr=False)


def batches(rows: Sequence[Sequence[int]], most: int) -> Iterator[list[int]]:
    """Numbers of the rows, each once, those of like length together.

    Args:
        most: tokens of a batch; one longer row is a batch of its own.
    """
    batch: list[int] = []
    size = 0
    for place in sorted(range(len(rows)), key=lambda place: len(rows[place])):
        if batch and size + len(rows[place]) > most:
            yield batch
            batch, size = [], 0
        batch.append(place)
        size += len(rows[place])
    if batch:
        yield batch
