"""Reads texts with a frozen encoder, for :mod:`finslm.answering.ranking`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

import torch

from finslm.answering.ranking import Reading
from finslm.engine import bases
from finslm.engine.adapters import encode
from finslm.engine.classifier import pad
from finslm.engine.states import MAX_TOKENS

_BATCH: Final = 64


@final
class FrozenReader:
    """See :class:`finslm.answering.ranking.Reader`.

    Args:
        folder: model folder of the encoder.

    Raises:
        ConfigError: the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._network, self._tokenizer = bases.backbone(folder), bases.tokenizer(folder)
        self._network.train(mode=False)

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """One reading for each text, computed in bfloat16; texts of like length go together."""
        rows = [encode(self._tokenizer, text)[:MAX_TOKENS] for text in texts]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        found: dict[int, Reading] = {}
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            found |= zip(chosen, self._batch([rows[i] for i in chosen]), strict=True)
        return [found[place] for place in range(len(rows))]

    @torch.inference_mode()
    def _batch(self, rows: list[list[int]]) -> list[Reading]:
        ids, mask = pad(rows, 0)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self._network(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        return [Reading.of(row, hidden[i, : len(row)].numpy()) for i, row in enumerate(rows)]
