"""Guesses of an answer's next tokens: how the same words went on earlier in the prompt or the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import numpy as np

_LONGEST, _SHORTEST = 3, 2
"""Tokens that must be the same; one alone goes on too differently to be worth the step."""


@final
class Lookup:
    """Speculation by prompt lookup (Yang et al. 2023, "Inference with Reference", arXiv:2304.04487).

    Costs no model: summaries and extracted fields repeat what they are made from.

    Args:
        prompt: its ids.
        room: tokens of prompt and answer together, at most.
    """

    def __init__(self, prompt: Sequence[int], room: int) -> None:
        self._tokens: Final = np.empty(room, np.int32)
        self._tokens[: len(prompt)] = prompt
        self._count = len(prompt)

    def add(self, token: int) -> None:
        """Note the answer's next token."""
        self._tokens[self._count] = token
        self._count += 1

    def draft(self, most: int) -> list[int]:
        """Up to ``most`` tokens that may come next, never more than there is room for; often none."""
        known = self._tokens[: self._count]
        most = min(most, len(self._tokens) - self._count - 1)
        if most < 1:
            return []
        for length in range(_LONGEST, _SHORTEST - 1, -1):
            if self._count <= length:
                continue
            same = np.ones(self._count - length, bool)
            for place in range(length):
                same &= known[place : place + len(same)] == known[self._count - length + place]
            if len(starts := np.flatnonzero(same)):
                begin = int(starts[-1]) + length
                return [int(token) for token in known[begin : begin + most]]
        return []
