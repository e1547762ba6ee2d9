"""Replaces in a document so that it stays valid, and restores it byte for byte."""

from __future__ import annotations

import html
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol, final

from redaction.detection import Detection, merge
from redaction.errors import CannotReplace
from redaction.operators import PLACEHOLDER, Context, Operator, make
from redaction.policy import KEEP, LITERAL, Policy
from redaction.structured.document import MAX_LEVELS, Document, Kind, Leaf
from redaction.structured.find import SOURCE, find
from redaction.structured.parse import parse
from redaction.text import RawText

_NAME: Final = PLACEHOLDER.pattern[1:-1]
_WRITTEN: Final = re.compile(rf'(\\{{0,7}})"<{_NAME}>\1"|(?:<|&lt;){_NAME}(?:>|&gt;)')
"""A placeholder as it may stand in a document: a JSON string of its own, escaped or not, in any text, in markup."""

_QUOTES: Final = tuple("\\" * (2**level - 1) + '"' for level in range(MAX_LEVELS + 1))
"""How the quote of a JSON string is written in a string in a string."""

_PLACEHOLDER_ACTION: Final = "placeholder"
_NOBODY: Final = Context()


class SupportsAnalysis(Protocol):
    """What is needed of :class:`redaction.Redactor`."""

    @property
    def policy(self) -> Policy:
        """What is done with each type."""
        ...

    def analyze_batch(self, texts: Sequence[str | RawText]) -> list[list[Detection]]:
        """See :meth:`redaction.Redactor.analyze_batch`."""
        ...


@final
@dataclass(frozen=True, slots=True)
class RedactedDocument:
    """A redacted document and what is needed to restore it. Its ``repr`` shows numbers only.

    Args:
        text: the document with placeholders, valid in its format.
        detections: what was replaced; offsets are those of the original document.
        placeholders: placeholder → value, unescaped: for :func:`redaction.restore.restore` of other text.
        sources: placeholder as written in the document → what stood there, to the byte.
        entity_counts: type → how many pieces of it were replaced.
        action_counts: action → how many pieces it was done to; ``keep`` included.
        format: json, jsonl, csv, html or text.
        note: that a malformed document was read as plain text, and why; else empty.
    """

    text: str = field(repr=False)
    detections: tuple[Detection, ...] = field(repr=False)
    placeholders: Mapping[str, str] = field(repr=False)
    sources: Mapping[str, str] = field(repr=False)
    entity_counts: Mapping[str, int]
    action_counts: Mapping[str, int]
    format: str
    note: str


def redact_document(
    redactor: SupportsAnalysis,
    document: str | RawText,
    format: str = "auto",  # noqa: A002 - the word of the interface
    context: Context = _NOBODY,
) -> RedactedDocument:
    r"""Find and replace in a document by its structure. Nothing outside the replaced values changes.

    A bare JSON number becomes a JSON string. Values that read the same but are written differently
    (``é`` and ``\u00e9``) get a placeholder each, so that each comes back as it was.

    Args:
        redactor: finds, and knows the policy.
        document: the whole document.
        format: one of :data:`redaction.structured.FORMATS`.
        context: for whom; see :meth:`redaction.Redactor.redact`.

    Raises:
        DocumentTooLarge: longer, deeper or with more leaves than the limits.
        DetectionFailed: a detector failed, or the time is up.
        RedactionError: an unknown format.
    """
    raw = document.value if isinstance(document, RawText) else document
    parsed = parse(raw, format)
    kept = redactor.policy.kept
    found = find(parsed, redactor.analyze_batch, yielding=kept)
    return _Replacer(parsed, redactor.policy, context).replace(merge([*found, *_lookalikes(parsed)], yielding=kept))


def restore_document(text: str, redacted: RedactedDocument) -> str:
    """Put the values back into a document, or a part of one, that has placeholders of ``redacted``.

    ``restore_document(r.text, r)`` is the original, byte for byte.
    """
    return _WRITTEN.sub(lambda match: _source(match[0], redacted), text)


def _source(written: str, redacted: RedactedDocument) -> str:
    if written in redacted.sources:
        return redacted.sources[written]
    quote, opened, rest = written.partition('"')
    if opened:
        return f"{quote}{opened}{_source(rest[: rest.index('>') + 1], redacted)}{quote}{opened}"
    bare = written.replace("&lt;", "<").replace("&gt;", ">")
    if redacted.format == "html":
        return redacted.sources.get(html.escape(bare), written)
    # A number's placeholder that was moved into a text: its digits need no escape anywhere.
    number = any(f"{quote}{bare}{quote}" in redacted.sources for quote in _QUOTES)
    return redacted.placeholders[bare] if number else written


def _lookalikes(document: Document) -> list[Detection]:
    """What reads like a placeholder in the caller's own document: replaced, so that nobody can forge one."""
    return [
        Detection(*span, LITERAL, 1.0, SOURCE, validated=True)
        for leaf in document.leaves
        for match in PLACEHOLDER.finditer(leaf.view.text)
        for span in leaf.spans(*match.span())
    ]


