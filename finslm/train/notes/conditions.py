"""Parts of a line that stand only where the text has the fact they tell.

``« on {date}»`` stands if the fact ``date`` is told; ``« {amount}¦ some money»`` has another wording for when it is
not; ``«want? ...»`` hangs on a part of the story. ``~wants/want~`` is for one subject and for "they".
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_PART: Final = re.compile(r"«(?:([a-z_]+)\?)?([^«»¦]*)(?:¦([^«»]*))?»")
_SLOT: Final = re.compile(r"\{([a-z_]+)\}")
_VERB: Final = re.compile(r"~([^~/]+)/([^~]+)~")


def resolved(line: str, told: Collection[str], facts: Collection[str]) -> str:
    """The line without the parts whose facts are not told.

    Args:
        line: with conditions.
        told: facts and parts of the story that may be told.
        facts: slots that are facts; the others hang on nothing.
    """

    def one(part: re.Match[str]) -> str:
        wanted = {*slots(part[2], facts), *([part[1]] if part[1] else [])}
        return part[2] if wanted <= {*told} else part[3] or ""

    return _PART.sub(one, line)


def slots(line: str, facts: Collection[str]) -> frozenset[str]:
    """The facts that a line names."""
    return frozenset(name for name in _SLOT.findall(line) if name in facts)


def needed(line: str, facts: Collection[str]) -> frozenset[str]:
    """The facts that a line names outside of its conditions."""
    return slots(_PART.sub("", line), facts)


def optional(line: str, facts: Collection[str]) -> frozenset[str]:
    """Facts and parts of the story on which something in the line hangs."""
    parts = list(_PART.finditer(line))
    return frozenset().union(*(slots(part[2], facts) for part in parts), (part[1] for part in parts if part[1]))


def conjugated(line: str, *, plural: bool) -> str:
    """The line with its verbs for "they" or for one subject."""
    return _VERB.sub(lambda verb: verb[2] if plural else verb[1], line)
