"""The guard on an answer: what should not come out of a model is refused, masked or flagged before values go back in.

The model reads placeholders only, so a card number in its draft was remembered from training or made up, and a
value of the request that stands in it went around them. What the caller sent comes back through restore, after
the guard.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

from redaction.detection import Detection
from redaction.leaks import Fingerprints
from redaction.operators import PLACEHOLDER
from redaction.policy.answer import Answer, AnswerAction
from redaction.views.normalise import plain
from redaction.views.unwrapped import SPOKEN

HOLD_BACK_CHARS: Final = 72
"""The longest IBAN has 33 characters, and 65 with a space between any two: nothing that has spaces is longer."""

STEP_CHARS: Final = 64
"""So much of a draft is looked at together, at most: a line."""
_FIRST_STEPS: Final = 4
"""At first it is a quarter of the draft, so that the first words go out at once."""

MARK: Final = "[withheld]"
"""Stands in the place of what is masked; it is no placeholder."""

_SPACE = re.compile(r"\s")
_WORD = re.compile(r"\S+")
_SUSPECT = re.compile(r"[\d@]|[A-Z]{8}")
"""What a word has with which an identifier of several words begins: a digit or an ``@``, or it is a BIC."""

_ROW = re.compile(rf"(?:{SPOKEN})(?:[,.-]|-(?:{SPOKEN})){{0,8}}|\S{{1,2}}|\S*[%&\\=\d@]\S*", re.IGNORECASE)
"""Words of which many in a row may be one value: read out, letter by letter, or in an encoding."""
_ROW_CHARS: Final = 256
"""How much of such a row is held back: an IBAN spelled out, and two card numbers."""

Look = Callable[[str], Sequence[Detection]]
Pending = Callable[[str], int]


class LeakFound(Exception):
    """The draft holds personal data of these types; the message never says which characters."""

    def __init__(self, types: Sequence[str]) -> None:
        super().__init__(f"the answer holds {', '.join(sorted(set(types)))}")
        self.types = tuple(sorted(set(types)))


@final
@dataclass(frozen=True, slots=True)
class Watch:
    """One thing that a draft is looked at for.

    Args:
        kind: short name, for the report.
        look: says what stands in a piece of a draft; offsets are those of the piece.
        action: what is done with it.
        pending: given the end of a draft, says from which place on a finding may still grow; None: the guard's own
            hold-back is enough.
    """

    kind: str
    look: Look
    action: AnswerAction = AnswerAction.REFUSE
    pending: Pending | None = None


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one kind and type, for a record; no text."""

    kind: str
    type: str
    action: AnswerAction
    count: int


def watches(
    answer: Answer, look: Look, fingerprints: Fingerprints, prompts: Fingerprints | None = None
) -> tuple[Watch, ...]:
    """Return what a policy wants a draft looked at for.

    Args:
        answer: of the policy.
        look: finds what is proven: the second look of a redactor.
        fingerprints: of the values of the request, without what the model was shown.
        prompts: of the program's prompts and canaries.
    """
    watched = [
        Watch("found", look, answer.found),
        Watch("leaks", fingerprints.find, answer.leaks, fingerprints.pending),
    ]
    if prompts is not None:
        watched.append(Watch("echoes", prompts.find, answer.echoes, prompts.pending))
    if answer.forbid:
        watched.append(Watch("forbidden", forbidden(answer.forbid), answer.forbidden))
    return tuple(watched)


def forbidden(types: Sequence[str]) -> Look:
    """Return a look that finds the placeholders of some types."""
    starts = tuple(f"<{type_}_" for type_ in types)

    def look(draft: str) -> list[Detection]:
        return [
            Detection(*match.span(), type_, 1.0, "forbidden", validated=True)
            for match in PLACEHOLDER.finditer(draft)
            for type_, start in zip(types, starts, strict=True)
            if match[0].startswith(start) and match[0][len(start)].isdigit()
        ]

    return look


def check(draft: str, look: Look) -> None:
    """Look at a whole draft.

    Raises:
        LeakFound: there is something.
    """
    if found := look(draft):
        raise LeakFound([detection.type for detection in found])


def screen(draft: str, watched: Sequence[Watch]) -> tuple[str, tuple[Finding, ...]]:
    """Return a whole draft with what is to be masked masked, and what was found.

    Raises:
        LeakFound: something in it is to be refused.
    """
    guard = StreamGuard(watched)
    text = guard.feed(draft) + guard.close()
    return text, guard.report