@final
class _Replacer:
    """(7) for one document."""

    def __init__(self, document: Document, policy: Policy, context: Context) -> None:
        self._document, self._policy, self._context = document, policy, context
        self._leaves = [leaf for leaf in document.leaves if leaf.start < leaf.end]
        if document.format == "text":
            self._leaves = self._leaves[:1]  # fields lie inside the whole
        self._starts = [leaf.start for leaf in self._leaves]
        self._operators: dict[tuple[str, str], Operator] = {}
        self._placeholders: dict[str, str] = {}
        self._sources: dict[str, str] = {}
        self._reserved: set[str] = set()

    def replace(self, merged: Sequence[Detection]) -> RedactedDocument:
        """Put the operators' answers in the place of the detections."""
        actions = Counter(self._action(d.type) for d in merged)
        firm = [d for d in merged if self._action(d.type) != KEEP]
        self._reserve(firm)
        text, pieces, at = self._document.text, [], 0
        for detection in firm:
            pieces += [text[at : detection.start], self._answer(detection)]
            at = detection.end
        counts = Counter(d.type for d in firm)
        return RedactedDocument(
            "".join([*pieces, text[at:]]),
            tuple(firm),
            MappingProxyType(self._placeholders),
            MappingProxyType(self._sources),
            MappingProxyType(dict(counts)),
            MappingProxyType(dict(actions)),
            self._document.format,
            self._document.note,
        )

    def _reserve(self, firm: Sequence[Detection]) -> None:
        """Never issue a placeholder that stays in the document: in markup, ``<A_1>`` may be an element."""
        starts = [d.start for d in firm]
        for match in _WRITTEN.finditer(self._document.text):
            place = bisect_right(starts, match.start()) - 1
            if place < 0 or firm[place].end < match.end():
                self._reserved.add(html.unescape(match[0].strip('\\"')))

    def _action(self, type_: str) -> str:
        return _PLACEHOLDER_ACTION if type_ == LITERAL else self._policy.action(type_)

    def _answer(self, detection: Detection) -> str:
        leaf = self._leaves[bisect_right(self._starts, detection.start) - 1]
        value = leaf.value(detection.start, detection.end)
        operator = self._operator(detection.type, self._action(detection.type))
        answer = operator.replace(detection.type, value)
        written = self._written(answer, leaf)
        if not operator.reversible and PLACEHOLDER.search(answer):
            raise CannotReplace(f"what stands in the place of a {detection.type} looks like a placeholder")
        if written is None or (operator.reversible and not PLACEHOLDER.fullmatch(answer)):
            return self._issue(detection, leaf, value)
        if operator.reversible and not self._take(answer, written, detection, value):
            return self._issue(detection, leaf, value)
        return written

    def _operator(self, type_: str, action: str) -> Operator:
        options = self._policy.options(type_) if action == self._action(type_) else {}
        key = action, repr(sorted(options.items()))
        if key not in self._operators:
            self._operators[key] = make(action, options, self._context)
        return self._operators[key]

    def _issue(self, detection: Detection, leaf: Leaf, value: str) -> str:
        """A placeholder of its own for one spelling of a value; another key asks the operator for another number."""
        key = f"{leaf.kind == Kind.NUMBER}\0{self._document.text[detection.start : detection.end]}"
        while True:
            answer = self._operator(detection.type, _PLACEHOLDER_ACTION).replace(detection.type, key)
            written = self._written(answer, leaf) or answer
            if self._take(answer, written, detection, value):
                return written
            key += "\0"

    def _take(self, answer: str, written: str, detection: Detection, value: str) -> bool:
        """Bind a placeholder to what it stands for, unless it stands for something else or could be mistaken."""
        source = self._document.text[detection.start : detection.end]
        bound = self._placeholders.get(answer, value) == value and self._sources.get(written, source) == source
        other_form = answer in self._placeholders and written not in self._sources
        if not bound or other_form or answer in self._reserved:
            return False
        self._placeholders[answer] = value
        self._sources[written] = source
        return True

    def _written(self, answer: str, leaf: Leaf) -> str | None:
        """The answer as it must stand in the document; None where it cannot."""
        match self._document.format:
            case "json" | "jsonl" if leaf.kind != Kind.TEXT:
                written = json.dumps(answer, ensure_ascii=False) if leaf.kind is Kind.NUMBER else answer
                for _ in range(leaf.level + (leaf.kind is not Kind.NUMBER)):
                    written = json.dumps(written, ensure_ascii=False)[1:-1]
                return written
            case "html":
                return html.escape(answer)
            case "csv":
                return self._cell(answer, quoted=leaf.quoted)
        return answer

    def _cell(self, answer: str, *, quoted: bool) -> str | None:
        if quoted:
            return answer.replace('"', '""')
        special = any(mark in answer for mark in (self._document.delimiter, '"', "\r", "\n"))
        return None if special else answer
