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
from redaction.views.normalise import plain
from redaction.views.spelled import DIGIT_WORD

HOLD_BACK_CHARS: Final = 72
"""The longest IBAN has 33 characters, and 65 with a space between any two: nothing that has spaces is longer."""

_WORD = re.compile(r"\S+")
_SUSPECT = re.compile(r"[\d@]|[A-Z]{8}")
"""What a word has with which an identifier of several words begins: a digit or an ``@``, or it is a BIC."""

_SPELLED = re.compile(rf"(?:double|triple|treble|{DIGIT_WORD})(?:[,.-]|-{DIGIT_WORD}){{0,8}}", re.IGNORECASE)
_SPELLED_CHARS: Final = 256
"""How much of a row of spelled-out digits is held back: an IBAN, and two card numbers."""

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
    if found := look(draft):
        raise LeakFound([detection.type for detection in found])


@final
class StreamGuard:
    """The guard for a draft that arrives in pieces: lets out only what can no longer become a finding.

    A suspect word among the last 72 characters may be the start of an identifier, so text from there
    on waits, and so does a row of digits that are spelled out; otherwise only the last word does.
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
        words = list(_WORD.finditer(self._text, self._word_at(len(self._text) - HOLD_BACK_CHARS)))
        suspect = next((w.start() for w in words if _is_suspect(w[0])), None)
        if suspect is not None:
            return min(suspect, self._spelled_from())
        return min(words[-1].start(), self._spelled_from()) if words else len(self._text)

    def _spelled_from(self) -> int:
        """Where the row of spelled-out digits begins that the text ends with; the end if there is none."""
        tail = self._text[-_SPELLED_CHARS:]
        before = len(self._text) - len(tail)
        words = list(_WORD.finditer(tail))
        start = len(self._text)
        if words and words[-1].end() == len(tail):  # it may become one of them
            start = before + words.pop().start()
        for word in reversed(words):
            if not _SPELLED.fullmatch(word[0]):
                break
            start = before + word.start()
        return start

    def _give(self, end: int) -> str:
        # Look again at what was passed on of late: a finding may begin in it.
        check(self._text[self._word_at(self._given - HOLD_BACK_CHARS) :], self._look)
        piece, self._given = self._text[self._given : end], end
        return piece

    def _word_at(self, place: int) -> int:
        """The start of the word at ``place``, so that no part of a longer number is taken for a whole one."""
        place = max(0, place)
        return max(self._text.rfind(" ", 0, place), self._text.rfind("\n", 0, place)) + 1


def _is_suspect(word: str) -> bool:
    return bool(_SUSPECT.search(word) or (not word.isascii() and _SUSPECT.search(plain(word))))
