"""From tokens to text, piece by piece: no half characters, no stop strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_BROKEN = "\ufffd"


class Detokenizer:
    """Turns a growing list of tokens into text that never has to be taken back.

    A token can end inside a UTF-8 character; that character is kept until it is whole.

    Args:
        decode: ids to text, incomplete characters as U+FFFD.
        context: tokens right before the answer: some tokenizers decode a token by what is before it.
    """

    def __init__(self, decode: Callable[[list[int]], str], context: Sequence[int] = ()) -> None:
        self._decode = decode
        self._window = list(context)
        """Tokens still needed: one finished stretch as context, then what is not finished."""
        self._context_tokens = len(self._window)
        self._emitted = len(decode(self._window)) if self._window else 0

    def feed(self, token: int) -> str:
        """Text that became certain with this token; may be empty."""
        self._window.append(token)
        text = self._decode(self._window)
        whole = not text.endswith(_BROKEN)
        certain = text if whole else text[:-1]  # only the last character can still be incomplete
        piece, self._emitted = certain[self._emitted :], max(self._emitted, len(certain))
        if whole:
            del self._window[: self._context_tokens]
            self._context_tokens = len(self._window)
            self._emitted = len(self._decode(self._window))
        return piece


class StopStrings:
    """Cuts an answer before the first stop string and never lets the beginning of one out early."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """Take more text; return what is safe to send, and whether a stop string was met."""
        text = self._held + text
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self._held = ""
            return text[: min(found)], True
        keep = self._possible_start(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def flush(self) -> str:
        """What was held back and turned out to be no stop string."""
        held, self._held = self._held, ""
        return held

    def _possible_start(self, text: str) -> int:
        """Length of the longest end of ``text`` that begins some stop string."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for size in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0
