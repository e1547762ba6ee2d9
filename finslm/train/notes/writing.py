"""Writes lines with conditions out: what is told first, then everything else in the same values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, final

from finslm.train.names.grammar import Grammar, Maker, Node, Piece, Scene
from finslm.train.notes.conditions import conjugated, needed, resolved, slots

_KEPT_LINES: Final = 50_000
"""Lines of which what they mean is kept in memory."""


@final
class Writer:
    """Writes lines.

    Args:
        files: of rules that any line may name.
        makers: what fills the slots.
        facts: slots that are facts.
    """

    def __init__(self, files: Collection[Path], makers: Mapping[str, Maker], facts: frozenset[str]) -> None:
        self.facts = facts
        self.grammar = Grammar(files, makers)
        self._node = lru_cache(maxsize=_KEPT_LINES)(self.grammar.parse)

    def write(self, line: str, told: Collection[str], scene: Scene, *, plural: bool = False) -> list[Piece]:
        """Write a line.

        Args:
            line: with conditions.
            told: facts and parts of the story that may be told.
            scene: of the text.
            plural: whether its verbs are for "they".
        """
        node: Node = self._node(conjugated(resolved(line, told, self.facts), plural=plural))
        return node(scene)

    def covers(self, line: str, told: Collection[str], mine: Collection[str]) -> bool:
        """Whether a line can be written with what is told, and says all that is ``mine``."""
        return needed(line, self.facts) <= {*told} and {*mine} <= slots(line, self.facts)
