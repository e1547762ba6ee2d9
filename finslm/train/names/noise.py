"""What happens to text on its way: other case, lost accents and marks, bad scans, typing errors. Labels move along."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

from finslm.train.names.sample import Sample

_SCAN: Final = {
    "O": "0", "0": "O", "l": "1", "1": "l", "I": "l", "S": "5", "5": "S", "B": "8",
    "8": "B", "m": "rn", "e": "c", "c": "e",
    "a": "o", "h": "b",
    "u": "v", "t": "f", "g": "q", "i": "j", ",": ".", ".": ",", "Z": "2", "G": "6", "n": "ri", "d": "cl",
}  # fmt: skip
_QUOTES: Final = {"'": "’", '"': "”"}
_LINE: Final = (30, 45, 60, 76)


def rebuilt(sample: Sample, written: Sequence[str]) -> Sample:
    """Write ``written[i]`` in the place of character ``i``; spans keep what they held, without spaces at their ends."""
    ends = [0, *accumulate(map(len, written))]
    text = "".join(written)
    spans = []
    for start, end, type_ in sample.spans:
        first, last = ends[start], ends[end]
        while first < last and text[first].isspace():
            first += 1
        while last > first and text[last - 1].isspace():
            last -= 1
        if first < last:
            spans.append((first, last, type_))
    return Sample(text, tuple(spans))


def _each(change: Callable[[str], str]) -> Callable[[Sample, random.Random], Sample]:
    return lambda sample, _: rebuilt(sample, [change(char) for char in sample.text])


def unaccented(char: str) -> str:
    """The letter without its marks."""
    base = unicodedata.normalize("NFD", char)
    return "".join(c for c in base if not unicodedata.combining(c)) or char


def _some(share: float, change: Callable[[str, random.Random], str]) -> Callable[[Sample, random.Random], Sample]:
    """Change a share of the characters."""

    def noise(sample: Sample, rng: random.Random) -> Sample:
        return rebuilt(sample, [change(c, rng) if rng.random() < share else c for c in sample.text])

    return noise


def _typo(char: str, rng: random.Random) -> str:
    if not char.isalpha():
        return char
    return rng.choice(("", char * 2, rng.choice("aeinrst"), char.swapcase()))


def _wrapped(sample: Sample, rng: random.Random) -> Sample:
    width, at, written = rng.choice(_LINE), 0, list(sample.text)
    for place, char in enumerate(sample.text):
        at = 0 if char == "\n" else at + 1
        if char == " " and at >= width:
            written[place], at = "\n", 0
    return rebuilt(sample, written)


def _titled(sample: Sample, _: random.Random) -> Sample:
    """Each Word With A Capital."""
    before = " " + sample.text
    pairs = zip(before, sample.text, strict=False)
    return rebuilt(
        sample, [one(char, str.upper) if not last.isalnum() and last != "'" else char for last, char in pairs]
    )


def one(char: str, change: Callable[[str], str]) -> str:
    """Change a character where it stays one."""
    new = change(char)
    return new if len(new) == 1 else char


def _unmarked(sample: Sample, _: random.Random) -> Sample:
    """No full stops and commas where a word ends."""
    following = sample.text[1:] + " "
    pairs = zip(sample.text, following, strict=True)
    return rebuilt(sample, ["" if char in ".,!?;" and after.isspace() else char for char, after in pairs])


def _tokenised(sample: Sample, _: random.Random) -> Sample:
    """Marks stand alone, as in files of tokens."""
    following = sample.text[1:] + " "
    pairs = zip(sample.text, following, strict=True)
    inside = {
        at
        for start, end, type_ in sample.spans
        if type_ in ("OTHER_ID", "PHONE_NUMBER", "DATE_TIME")
        for at in range(start, end)
    }
    return rebuilt(
        sample,
        [
            f" {c}" if c in ",.!?;:)" and after.isspace() and at not in inside else c
            for at, (c, after) in enumerate(pairs)
        ],
    )


_KINDS: Final[tuple[tuple[int, Callable[[Sample, random.Random], Sample]], ...]] = (
    (22, _each(lambda c: one(c, str.lower))),
    (14, _each(lambda c: one(c, str.upper))),
    (4, _titled),
    (3, _some(0.08, lambda c, _: c.swapcase() if len(c.swapcase()) == 1 else c)),
    (10, _each(unaccented)),
    (8, _unmarked),
    (5, _tokenised),
    (8, _wrapped),
    (5, _each(lambda c: _QUOTES.get(c, c))),
    (6, _some(0.08, lambda c, _: "  " if c == " " else c)),
    (7, _some(0.03, lambda c, _: _SCAN.get(c, c))),
    (6, _some(0.015, _typo)),
    (2, _each(lambda c: "\n\n" if c == "\n" else c)),
    (2, _each(lambda c: " " if c == "\n" else c)),
)


def spoiled(sample: Sample, rng: random.Random, share: float = 0.22) -> Sample:
    """Spoil a share of the samples in one way, a few of them in two."""
    while rng.random() < share:
        kinds = [kind for _, kind in _KINDS]
        sample = rng.choices(kinds, [weight for weight, _ in _KINDS])[0](sample, rng)
        share = 0.15
    return sample
