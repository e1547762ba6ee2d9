"""Finds values of a request in a model's draft, however they are dressed up, without holding one of them.

Of each value only keyed hashes of its letters and digits are kept, 64 bits each: of the whole, backwards, in
ROT13, of a person's name in other orders, and of each run of six, seven and eight digits of a number. A draft is
read in every way it may be wrapped (:mod:`redaction.views.unwrapped`), and its windows are hashed alike. A rolling
hash with a secret table says, for all places at once, where a window is worth hashing.
"""

from __future__ import annotations

import codecs
import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from redaction.backstop import is_everyday
from redaction.detection import WORDED, Detection
from redaction.operators import PLACEHOLDER
from redaction.policy.entries import LITERAL
from redaction.views.canonical import Canonical, canonical
from redaction.views.normalise import normalise
from redaction.views.unwrapped import unwrapped
from redaction.views.view import View

SOURCE: Final = "leaks"

PROMPT: Final = "SYSTEM_PROMPT"
CANARY: Final = "CANARY"
"""Types of what is said of the program's own texts."""

LONGEST: Final = 128
"""Of a longer value its first so many letters and digits are looked for."""

LEAST_DIGITS: Final = 6
"""A run of a number's digits counts from so many on."""

_LEAST_NAME: Final = 5
"""Letters of a name or of its family name alone."""
_LEAST_SHORT: Final = 4
"""Letters of a name of several words."""
_SURE: Final = 8
"""A run of so many digits, or letters with a digit among them, counts in the middle of others too."""
_SURE_LETTERS: Final = 10
_ECHO: Final = 32
"""Letters and digits of a protected text that are looked for; each _STEP begins another such window."""
_STEP: Final = 8
_GAP: Final = 12
"""Other characters that may stand between two of a value."""

_UNSAID: Final = frozenset({"AGE", "NRP", LITERAL})
"""What these say is said by others too; a lookalike of a placeholder is nobody's data."""
_WHOLE_ONLY: Final = WORDED | {"IP_ADDRESS", "MAC_ADDRESS", "URL", "EMAIL_ADDRESS", "COORDINATES", "DATE_OF_BIRTH"}
"""Types of which a part is no secret, or is like what stands everywhere."""

_MASK: Final = "~"
_BASE: Final = 0x9E3779B1
_BITS: Final = 16


_COUNTED: Final = frozenset(
    row[at : at + length]
    for row in ("0123456789" * 2, "9876543210" * 2)
    for length in (6, 7, 8, 9, 10)
    for at in range(10)
)


class _Form(IntEnum):
    """Where a fingerprint's window may stand."""

    CODE = 1
    """Anywhere, when it is long; else not in the middle of a longer one."""
    NAME = 2
    """Between words."""
    PART = 3
    """A family name: between words, not in lower case."""
    DIGITS = 4
    """Six or seven digits in one run, or each apart; eight and more anywhere."""
    ECHO = 5
    """Anywhere."""


class _Known(NamedTuple):
    type: str
    form: _Form


