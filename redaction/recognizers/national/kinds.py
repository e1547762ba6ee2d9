"""The kinds of numbers that were declared, in the order in which a walk asks for them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass
from typing import Final, final

from redaction.recognizers.national.kind import LIKELY, Kind
from redaction.recognizers.national.rows import LONGEST, SHORTEST

Named = tuple[str, Kind]
"""The name of a recognizer, and its kind."""

_NONE: Final = re.compile(r"(?!)")
_BACK_REFERENCE: Final = re.compile(r"\\[1-9]")
"""To the separator before; where patterns are joined, any separator will do."""


@final
@dataclass(frozen=True, slots=True)
class Shaped:
    """The kinds whose numbers have one length.

    Args:
        every: all of them.
        alone: those that are found without a cue, however they are written.
        divided: those that are, if written in their own groups.
        groups: matches what is written in the groups of one of these.
        shape: matches every number of any of them.
    """

    every: tuple[Named, ...]
    alone: tuple[Named, ...]
    divided: tuple[Named, ...]
    groups: re.Pattern[str]
    shape: re.Pattern[str]

    def of(self, announced: Container[int], written: str) -> list[Named]:
        """Return the kinds that a number may be of, written as it is in a text that announces some (by ``id``)."""
        found = [named for named in self.every if id(named[1]) in announced] if announced else []
        found += self.alone
        return [*found, *self.divided] if self.groups.fullmatch(written) else found


def by_length(kinds: list[Named]) -> dict[tuple[int, bool], Shaped]:
    """Sort kinds by the length of their numbers and whether these are all digits."""
    table: defaultdict[tuple[int, bool], list[Named]] = defaultdict(list)
    for named in kinds:
        for mask in named[1].masks:
            if SHORTEST <= len(mask) <= LONGEST:
                if "A" not in mask and named not in table[len(mask), True]:
                    table[len(mask), True].append(named)
                if mask.strip("9") and named not in table[len(mask), False]:
                    table[len(mask), False].append(named)
    return {shape: _shaped(same) for shape, same in table.items()}


def _shaped(kinds: list[Named]) -> Shaped:
    alone = tuple(named for named in kinds if named[1].alone >= LIKELY)
    divided = tuple(named for named in kinds if named not in alone and named[1].divided >= LIKELY)
    groups = "|".join(_BACK_REFERENCE.sub("[ .-]{1,3}", named[1].grouped) for named in divided)
    shape = re.compile("|".join(named[1].shapes for named in kinds))
    return Shaped(tuple(kinds), alone, divided, re.compile(groups) if groups else _NONE, shape)
