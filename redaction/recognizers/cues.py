"""A value directly behind the word that says what it is: in a sentence, as a key, in a form."""

from __future__ import annotations

import re
from typing import Final

LINK: Final = (
    r"(?:'s)?[\s\"'\]:=#.,(\[>|/_-]{0,6}(?:(?:is|are|was|no|nr|num|number|code|id)\b[\s\"':=#.(\[-]{0,4}){0,2}"
)
"""What may stand between the two: ``: ``, ``" = "``, `` is ``, `` no. ``; linear, its repetitions are bounded."""

LABEL_CHARS = 64
"""How far before a value its label may begin, code points."""


def label(words: str) -> re.Pattern[str]:
    """Return a pattern for one of ``words`` and the link behind it, to be used with :func:`labelled`."""
    return re.compile(rf"(?:{words}){LINK}$", re.IGNORECASE)


def labelled(pattern: re.Pattern[str], text: str, start: int) -> bool:
    """Whether a label of ``pattern`` (made by :func:`label`) ends where the value at ``start`` begins."""
    return pattern.search(text, max(0, start - LABEL_CHARS), start) is not None