@final
class Fingerprints:
    """What must not stand in a draft. Its ``repr`` shows numbers only; it is safe to share among threads.

    Args:
        values: (type, value) of what was replaced in a request.
        prompts: texts of the program that must not be repeated, such as a system prompt: forty letters and digits
            of one in a row are found.
        canaries: secret words put there to be found.
    """

    def __init__(
        self, values: Iterable[tuple[str, str]] = (), prompts: Sequence[str] = (), canaries: Sequence[str] = ()
    ) -> None:
        self._key = secrets.token_bytes(32)
        self._table = np.frombuffer(secrets.token_bytes(4 * 256), np.uint32)
        self._known: dict[bytes, _Known] = {}
        self._count = 0
        forms: dict[tuple[str, _Form], str] = {}
        for type_, value in dict.fromkeys(values):
            if type_ not in _UNSAID and not PLACEHOLDER.fullmatch(value):
                self._count += 1
                forms.update((form, type_) for form in _forms(type_, value) if form not in forms)
        for canary in canaries:
            forms.update((form, CANARY) for form in _forms(CANARY, canary))
        for prompt in prompts:
            forms.update((form, PROMPT) for form in _echoes(_canonical_of(prompt)))
        self._add(forms)

    def __repr__(self) -> str:
        return f"<Fingerprints of {self._count} values, {len(self._known)} hashes>"

    def without(self, shown: str) -> Fingerprints:
        """Return them without what stands in ``shown``: the model was told it, so that it says it proves nothing.

        Args:
            shown: the redacted prompt.
        """
        copy = object.__new__(Fingerprints)
        copy._key, copy._table, copy._starts, copy._count = self._key, self._table, self._starts, self._count
        there = {hit.digest for view in _views(shown) for hit in self._hits(canonical(view.text), view.text)}
        copy._known = {digest: known for digest, known in self._known.items() if digest not in there}
        return copy

    def find(self, draft: str) -> list[Detection]:
        """Return where something of them stands, sorted; findings of one type do not overlap.

        Args:
            draft: text of a model; what looks like a placeholder is never a finding.

        Raises:
            DetectionFailed: the signs of an encoding could not be looked for.
        """
        if not self._known:
            return []
        spans: dict[str, list[tuple[int, int]]] = {}
        for view in _views(draft):
            stream = canonical(view.text)
            for hit in self._hits(stream, view.text):
                span = view.span(hit.start, hit.end)
                spans.setdefault(self._known[hit.digest].type, []).append(span)
        found = [
            Detection(*span, type_, 1.0, SOURCE, validated=True) for type_, of in spans.items() for span in _united(of)
        ]
        return _outermost(found)

    def pending(self, tail: str) -> int:
        """Return from where on a text may be the beginning of a finding, were there more of it.

        Args:
            tail: the end of a draft.
        """
        view = _plain(tail)
        stream = canonical(view.text)
        n = len(stream.chars)
        first = n
        for width, starts in self._starts.items():
            first = min(first, max(0, n - width + 1))
            for at, lengths in starts.of(stream.codes, self._table):
                if at + max(lengths) >= n:  # also when it is complete: what stands behind it counts
                    first = min(first, at)
                    break
        return len(tail) if first >= n else view.span(int(stream.places[first]), int(stream.places[first]) + 1)[0]

    def _add(self, forms: Mapping[tuple[str, _Form], str]) -> None:
        of_width: dict[int, list[str]] = {}
        for (window, form), type_ in forms.items():
            of_width.setdefault(_width(len(window)), []).append(window)
            self._known.setdefault(self._digest(window), _Known(type_, form))
        self._starts = {width: _Starts(width, windows, self._table) for width, windows in of_width.items()}

    def _digest(self, window: str) -> bytes:
        return hashlib.blake2b(window.encode(), key=self._key, digest_size=8).digest()

    def _hits(self, stream: Canonical, text: str) -> Iterator[_Hit]:
        for starts in self._starts.values():
            for at, lengths in starts.of(stream.codes, self._table):
                for length in lengths:
                    if at + length > len(stream.chars):
                        continue
                    digest = self._digest(stream.chars[at : at + length])
                    known = self._known.get(digest)
                    if known is not None and _fits(known.form, stream, text, at, at + length):
                        places = stream.places
                        yield _Hit(int(places[at]), int(places[at + length - 1]) + 1, digest)


class _Hit(NamedTuple):
    start: int
    end: int
    digest: bytes