@final
class StreamGuard:
    """The guard for a draft that arrives in pieces: lets out only what can no longer become a finding.

    A suspect word among the last 72 characters may be the start of an identifier, so text from there
    on waits; so does a row of words or signs that may be read out or encoded (256 characters), and what begins
    like a value of the request, until it can be one no longer (128 letters and digits). Otherwise the last line
    (64 characters) waits at most, less at the beginning. A finding longer than these bounds is still stopped, where it
    is seen.

    Args:
        watched: what is looked for and what is done with it; a single look refuses.
        tell: hears of each finding, when it is decided on.
    """

    def __init__(self, watched: Look | Sequence[Watch], tell: Callable[[Finding], None] | None = None) -> None:
        self._watched = (Watch("found", watched),) if callable(watched) else tuple(watched)
        self._tell = tell or (lambda _: None)
        self._text = ""
        self._given = self._next_look = 0
        self._counts: Counter[tuple[str, str, AnswerAction]] = Counter()

    @property
    def report(self) -> tuple[Finding, ...]:
        """What was found so far, what is refused too."""
        return tuple(Finding(*key, count) for key, count in sorted(self._counts.items()))

    def feed(self, chunk: str) -> str:
        """Take a piece of the draft; return what is safe to pass on now.

        Raises:
            LeakFound: something is to be refused, no digit of which has been passed on.
        """
        self._text += chunk
        # The last word waits anyway, and a look at every word would cost more than the words.
        if not _SPACE.search(chunk) or len(self._text) < self._next_look:
            return ""
        self._next_look = len(self._text) + min(STEP_CHARS, len(self._text) // _FIRST_STEPS)
        end = self._safe_end()
        return self._give(end) if end > self._given else ""

    def close(self) -> str:
        """End of the draft; return the rest.

        Raises:
            LeakFound: see :meth:`feed`.
        """
        return self._give(len(self._text))

    def _safe_end(self) -> int:
        text = self._text
        words = list(_WORD.finditer(text, self._word_at(len(text) - HOLD_BACK_CHARS)))
        suspect = next((w.start() for w in words if _is_suspect(w[0])), None)
        last = suspect if suspect is not None else words[-1].start() if words else len(text)
        start = self._word_at(len(text) - _ROW_CHARS)
        pending = (watch.pending(text[start:]) + start for watch in self._watched if watch.pending is not None)
        return min(last, self._row_from(), *pending)

    def _row_from(self) -> int:
        """Where the row of words that may be one value begins that the text ends with; the end if there is none."""
        tail = self._text[-_ROW_CHARS:]
        before = len(self._text) - len(tail)
        words = list(_WORD.finditer(tail))
        start = len(self._text)
        if words and words[-1].end() == len(tail):  # it may become one of them
            start = before + words.pop().start()
        for word in reversed(words):
            if not _ROW.fullmatch(word[0]):
                break
            start = before + word.start()
        return start

    def _give(self, end: int) -> str:
        # Look again at what was passed on of late: a finding may begin in it.
        window = self._word_at(self._given - HOLD_BACK_CHARS)
        found = self._found(window)
        spans = [(d.start, d.end) for watch, d in found if watch.action is not AnswerAction.FLAG]
        for start, stop in sorted(spans, reverse=True):  # none is cut in two
            if start < end < stop:
                end = max(start, self._given)
        final = [(watch, d) for watch, d in found if d.end <= end]
        counts = Counter((watch.kind, d.type, watch.action) for watch, d in final)
        self._counts += counts
        for key, count in counts.items():
            self._tell(Finding(*key, count))
        if refused := [d.type for watch, d in final if watch.action is AnswerAction.REFUSE]:
            raise LeakFound(refused)
        masked = [(d.start, d.end) for watch, d in final if watch.action is AnswerAction.MASK]
        piece, self._given = self._masked(masked, end), end
        return piece

    def _found(self, window: int) -> list[tuple[Watch, Detection]]:
        """What is not yet passed on, with offsets of the whole draft."""
        text = self._text[window:]
        return [
            (watch, d.at(d.start + window, d.end + window))
            for watch in self._watched
            for d in watch.look(text)
            if d.end + window > self._given
        ]

    def _masked(self, spans: Sequence[tuple[int, int]], end: int) -> str:
        pieces: list[str] = []
        at = self._given
        reached = -1
        for start, stop in sorted(spans):
            if start >= reached:  # those that overlap have one mark
                pieces += [self._text[at:start], MARK]
            at = reached = max(stop, reached)
        return "".join([*pieces, self._text[at:end]])

    def _word_at(self, place: int) -> int:
        """The start of the word at ``place``, so that no part of a longer number is taken for a whole one."""
        place = max(0, place)
        return max(self._text.rfind(" ", 0, place), self._text.rfind("\n", 0, place)) + 1


def _is_suspect(word: str) -> bool:
    return bool(_SUSPECT.search(word) or (not word.isascii() and _SUSPECT.search(plain(word))))
