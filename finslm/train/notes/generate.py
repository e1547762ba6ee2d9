"""Makes bank complaints and call notes with their summaries.

``python -m finslm.train.notes.generate --kind call_note --split test --count 3 --cache FOLDER`` prints some.

Training notes are put together from what customers and agents say about a topic, each sentence in several ways; those
of calibration and test follow structures written by hand with wording of their own, and the names of the test notes
stand in no other.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, final

from finslm.train.documents.generate import pools
from finslm.train.documents.values import SPLITS
from finslm.train.names.makers import Makers
from finslm.train.notes.composing import Composer
from finslm.train.notes.note import KINDS, Note
from finslm.train.notes.structures import Structures
from finslm.train.notes.values import NoteValues

_SHORTEST: Final = 40
_LONGEST: Final = 260
"""Words of a text."""


class _Maker(Protocol):
    def make(self, kind: str, rng: random.Random) -> Note: ...


@final
class Notes:
    """Makes the notes of one split.

    Args:
        makers: the pools, see :func:`finslm.train.documents.generate.pools`.
        split: ``train``, ``dev`` or ``test``.
    """

    def __init__(self, makers: Makers, split: str) -> None:
        self._split = split
        values = NoteValues(makers, split)
        self._maker: _Maker = Composer(values) if split == "train" else Structures(values, split)

    def make(self, kind: str, rng: random.Random) -> Note:
        """Make one; one that is too short or too long, or whose summary misses a fact, is made again."""
        while True:
            note = self._maker.make(kind, rng)
            if _SHORTEST <= len(note.text.split()) <= _LONGEST and _covers(note):
                return note

    def stream(self, seed: int, count: int) -> Iterator[Note]:
        """Make notes of both kinds in turn; a seed always gives the same."""
        rng = random.Random(f"{self._split} {seed}")  # noqa: S311 - text for training, no secret
        for number in range(count):
            yield self.make(KINDS[number % len(KINDS)], rng)


def _covers(note: Note) -> bool:
    """Whether the summary says every fact of the text and no other, and each as it stands there."""
    told = {(name, note.text[start:end]) for start, end, name in note.facts}
    said = {(name, note.summary[start:end]) for start, end, name in note.said}
    return told == said


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, required=True, help="folder for the pools of names")
    chosen = parser.parse_args(arguments)
    notes = Notes(pools(chosen.cache), chosen.split)
    rng = random.Random(f"{chosen.split} {chosen.seed}")  # noqa: S311 - text for training, no secret
    for _ in range(chosen.count):
        made = notes.make(chosen.kind, rng)
        shown: dict[str, object] = {"text": made.text, "summary": made.summary, "structure": made.structure}
        shown |= {"facts": made.facts, "said": made.said}
        sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
