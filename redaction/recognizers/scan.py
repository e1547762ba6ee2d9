"""Every recognizer in one detector: one pass finds out which of them have anything to do."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Any, final

import re2

from redaction.budget import remaining_s
from redaction.detection import Detection
from redaction.errors import DetectionFailed
from redaction.recognizers.base import DIGIT_COUNTS, RECOGNIZERS, Recognizer

_MAX_MEMORY_BYTES = 64 << 20
"""For the automaton of all triggers together."""


@final
class Recognizers:
    """Runs each recognizer whose trigger matches: RE2 looks for all of them at once, digits are counted.

    Args:
        recognizers: every registered one when None.
    """

    name = "recognizers"

    def __init__(self, recognizers: Sequence[Recognizer] | None = None) -> None:
        chosen = [RECOGNIZERS.get(name)() for name in RECOGNIZERS.names()] if recognizers is None else recognizers
        self.recognizers = tuple(chosen)
        by_trigger: defaultdict[str, list[Recognizer]] = defaultdict(list)
        for recognizer in self.recognizers:
            by_trigger[recognizer.trigger].append(recognizer)
        options = re2.Options()
        options.max_mem = _MAX_MEMORY_BYTES
        options.log_errors = False
        self._triggers: Any = re2.Set.SearchSet(options)
        self._triggers.Add("")  # matches always: an answer without it is no answer
        self._counted = [(DIGIT_COUNTS[trigger], by_trigger.pop(trigger, [])) for trigger in DIGIT_COUNTS]
        for trigger in by_trigger:
            self._triggers.Add(trigger)
        self._triggers.Compile()
        self._behind = [[], *by_trigger.values()]
        said = "\n".join(f"{r.name} {r.version}" for r in self.recognizers)
        self.version = hashlib.sha256(said.encode()).hexdigest()[:16]

    def detect(self, text: str) -> list[Detection]:
        """Find what the recognizers find.

        Raises:
            DetectionFailed: the time is up, or the triggers could not be looked for.
        """
        matched = self._triggers.Match(text)
        if not matched:
            raise DetectionFailed("the pass over the triggers failed; the text was not looked at")
        digits = sum(map(text.count, "0123456789"))
        triggered = [self._behind[number] for number in matched]
        triggered += [group for count, group in self._counted if digits >= count]
        found: list[Detection] = []
        for recognizer in chain.from_iterable(triggered):
            remaining_s()
            found += recognizer.detect(text)
        return found
