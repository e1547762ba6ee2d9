"""The summary of a training note: what happened, what was tried, what is wanted, what comes next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from finslm.train.names.grammar import Piece, Scene
from finslm.train.notes.note import capitalised, ended
from finslm.train.notes.topics import Turn
from finslm.train.notes.writing import Writer

_CUSTOMER: Final = "customer"
_THEY_SHARE: Final = 0.6
"""Share of summaries whose second sentence says "they"."""


def summary(writer: Writer, turns: Mapping[str, Turn], told: Collection[str], scene: Scene) -> list[Piece]:
    """Write the summary.

    Args:
        writer: writes the lines.
        turns: part of the story and how it went.
        told: the facts that the text names.
        scene: of the text.
    """
    plural = scene.rng.random() < _THEY_SHARE
    pieces = [*_subject(writer, told, scene), *_line(writer, turns["happened"], told, scene)]
    wishes = [_line(writer, turns[part], told, scene, plural=plural) for part in ("tried", "want") if part in turns]
    if len(wishes) == 1 and "next" not in turns and scene.rng.random() < 0.3:
        wishes = [_line(writer, turns[part], told, scene) for part in ("tried", "want") if part in turns]
        return ended([*pieces, (", and ", None), *wishes[0]])
    if wishes:
        joined = _with_and(wishes)
        pieces = [*ended(pieces), (" They " if plural else " The customer ", None), *joined]
    if "next" in turns:
        pieces = [*ended(pieces), (" ", None), *capitalised(_line(writer, turns["next"], told, scene))]
    return ended(pieces)


def _with_and(wishes: list[list[Piece]]) -> list[Piece]:
    """One or both, with a comma where the first has one."""
    if len(wishes) == 1:
        return wishes[0]
    mark = ", and " if any("," in text for text, name in wishes[0] if not name) else " and "
    return [*wishes[0], (mark, None), *wishes[1]]


def _subject(writer: Writer, told: Collection[str], scene: Scene) -> list[Piece]:
    line = "{customer} " if _CUSTOMER in told else "The customer "
    return writer.write(line, told, scene)


def _line(writer: Writer, turn: Turn, told: Collection[str], scene: Scene, *, plural: bool = False) -> list[Piece]:
    """One of its lines that says all of its facts that the text tells; the first where none does."""
    mine = turn.facts(writer.facts).intersection(told)
    lines = [line for line in turn.lines["s"] if writer.covers(line, told, mine)] or turn.lines["s"][:1]
    return writer.write(scene.rng.choice(lines), told, scene, plural=plural)
