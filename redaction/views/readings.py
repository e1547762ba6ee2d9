"""Which readings a text has: one pass of RE2 over it says what there is to decode, mostly nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from redaction.pattern_set import PatternSet
from redaction.views.confusables import confusables
from redaction.views.decode import DECODERS, tags
from redaction.views.grouped import SIGN as GROUPED
from redaction.views.grouped import regrouped
from redaction.views.normalise import normalise
from redaction.views.spelled import DIGIT_WORD, addresses, digits
from redaction.views.unspaced import SIGN as UNSPACED
from redaction.views.unspaced import spaced
from redaction.views.view import Edit, View, windows

DEPTH: Final = 2
"""How many wrappings are taken off."""

_AROUND: Final = 80
"""How much of the text around a decoded piece is shown with it, code points: words that say what it is."""

_PLAIN, _DECODE, _TAGS, _DIGITS, _ADDRESSES, _GROUPS, _UNSPACED = range(7)
_SIGNS: Final = {
    _PLAIN: r"&[#a-zA-Z]|[\x00-\x08\x0e-\x1f\x7f]",
    _DECODE: (
        r"%[0-9A-Fa-f]{2}|\\[uUx0-3nrt\"/]|=3D|=20|=\r?\n|(?:=[0-9A-F]{2}){2}|=\?[\w-]{2,20}\?[qQ]\?"
        r"|[A-Za-z0-9+/_-]{16}|[A-Za-z0-9+/_-]{10}=|[0-9A-Fa-f]{12}|(?:[0-9A-Fa-f]{2}[ :,-]){7}"
    ),
    _TAGS: r"[\w@.-] ?<[/!a-zA-Z]",
    _DIGITS: (
        rf"(?i)\b(?:{DIGIT_WORD}|\d)(?:[\s,.-]{{1,3}}|\s\w+\s)(?:(?:double|triple|treble)[\s-]{{1,2}})?{DIGIT_WORD}\b"
        rf"|\b{DIGIT_WORD}[\s,.-]{{1,3}}\d\b"
    ),
    _ADDRESSES: r"(?i)\[\.\]|\(\.\)|hxxp| @|@[ \n]|_at_|[\[({<]\s?(?:at|dot)\s?[\])}>]|\s(?:at|dot)\s.{0,300}\sdot\s",
    _GROUPS: GROUPED,
    _UNSPACED: UNSPACED,
}


_SET: Final = PatternSet(_SIGNS.values())


def views_of(text: str) -> list[View]:
    """Return the readings of a text; the first one is the main view, all of the text in plain characters.

    The others show decoded pieces and what is near them. There are few: one per kind of wrapping and
    place, and what they show together is at most some times as long as the text.

    Raises:
        DetectionFailed: the signs of an encoding could not be looked for.
    """
    if text.isascii():
        signs = _signs(text)
        if not signs:
            return [View(text)]
        main = normalise(text) if _PLAIN in signs else View(text)
    else:
        main, signs = normalise(text), frozenset((_PLAIN,))
    if _PLAIN in signs:
        signs = _signs(main.text)
    return [main, *windows(main, apart(confusables(main.text)), _AROUND), *_further(main, signs, DEPTH)]


def _signs(text: str) -> frozenset[int]:
    return frozenset(_SET.matching(text))


def _further(view: View, signs: frozenset[int], depth: int) -> Iterator[View]:
    """The readings of a view without one wrapping, then without two."""
    text = view.text
    plans: list[tuple[int, Callable[[], Iterable[Edit]]]] = [
        (_DECODE, lambda: (edit for decoder in DECODERS for edit in decoder(text))),
        (_TAGS, lambda: tags(text)),
        (_DIGITS, lambda: digits(text)),
        (_ADDRESSES, lambda: addresses(text)),
        (_GROUPS, lambda: regrouped(text)),
        (_UNSPACED, lambda: spaced(text)),
    ]
    for sign, plan in plans:
        if sign not in signs:
            continue
        for found in windows(view, apart(plan()), _AROUND):
            yield found
            if depth > 1:
                yield from windows(found, apart(confusables(found.text)), _AROUND)
                yield from _further(found, _signs(found.text), depth - 1)


def apart(edits: Iterable[Edit]) -> list[Edit]:
    """Return them sorted, and where two overlap, the one that begins first, of these the one that came first."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: edit[0]):
        if not kept or edit[0] >= kept[-1][1]:
            kept.append(edit)
    return kept
