"""Notes that follow a structure written by hand, wording and all: those of calibration and test."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final, final

from finslm.train.names.grammar import Scene
from finslm.train.notes.conditions import optional
from finslm.train.notes.note import Note, composed, named
from finslm.train.notes.values import NoteValues
from finslm.train.notes.writing import Writer

WRITTEN: Final = Path(__file__).parent / "written"
_SUMMARY: Final = "_summary"
_MISSING: Final = (0, 0, 1, 1, 2, 3)
"""How many facts a text may lack."""


@final
class Structures:
    """Makes notes from structures.

    Args:
        values: what fills the slots.
        split: ``dev`` or ``test``.
    """

    def __init__(self, values: NoteValues, split: str) -> None:
        self._writer = Writer([WRITTEN / f"{split}.txt"], values.slots(), values.facts)
        self._names = sorted(rule for rule in self._writer.grammar.rules if not rule.endswith(_SUMMARY))

    def make(self, kind: str, rng: random.Random) -> Note:
        """Make one."""
        scene = Scene(rng)
        structure = rng.choice([name for name in self._names if name.startswith(kind)])
        line = rng.choice(self._writer.grammar.lines(structure))
        short = rng.choice(self._writer.grammar.lines(structure + _SUMMARY))
        can_miss = sorted(optional(line, self._writer.facts))
        missing = rng.sample(can_miss, min(rng.choice(_MISSING), len(can_miss)))
        parts = {name for name in can_miss if name not in self._writer.facts and name not in missing}
        text = self._writer.write(line, (self._writer.facts | parts).difference(missing), scene)
        return composed(kind, structure, text, self._writer.write(short, named(text) | parts, scene))
