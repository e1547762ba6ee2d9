"""Labelled text out of templates: slots filled, sentences joined, casing and accents spoiled here and there."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from importlib import resources
from typing import Final

from finslm.train.names.pools import plain
from finslm.train.names.sample import Sample
from finslm.train.names.slots import Slots

_SLOT: Final = re.compile(r"\{(\w+)\}")
_ESCAPES: Final = (("\\n", "\n"), ("\\t", "\t"), ("{{", "\x01"), ("}}", "\x02"))

Spans = list[tuple[int, int, str]]


class Composer:
    """Makes samples from ``templates.txt``: one template a line, ``{slot}`` where something is filled in."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._rng: random.Random = slots.rng
        text = resources.files("finslm.train.names").joinpath("templates.txt").read_text("utf-8")
        self._templates = [_unescaped(line) for line in text.splitlines() if line.strip()]

    def sample(self) -> Sample:
        """One to five templates, joined."""
        text, spans = "", Spans()
        for place in range(self._rng.choices((1, 2, 3, 5), (60, 25, 10, 5))[0]):
            more, found = self._fill(self._rng.choice(self._templates))
            if place:
                text += self._rng.choice((" ", " ", "\n", "\n\n"))
            spans += [(start + len(text), end + len(text), type_) for start, end, type_ in found]
            text += more
        if self._rng.random() < 0.2:
            text, spans = self._sprinkle(text, spans)
        return Sample(self._spoil(text), tuple(spans))

    def swap(self, sample: Sample, share: float) -> Sample:
        """Put invented names in the place of a share of the names of a natural text."""
        slots = self._slots
        text, at, spans = "", 0, Spans()
        for start, end, type_ in sorted(sample.spans):
            if start < at:
                continue
            value = sample.text[start:end]
            if self._rng.random() < share:
                one = slots.person if " " in value else self._rng.choice((slots.first, slots.last))
                makers: dict[str, Callable[[], str]] = {
                    "PERSON": one,
                    "LOCATION": slots.place,
                    "ORGANIZATION": slots.firm,
                    "NRP": slots.nationality,
                }
                value = makers.get(type_, lambda same=value: same)()
            text += sample.text[at:start]
            spans.append((len(text), len(text) + len(value), type_))
            text, at = text + value, end
        return Sample(text + sample.text[at:], tuple(spans))

    def _fill(self, template: str) -> tuple[str, Spans]:
        text, at, spans = "", 0, Spans()
        for slot in _SLOT.finditer(template):
            type_, make = self._slots.kinds[slot[1]]
            text += template[at : slot.start()]
            value = make()
            if type_:
                spans.append((len(text), len(text) + len(value), type_))
            text, at = text + value, slot.end()
        return (text + template[at:]).replace("\x01", "{").replace("\x02", "}"), spans

    def _sprinkle(self, text: str, spans: Spans) -> tuple[str, Spans]:
        """A few ordinary words and numbers where no name is."""
        spaces = [m.start() for m in re.finditer(" ", text) if not any(a <= m.start() < b for a, b, _ in spans)]
        chosen = self._rng.sample(spaces, min(len(spaces), self._rng.choice((1, 1, 2, 3))))
        for at in sorted(chosen, reverse=True):
            word = " " + (self._slots.word() if self._rng.random() < 0.8 else self._slots.number(1, 99))
            text = text[:at] + word + text[at:]
            spans = [(a + len(word) * (a >= at), b + len(word) * (b > at), type_) for a, b, type_ in spans]
        return text, spans

    def _spoil(self, text: str) -> str:
        """Sometimes other case, no accents, no marks; the length stays."""
        kinds: list[Callable[[str], str]] = [
            str,
            lambda whole: _each(str.lower, whole),
            lambda whole: _each(str.upper, whole),
            plain,
            lambda whole: whole.replace(".", " ").replace(",", " "),
        ]
        return self._rng.choices(kinds, (86, 5, 3, 4, 2))[0](text)


def _each(change: Callable[[str], str], text: str) -> str:
    """Change each character where one character stays one."""
    return "".join(new if len(new := change(char)) == 1 else char for char in text)


def _unescaped(line: str) -> str:
    for written, meant in _ESCAPES:
        line = line.replace(written, meant)
    return line
