"""A policy's own lists at work: what is found though no detector knows it, and what may stay though it was found."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, final

import rfc8785

from redaction.budget import remaining_s
from redaction.detection import Detection, Detector
from redaction.pattern_set import PatternSet
from redaction.policy import LITERAL, AllowEntry, Case, DenyEntry, Policy

DENY: Final = "deny_list"
"""``source`` of what the deny list finds."""


_MAX_GAP: Final = 5
"""Signs that may stand between two words of a value: "Project - Falcon" is "Project Falcon"."""

_ALONE: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that put no space between words (Thai, Lao, Burmese, Khmer, kana, Han): each sign is a word."""

_TYPE: Final = " "
"""Key in the tree of values: no word has it."""

_WORD: Final = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def lists_of(policy: Policy) -> tuple[tuple[Detector, ...], AllowList | None]:
    """Return what a policy's lists bring: the detectors, and what it lets go (None: nothing)."""
    off = policy.switched_off.recognizers or policy.switched_off.types
    return (DenyList(policy),) if policy.deny else (), AllowList(policy) if policy.allow or off else None


@final
class DenyList:
    """Finds a policy's denied values and patterns. Shareable among threads; time is linear in the text.

    Values are compared word by word after Unicode's NFKC, so that other signs and line breaks between
    words do not hide one, and no part of a word is taken for a value.

    Args:
        policy: whose ``deny`` holds.
    """

    name = DENY

    def __init__(self, policy: Policy) -> None:
        said = [entry.model_dump(mode="json", exclude={"reason"}) for entry in policy.deny]
        self.version = hashlib.sha256(rfc8785.dumps(said)).hexdigest()[:16]
        self.types = tuple(sorted({entry.type for entry in policy.deny}))
        self._exact = _Values(entry for entry in policy.deny if entry.case is Case.EXACT)
        self._folded = _Values((entry for entry in policy.deny if entry.case is Case.IGNORE), fold=True)
        self._patterns = _Patterns([entry for entry in policy.deny if entry.pattern is not None])

    def detect(self, text: str) -> list[Detection]:
        """Find every denied value.

        Raises:
            DetectionFailed: the time is up, or the patterns could not be looked for.
        """
        found = [*self._patterns.find(text)]
        if self._exact or self._folded:
            words = [_Word(match[0], *match.span()) for match in _WORD.finditer(text)]
            found += [*self._exact.find(words), *self._folded.find(words)]
        # A list proves what it finds: what it names must not be taken for something that may stay.
        return [Detection(start, end, type_, 1.0, DENY, validated=True) for start, end, type_ in found]


class _Word(NamedTuple):
    text: str
    start: int
    end: int


class _Found(NamedTuple):
    start: int
    end: int
    type: str


class _Values:
    """Values as a tree of their words; from each word of a text the longest way down it that ends at a value."""

    def __init__(self, entries: Iterable[DenyEntry], *, fold: bool = False) -> None:
        self._fold = fold
        self._tree: dict[str, Any] = {}
        for entry in entries:
            for value in entry.values:
                node = self._tree
                for word in _WORD.findall(unicodedata.normalize("NFKC", value)):
                    node = node.setdefault(self._form(word), {})
                node.setdefault(_TYPE, entry.type)

    def __bool__(self) -> bool:
        return bool(self._tree)

    def find(self, words: Sequence[_Word]) -> Iterator[_Found]:
        forms = [self._form(word.text) for word in words] if self else []
        for place, form in enumerate(forms):
            if form in self._tree and (found := self._longest(words, forms, place)):
                yield found

    def _longest(self, words: Sequence[_Word], forms: Sequence[str], place: int) -> _Found | None:
        node, found = self._tree, None
        for at in range(place, len(words)):
            apart = at > place and words[at].start - words[at - 1].end > _MAX_GAP
            if apart or (below := node.get(forms[at])) is None:
                break
            node = below
            if _TYPE in node:
                found = _Found(words[place].start, words[at].end, node[_TYPE])
        return found

    def _form(self, word: str) -> str:
        return word.casefold() if self._fold else word


class _Patterns:
    """Patterns; one pass over the text finds out which of them to look for."""

    def __init__(self, entries: Sequence[DenyEntry]) -> None:
        self._patterns = [(entry.compiled(), entry.type) for entry in entries]
        self._any = PatternSet(
            f"(?i:{entry.pattern})" if entry.case is Case.IGNORE else f"(?:{entry.pattern})" for entry in entries
        )

    def find(self, text: str) -> Iterator[_Found]:
        if not self._patterns:
            return
        for number in self._any.matching(text):
            remaining_s()
            compiled, type_ = self._patterns[number]
            for match in compiled.finditer(text):
                if match[0]:
                    yield _Found(match.start(), match.end(), type_)


@final
class AllowList:
    """Says which findings do not count: a policy's allowed values and patterns, and what it switches off.

    What a check digit, a list or an unmistakable cue has proven is let go only by an entry that says
    ``even_if_validated``; what the deny list found, and placeholder lookalikes, never.

    Args:
        policy: whose ``allow`` and ``switched_off`` hold.
    """

    def __init__(self, policy: Policy) -> None:
        self._types = frozenset(policy.switched_off.types)
        self._recognizers = frozenset(policy.switched_off.recognizers)
        self._entries = policy.allow
        self._values: dict[tuple[Case, str], list[int]] = {}
        self._patterns: list[tuple[int, Any]] = []
        for number, entry in enumerate(policy.allow):
            for value in entry.values:
                self._values.setdefault((entry.case, _form(value, entry.case)), []).append(number)
            if entry.pattern is not None:
                self._patterns.append((number, entry.compiled()))

    def drops(self, detection: Detection, value: str) -> bool:
        """Whether a finding does not count.

        Args:
            detection: the finding.
            value: the text it covers.
        """
        if detection.source == DENY or detection.type == LITERAL:
            return False
        off = detection.type in self._types or detection.source in self._recognizers
        return off or self.entry(detection, value) is not None

    def entry(self, detection: Detection, value: str) -> int | None:
        """Return the number of the entry of ``policy.allow`` that lets a finding go, or None."""
        return next((n for n in self.matching(detection, value) if self._may(self._entries[n], detection)), None)

    def matching(self, detection: Detection, value: str) -> Iterator[int]:
        """Yield the numbers of the entries that fit value and type, whatever is proven of it."""
        for case in Case:
            yield from (
                n for n in self._values.get((case, _form(value, case)), ()) if _is_for(self._entries[n], detection)
            )
        shown = _SURROGATES.sub("\ufffd", value)
        for number, compiled in self._patterns:
            if _is_for(self._entries[number], detection) and compiled.fullmatch(shown):
                yield number

    @staticmethod
    def _may(entry: AllowEntry, detection: Detection) -> bool:
        if detection.source == DENY or detection.type == LITERAL:
            return False
        return entry.even_if_validated or not detection.validated


def _is_for(entry: AllowEntry, detection: Detection) -> bool:
    return not entry.types or detection.type in entry.types


def _form(value: str, case: Case) -> str:
    """A value as it is compared: one form of each letter with accents (NFC), one space between words."""
    one = " ".join(unicodedata.normalize("NFC", value).split())
    return one.casefold() if case is Case.IGNORE else one
