"""Every recognizer in one detector: one pass finds out which of them have anything to do."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import final

from redaction.budget import remaining_s
from redaction.detection import Detection, Detector
from redaction.pattern_set import PatternSet
from redaction.recognizers.base import DIGIT_COUNTS, RECOGNIZERS, Family, Recognizer

_LONG = 2_000
"""In a longer text each recognizer looks at the clock; shorter ones take it no time, however many are in a batch."""


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
        by_trigger: defaultdict[str, list[Detector]] = defaultdict(list)
        for detector, trigger in _together(self.recognizers):
            by_trigger[trigger].append(detector)
        counted = {count: by_trigger.pop(digits) for digits, count in DIGIT_COUNTS.items() if digits in by_trigger}
        self._triggers = PatternSet(by_trigger)
        self._counts = dict(enumerate(counted, len(by_trigger)))
        self._behind = [*by_trigger.values(), *counted.values()]
        said = "\n".join(f"{r.name} {r.version}" for r in self.recognizers)
        self.version = hashlib.sha256(said.encode()).hexdigest()[:16]

    def detect(self, text: str) -> list[Detection]:
        """Find what the recognizers find.

        Raises:
            DetectionFailed: the time is up, or the triggers could not be looked for.
        """
        return self.detect_batch([text])[0]

    def detect_batch(self, texts: Sequence[str]) -> list[list[Detection]]:
        """Find what the recognizers find in each text: one after the other in all of them, which keeps caches warm.

        Raises:
            DetectionFailed: see :meth:`detect`.
        """
        triggered: list[list[int]] = [[] for _ in self._behind]
        for place, text in enumerate(texts):
            for number in self._triggers.matching(text):
                triggered[number].append(place)
            digits = sum(map(text.count, "0123456789"))
            for number, count in self._counts.items():
                if digits >= count:
                    triggered[number].append(place)
        found: list[list[Detection]] = [[] for _ in texts]
        for detectors, places in zip(self._behind, triggered, strict=True):
            for detector in detectors if places else ():
                remaining_s()
                for place in places:
                    text = texts[place]
                    if len(text) > _LONG:
                        remaining_s()
                    found[place] += detector.detect(text)
        return found


@final
class _Members:
    """The recognizers of one family; asked once, not one by one."""

    name = "family"
    version = ""  # its members have versions

    def __init__(self, family: Family, members: Sequence[Recognizer]) -> None:
        self._family, self._names = family, {member.name for member in members}

    def detect(self, text: str) -> list[Detection]:
        found = self._family.in_text(text)
        return [d for name in found if name in self._names for d in found[name]] if found else []


def _together(recognizers: Sequence[Recognizer]) -> Iterator[tuple[Detector, str]]:
    """Recognizers and triggers; those of one family as one, with the counted trigger that all of them stand behind."""
    families: defaultdict[Family, list[Recognizer]] = defaultdict(list)
    for recognizer in recognizers:
        if (family := getattr(recognizer, "family", None)) is None:
            yield recognizer, recognizer.trigger
        else:
            families[family].append(recognizer)
    for family, members in families.items():
        yield _Members(family, members), min((member.trigger for member in members), key=DIGIT_COUNTS.__getitem__)
