"""Puts training notes together: a topic's sentences, in one of many layouts, among what a summary leaves out."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final, final

from finslm.train.names.grammar import Piece, Scene, assemble
from finslm.train.names.noise import spoiled
from finslm.train.notes.layouts import LAYOUTS, Told
from finslm.train.notes.note import KINDS, Note, changed, composed, named
from finslm.train.notes.summary import summary
from finslm.train.notes.topics import PARTS, Stories, Turn
from finslm.train.notes.values import NoteValues
from finslm.train.notes.writing import Writer

_FRAMES: Final = Path(__file__).parent / "stories" / "frames.txt"
_SHARES: Final = {"complaint": (1.0, 0.75, 0.8, 0.0), "call_note": (1.0, 0.5, 0.75, 0.85)}
"""How often each of the parts is told."""
_MISSING: Final = (0, 0, 1, 1, 2, 3)
"""How many facts a text may lack."""
_LOWER, _UPPER = 0.12, 0.02
"""Shares of complaints in small letters and in capitals."""
_NOISE: Final = 0.08
"""Share of texts with typing errors and the like; facts keep their spelling."""


@final
class Composer:
    """Makes training notes.

    Args:
        values: what fills the slots.
    """

    def __init__(self, values: NoteValues) -> None:
        self._writer = Writer([_FRAMES], values.slots(), values.facts)
        self._stories = Stories(values.facts)
        self._writer.grammar.check()

    def make(self, kind: str, rng: random.Random) -> Note:
        """Make one."""
        scene, topic = Scene(rng), rng.choice(self._stories.topics)
        parts = [part for part, share in zip(PARTS, _SHARES[kind], strict=True) if rng.random() < share]
        turns = self._stories.choose(topic, parts, rng)
        layout = rng.choice(list(LAYOUTS[kind]))
        told = Told(self._writer, scene, turns, self._told(turns, rng), self._stories.subject(topic))
        text = LAYOUTS[kind][layout](told)
        short = summary(self._writer, turns, named(text), scene)
        if kind == KINDS[0]:
            text, short = _cased(text, short, rng)
        return composed(kind, f"{layout}_{topic}", _noisy(text, rng), short)

    def _told(self, turns: dict[str, Turn], rng: random.Random) -> frozenset[str]:
        """The facts that may be told: all but a few that can be missing."""
        can_miss = sorted(frozenset().union(*(turn.optional(self._writer.facts) for turn in turns.values())))
        return self._writer.facts.difference(rng.sample(can_miss, min(rng.choice(_MISSING), len(can_miss))))


def _cased(text: list[Piece], short: list[Piece], rng: random.Random) -> tuple[list[Piece], list[Piece]]:
    """The text in small letters or capitals, and what the summary quotes of it with it."""
    roll = rng.random()
    if roll > _LOWER + _UPPER:
        return text, short
    change = str.lower if roll < _LOWER else str.upper
    return changed(text, change), [(change(value) if name else value, name) for value, name in short]


def _noisy(text: list[Piece], rng: random.Random) -> list[Piece]:
    """Errors between the facts, which keep their spelling."""
    if rng.random() >= _NOISE:
        return text
    whole = assemble(text)
    values = [whole.text[start:end] for start, end, _ in whole.spans]
    noisy = spoiled(whole, rng, 0.9)
    if len(noisy.spans) != len(values):  # a value was all marks that went away
        return text
    pieces: list[Piece] = []
    at = 0
    for (start, end, name), value in zip(noisy.spans, values, strict=True):
        pieces += [(noisy.text[at:start], None), (value, name)]
        at = end
    return [*pieces, (noisy.text[at:], None)]
