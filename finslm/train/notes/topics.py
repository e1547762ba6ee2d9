"""What the stories of training notes say: for every topic the parts of a story, each in several ways.

``stories/train.txt`` holds them: ``== topic`` begins a topic (``anything`` goes with all), ``:: part`` one way that a
part can go; then lines with a letter for who speaks: ``c`` the customer (sentences), ``n`` a note and ``s`` the summary
(what the customer did, without naming them; of ``next`` a whole clause), ``a`` the agent on a call.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from finslm.train.notes.conditions import optional, slots

PARTS: Final = ("happened", "tried", "want", "next")
"""Parts of a story in the order of its summary."""
_FILE: Final = Path(__file__).parent / "stories" / "train.txt"
_SHARED: Final = "anything"
_VOICES: Final = ("c", "n", "a", "s")


@final
@dataclass(frozen=True, slots=True)
class Turn:
    """One way that a part of a story can go.

    Args:
        part: of :data:`PARTS`, or ``subject``.
        lines: voice and its lines.
    """

    part: str
    lines: dict[str, list[str]] = field(default_factory=dict)

    def facts(self, facts: Collection[str]) -> frozenset[str]:
        """The facts that its lines name."""
        return frozenset().union(*(slots(line, facts) for lines in self.lines.values() for line in lines))

    def optional(self, facts: Collection[str]) -> frozenset[str]:
        """The facts it can do without."""
        return frozenset().union(*(optional(line, facts) for line in self.lines["s"]))


@final
class Stories:
    """The stories of all topics.

    Args:
        facts: slots that are facts.

    Raises:
        ValueError: the file is not as it should be.
    """

    def __init__(self, facts: Collection[str]) -> None:
        self._facts = facts
        topics = _read(_FILE.read_text("utf-8"))
        self._shared = topics.pop(_SHARED)
        self._topics = topics

    @property
    def topics(self) -> Sequence[str]:
        """Names of the topics."""
        return tuple(self._topics)

    def subject(self, topic: str) -> list[str]:
        """What the customer writes above a text."""
        return self._ways(topic, "subject")[0].lines["c"]

    def lines(self) -> list[str]:
        """All of them, to be checked."""
        turns = [turn for ways in (*self._topics.values(), self._shared) for turn in ways]
        return [line for turn in turns for lines in turn.lines.values() for line in lines]

    def choose(self, topic: str, parts: Sequence[str], rng: random.Random) -> dict[str, Turn]:
        """One way for each part; only the first part's facts may stand in another."""
        chosen: dict[str, Turn] = {}
        used: frozenset[str] = frozenset()
        for part in parts:
            ways = [turn for turn in self._ways(topic, part) if not used & turn.facts(self._facts)]
            if ways:
                chosen[part] = rng.choice(ways)
                used |= chosen[part].facts(self._facts)
        return chosen

    def _ways(self, topic: str, part: str) -> list[Turn]:
        """The topic's own, which count twice, and those that go with all."""
        own = [turn for turn in self._topics[topic] if turn.part == part]
        return own * 2 + [turn for turn in self._shared if turn.part == part]


def _read(text: str) -> dict[str, list[Turn]]:
    topics: dict[str, list[Turn]] = {}
    turns: list[Turn] = []
    for number, line in enumerate(text.splitlines(), 1):
        head, _, rest = line.partition(" ")
        if head == "==":
            turns = topics[rest] = []
        elif head == "::":
            turns.append(Turn(rest))
        elif head in _VOICES:
            turns[-1].lines.setdefault(head, []).append(rest)
        elif head not in ("", "#"):
            raise ValueError(f"stories, line {number}: no voice {head!r}; known: {', '.join(_VOICES)}")
    return topics
