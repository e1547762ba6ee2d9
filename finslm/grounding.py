"""Which facts of an answer its text does not have: figures, dates, names, addresses. A rule, not a judgement.

A summary must add nothing. What can be checked word by word is: a number, whatever its thousands are parted with; a
capitalised word that does not begin a sentence; an address of mail or web; a placeholder. What a sentence claims beyond
that (who did what) is not checked, so nothing found is no proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, final

from finslm.types import Fact
from redaction.operators import PLACEHOLDER

NUMBER, NAME, ADDRESS, REPLACED = "NUMBER", "NAME", "ADDRESS", "PLACEHOLDER"

_ADDRESS: Final = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|(?:https?://|\bwww\.)[\w./%?=&#~:-]{0,512}\w"
)
_NUMBER: Final = re.compile(r"\d+(?:[.,/:’'-]\d+)*")
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}(?:([,.’'])\d{3})(?:\1\d{3})*")
_WORD: Final = re.compile(r"[^\W\d_]+(?:[’'-][^\W\d_]+)*")
_NUMERALS: Final = {word: str(number) for number, word in enumerate((
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
))}  # fmt: skip
_NEVER_CHECKED: Final = frozenset({"one", "zero"})
"""Words that are seldom meant as numbers."""
_NO_NAMES: Final = frozenset({
    "a", "after", "all", "although", "an", "and", "any", "as", "at", "because", "before", "both", "but", "by",
    "despite", "during", "each", "for", "from", "he", "her", "his", "however", "i", "if", "in", "it", "its", "my", "no",
    "not", "on", "or", "our", "she", "since", "that", "the", "their", "then", "there", "these", "they", "this", "those",
    "to", "we", "when", "while", "with", "you", "your", "adviser", "advisor", "agent", "bank", "branch", "caller",
    "client", "company", "complainant", "complaint", "customer",
})  # fmt: skip
"""Function words, and words for those who talk, which may be written with a capital."""
_GAP: Final = 8
"""Spaces between two words of a sentence, at most."""
_SENTENCE_ENDS: Final = frozenset('.!?:;\n•*"“(')


def unsupported(text: str, answer: str) -> list[Fact]:
    """The facts of an answer that its text does not have, in order.

    Args:
        text: what the answer was made of.
        answer: text written by a model.
    """
    known = _Known(text)
    return [fact for fact in facts(answer) if not known.has(answer[fact.start : fact.end], fact.kind)]


def covered(answer: str, reference: str) -> tuple[int, int]:
    """How many of a reference's facts an answer has, and how many there are."""
    known, wanted = _Known(answer), list(facts(reference))
    return sum(known.has(reference[fact.start : fact.end], fact.kind) for fact in wanted), len(wanted)


def facts(text: str) -> Iterator[Fact]:
    """The facts of a text, in order and without overlap."""
    at = 0
    for start, end, kind in sorted(_marked(text)):
        if start >= at:
            yield Fact(start, end, kind)
            at = end


def _marked(text: str) -> Iterator[tuple[int, int, str]]:
    yield from ((*match.span(), REPLACED) for match in PLACEHOLDER.finditer(text))
    yield from ((*match.span(), ADDRESS) for match in _ADDRESS.finditer(text))
    yield from ((*match.span(), NUMBER) for match in _NUMBER.finditer(text))
    words = list(_WORD.finditer(text))
    for number, word in enumerate(words):
        said = word[0].casefold()
        if said in _NUMERALS and said not in _NEVER_CHECKED:
            yield *word.span(), NUMBER
        elif word[0][0].isupper() and said not in _NO_NAMES and _is_name(text, words, number):
            yield *word.span(), NAME


def _is_name(text: str, words: list[re.Match[str]], number: int) -> bool:
    """A capital in the middle of a sentence, or at its beginning where another follows."""
    word = words[number]
    before = text[max(0, word.start() - _GAP) : word.start()].rstrip(" \t")[-1:]
    if before and before not in _SENTENCE_ENDS:
        return True
    follows = words[number + 1] if number + 1 < len(words) else None
    return follows is not None and follows[0][0].isupper() and text[word.end() : follows.start()] == " "


@final
class _Known:
    """What a text has, by kind, spelled alike."""

    def __init__(self, text: str) -> None:
        self._words = {match[0].casefold() for match in _WORD.finditer(text)}
        self._words |= {word.removesuffix("'s").removesuffix("’s") for word in self._words}
        self._words |= {part for word in self._words for part in word.split("-")}
        self._text = text
        self._folded = text.casefold()
        self._numbers = {_NUMERALS[word] for word in self._words & _NUMERALS.keys()}
        for match in _NUMBER.finditer(text):
            self._numbers |= _readings(match[0])
            if text[match.end() : match.end() + 1] in ("k", "K"):
                self._numbers |= {f"{reading}000" for reading in _readings(match[0])}

    def has(self, piece: str, kind: str) -> bool:
        if kind == NUMBER:
            said = _NUMERALS.get(piece.casefold())
            return (said is not None and said in self._numbers) or not _readings(piece).isdisjoint(self._numbers)
        if kind == NAME:
            word = piece.casefold()
            return bool({word, word.removesuffix("'s").removesuffix("’s")} & self._words)
        return piece.casefold() in self._folded


def _readings(number: str) -> set[str]:
    """A number as it is, and without the marks between its thousands and cents of zero."""
    whole = number
    for cents in re.finditer(r"^(.+)[.,](\d\d)$", number):
        head = "".join(filter(str.isdigit, cents[1]))
        return {number, f"{head}.{cents[2]}", *([head] if cents[2] == "00" else [])}
    if _THOUSANDS.fullmatch(whole):
        return {number, "".join(filter(str.isdigit, whole))}
    return {number, number.lstrip("0") or "0"}
