"""Rows as token ids, and batches of them that need little padding."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast, final

import torch
from torch import Tensor

from finslm.engine.adapters import encode
from finslm.engine.classifier import pad
from finslm.errors import ConfigError
from finslm.evaluate.datasets import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SORT_WINDOW: Final = 20
"""Batches whose rows are sorted by length together: little padding, still a shuffled order."""

Encoded = tuple[list[int], int]
"""A row: its token ids, and the number of its label; -1 for one that is not trained."""


@final
@dataclass(frozen=True, slots=True)
class Encoder:
    """From rows to token ids.

    Args:
        tokenizer: of the base.
        labels: in order; a row's label becomes its number among them.
        max_tokens: of a text.
        long_texts: what is done with a longer one, ``refuse`` or ``cut``.
    """

    tokenizer: PreTrainedTokenizerBase
    labels: tuple[str, ...]
    max_tokens: int
    long_texts: str

    def rows(self, rows: Sequence[Example]) -> list[Encoded]:
        """Encode rows.

        Raises:
            ConfigError: a text is too long, and such are refused.
        """
        number = {label: i for i, label in enumerate(self.labels)}
        return [(self._ids(row.text), number.get(row.label, -1)) for row in rows]

    def long(self, rows: Sequence[Example]) -> int:
        """How many of these texts are longer than ``max_tokens``."""
        return sum(len(encode(self.tokenizer, row.text)) > self.max_tokens for row in rows)

    def _ids(self, text: str) -> list[int]:
        ids = encode(self.tokenizer, text)
        if len(ids) <= self.max_tokens:
            return ids
        if self.long_texts == "refuse":
            raise ConfigError(
                f"a text has {len(ids)} tokens, the recipe's training.max_tokens is {self.max_tokens}: "
                "raise it, or set training.long_texts to cut"
            )
        return [*ids[: self.max_tokens - 1], ids[-1]]

    def tensors(self, rows: Sequence[Encoded], device: str) -> tuple[Tensor, Tensor, Tensor]:
        """Ids and attention mask [B, T], padded on the right, and labels [B]."""
        ids, mask = pad([tokens for tokens, _ in rows], cast(int, self.tokenizer.pad_token_id))
        labels = torch.tensor([label for _, label in rows])
        return ids.to(device), mask.to(device), labels.to(device)


def by_length(rows: Sequence[Encoded], size: int) -> list[list[int]]:
    """Batches of positions, in order of their length within a window of some batches."""
    return _windows(rows, list(range(len(rows))), size)


def shuffled(rows: Sequence[Encoded], size: int) -> list[list[int]]:
    """The same in an order that :mod:`random` chooses."""
    order = list(range(len(rows)))
    random.shuffle(order)
    batches = _windows(rows, order, size)
    random.shuffle(batches)
    return batches


def _windows(rows: Sequence[Encoded], order: list[int], size: int) -> list[list[int]]:
    window = size * SORT_WINDOW
    order = [
        i for k in range(0, len(order), window) for i in sorted(order[k : k + window], key=lambda i: len(rows[i][0]))
    ]
    return [order[k : k + size] for k in range(0, len(order), size)]