@final
class _Starts:
    """How windows begin: rolling hashes of their first characters, and the lengths that go on from each."""

    def __init__(self, width: int, windows: Sequence[str], table: NDArray[np.uint32]) -> None:
        self._width = width
        self._lengths: dict[int, tuple[int, ...]] = {}
        self._maybe = np.zeros(1 << _BITS, bool)
        codes = np.frombuffer("".join(window[:width] for window in windows).encode("utf-32-le"), np.uint32)
        for start, window in zip(self._rolled(codes, table)[::width].tolist(), windows, strict=True):
            self._maybe[start >> (32 - _BITS)] = True
            if len(window) not in (lengths := self._lengths.get(start, ())):
                self._lengths[start] = (*lengths, len(window))

    def of(self, codes: NDArray[np.uint32], table: NDArray[np.uint32]) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the places of a text where a window may begin, and the lengths it may have."""
        if len(codes) < self._width:
            return
        rolled = self._rolled(codes, table)
        for at in np.flatnonzero(self._maybe[rolled >> np.uint32(32 - _BITS)]):
            lengths = self._lengths.get(int(rolled[at]))
            if lengths is not None:
                yield int(at), lengths

    def _rolled(self, codes: NDArray[np.uint32], table: NDArray[np.uint32]) -> NDArray[np.uint32]:
        keyed = table[codes & np.uint32(0xFF)]
        count = len(codes) - self._width + 1
        rolled: NDArray[np.uint32] = keyed[:count].copy()
        for place in range(1, self._width):
            rolled *= np.uint32(_BASE)
            rolled += keyed[place : place + count]
        rolled ^= rolled >> np.uint32(15)
        rolled *= np.uint32(_BASE)
        return rolled


def _width(length: int) -> int:
    """Characters of a window that its start is told by."""
    return 12 if length >= _ECHO else 6 if length >= LEAST_DIGITS else _LEAST_SHORT


def _views(text: str) -> list[View]:
    return unwrapped(PLACEHOLDER.sub(lambda match: _MASK * len(match[0]), text))


def _plain(text: str) -> View:
    return normalise(PLACEHOLDER.sub(lambda match: _MASK * len(match[0]), text))


def _canonical_of(text: str) -> str:
    return canonical(normalise(text).text).chars


def _forms(type_: str, value: str) -> list[tuple[str, _Form]]:
    """The letters and digits of a value as they may come back, and how each may stand."""
    forms: list[tuple[str, _Form]] = []
    for cased in dict.fromkeys((value, value.lower(), value.upper())):
        chars = _canonical_of(cased)[:LONGEST]
        if any(map(str.isdigit, chars)):
            if len(chars) >= LEAST_DIGITS and not _is_trivial(chars):
                forms += [(form, _Form.CODE) for form in (chars, chars[::-1], codecs.encode(chars, "rot13"))]
        else:
            forms += _names(type_, cased)
    if type_ not in _WHOLE_ONLY:
        digits = re.sub(r"\D", "", _canonical_of(value)[:LONGEST])
        forms += [(run, _Form.DIGITS) for run in _runs(digits)]
    return [*dict.fromkeys(forms)]


def _echoes(chars: str) -> Iterator[tuple[str, _Form]]:
    for text in (chars, chars[::-1], codecs.encode(chars, "rot13")):
        last = len(text) - _ECHO
        for at in sorted({*range(0, last, _STEP), last} if last >= 0 else ()):
            yield text[at : at + _ECHO], _Form.ECHO


def _names(type_: str, value: str) -> Iterator[tuple[str, _Form]]:
    words = [word for word in map(_canonical_of, value.split()) if word]
    named = [word for word in words if not is_everyday(word)]
    whole = "".join(words)[:LONGEST]
    if len(whole) < (_LEAST_SHORT if len(words) > 1 else _LEAST_NAME) or not named:
        return
    if len(words) == 1 and type_ in WORDED - {"PERSON"}:
        return  # the name of a country, of a large firm
    for form in (whole, whole[::-1], codecs.encode(whole, "rot13")):
        yield form, _Form.NAME
    if type_ != "PERSON" or len(words) < 2:
        return
    family = words[-1]
    yield (family + "".join(words[:-1]))[:LONGEST], _Form.NAME
    if len(family) >= _LEAST_SHORT:
        yield words[0][0] + family, _Form.NAME
        yield family + words[0][0], _Form.NAME
    if len(family) >= _LEAST_NAME and family in named:
        yield family, _Form.PART


def _runs(digits: str) -> Iterator[str]:
    for length in (LEAST_DIGITS, LEAST_DIGITS + 1, _SURE):
        for at in range(len(digits) - length + 1):
            run = digits[at : at + length]
            if not _is_trivial(run):
                yield run
                if length == _SURE:
                    yield run[::-1]


def _is_trivial(run: str) -> bool:
    """Numbers that stand everywhere: 111111, 123456, 250000, 202611."""
    if not run.isdigit():
        return False
    if len(set(run)) <= 2 or run in _COUNTED:
        return True
    month = run[:2] in ("19", "20") and "01" <= run[4:6] <= "12"
    return len(run) < _SURE and (run.endswith("000") or (len(run) == LEAST_DIGITS and month))


def _fits(form: _Form, stream: Canonical, text: str, first: int, last: int) -> bool:
    places = stream.places[first:last]
    gaps = np.diff(places)
    if gaps.size and int(gaps.max()) > _GAP + 1:
        return False
    window, start, end = stream.chars[first:last], int(places[0]), int(places[-1]) + 1
    if form is _Form.ECHO:
        return True
    if form is _Form.DIGITS and len(window) < _SURE:
        even = gaps.size == 0 or int(gaps.min()) == int(gaps.max())
        return even and _stands_alone(text, start, end)
    if form in (_Form.CODE, _Form.DIGITS):
        return len(window) >= _SURE or _stands_alone(text, start, end)
    if form is _Form.PART and text[start].islower():
        return False
    return len(window) >= _SURE_LETTERS or (_between_words(text, start) and _between_words(text, end))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no further digit of the same number touches a run, before or behind, nor decimals."""
    before, behind = text[max(0, start - 2) : start], text[end : end + 2]
    if before[-1:].isdigit() or behind[:1].isdigit():
        return False
    return not ((len(before) == 2 and before[0].isdigit() and before[1] in ".,") or re.match(r"[.,]\d", behind))


def _between_words(text: str, at: int) -> bool:
    before, behind = text[max(0, at - 1) : at], text[at : at + 1]
    return not (before.isalnum() and behind.isalnum()) or (before.islower() and behind.isupper())


def _united(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start < united[-1][1]:
            united[-1] = united[-1][0], max(end, united[-1][1])
        else:
            united.append((start, end))
    return united


def _outermost(found: Sequence[Detection]) -> list[Detection]:
    """Without those that lie in another."""
    kept: list[Detection] = []
    reached = 0
    for detection in sorted(found, key=lambda d: (d.start, -d.end)):
        if detection.end > reached:
            kept.append(detection)
            reached = detection.end
    return kept
