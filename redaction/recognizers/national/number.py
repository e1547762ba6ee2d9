"""Recognizers of the numbers that states give: each is declared in a few lines, all are found in one walk.

A number that fits by chance, as one of ten with a check digit does, is not reported where nothing announces
it: the walk over a statement full of numbers would do little else than find these.
"""

from __future__ import annotations

from redaction.detection import Detection
from redaction.recognizers.base import DIGITS_3, DIGITS_6, RECOGNIZERS
from redaction.recognizers.national.kind import Kind
from redaction.recognizers.national.search import SEARCH

_SIX = 6


class StateNumber:
    """A recognizer of one kind of number; :func:`declare` makes its subclasses."""

    name: str
    types: tuple[str, ...]
    trigger: str
    version = "2"
    family = SEARCH
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]

    def detect(self, text: str) -> list[Detection]:
        """Find numbers of the kind.

        Raises:
            DetectionFailed: the pass over the announcing words failed.
        """
        return list(SEARCH.in_text(text).get(self.name, ()))


def declare(kind: Kind, *, examples: tuple[str, ...], counter_examples: tuple[str, ...], name: str = "") -> None:
    """Register a recognizer for a kind of number.

    Args:
        kind: what is known of it.
        examples: texts with what must be found between ``⟦`` and ``⟧``.
        counter_examples: texts in which nothing is found.
        name: of the recognizer; the type in lower case when empty.

    Raises:
        ValueError: the name is taken.
    """
    called = name or kind.type.lower()
    declared: type[StateNumber] = type(called, (StateNumber,), {"__doc__": f"{kind.type}; see its declaration."})
    declared.name = called
    declared.types = (kind.type,)
    declared.trigger = DIGITS_6 if kind.fewest_digits >= _SIX else DIGITS_3
    declared.examples, declared.counter_examples = examples, counter_examples
    RECOGNIZERS.register(called)(declared)
    SEARCH.add(called, kind)
