"""The guard on an answer: nothing that a checked pattern knows may come out of the model.

The model reads placeholders only, so a card number or an IBAN in its draft was remembered from
training or made up; neither may reach a caller. What the caller sent comes back through restore,
after the guard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, final

from redaction.detection import Detection

HOLD_BACK_CHARS: Final = 72
"""The longest IBAN has 33 characters, and 65 with a space between any two: nothing that has spaces is longer."""

_WORD = re.compile(r"\S+")
_SUSPECT = re.compile(r"[\d@]|[A-Z]{8}")
"""What every identifier has that the patterns know: a digit or an ``@``, or it is a BIC."""

Look = Callable[[str], Sequence[Detection]]


class LeakFound(Exception):
    """The draft holds personal data of these types; the message never says which characters."""

    def __init__(self, types: Sequence[str]) -> None:
        super().__init__(f"the answer holds {', '.join(sorted(set(types)))}")
        self.types = tuple(sorted(set(types)))


def check(draft: str, look: Look) -> None:
    """Look at a whole draft.

    Raises:
        LeakFound: there is something.
    """
    if _SUSPECT.search(draft) and (found := look(draft)):
        raise LeakFound([detection.type for detection in found])


@final
class StreamGuard:
    """The guard for a draft that arrives in pieces: lets out only what can no longer become a finding.

    A suspect word among the last 72 characters may be the start of an identifier, so text from there
    on waits; otherwise only the last, unfinished word does.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._text = ""
        self._given = 0

    def feed(self, chunk: str) -> str:
        """Take a piece of the draft; return what is safe to pass on now.

        Raises:
            LeakFound: the draft so far holds something, no digit of which has been passed on.
        """
        self._text += chunk
        end = max(self._given, self._safe_end())
        return self._give(end)

    def close(self) -> str:
        """End of the draft; return the rest.

        Raises:
            LeakFound: see :meth:`feed`.
        """
        return self._give(len(self._text))

    def _safe_end(self) -> int:
        start = max(0, len(self._text) - HOLD_BACK_CHARS)
        start = self._text.rfind(" ", 0, start) + 1  # from the start of a word
        words = list(_WORD.finditer(self._text, start))
        suspect = next((w.start() for w in words if _SUSPECT.search(w.group())), None)
        if suspect is not None:
            return suspect
        return words[-1].start() if words else len(self._text)

    def _give(self, end: int) -> str:
        # Look again at what was passed on of late: a finding may begin in it.
        window = self._text[max(0, self._given - HOLD_BACK_CHARS) :]
        check(window, self._look)
        piece, self._given = self._text[self._given : end], end
        return piece
