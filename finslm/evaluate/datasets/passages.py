"""Questions over documents with a table, in the form that TAT-QA has, and where their evidence stands."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, final

from finslm.answering.document import Document, Unit, units
from finslm.answering.figures import figures, is_year
from finslm.answering.words import words
from finslm.evaluate.datasets.base import Files, folded

_CONSTANT: Final = re.compile(r"/\s*\d\b(?![.,\d])|-\s*1\b(?![.,\d])|[*x]\s*100\b(?![.,\d])")
"""Numbers of a derivation that stand in no document: how many are averaged, the 1 of a ratio, 100 for per cent."""
_PROSE: Final = re.compile(r"[A-Za-z]{4,}")
"""Derivations that are told in words: rows and columns that they count are no numbers of the document."""
_LABEL_SHARE: Final = 0.6
"""A question names a row when it holds this share of the words of the row's label."""
FOLDS: Final = 10


@final
@dataclass(frozen=True, slots=True)
class Question:
    """A question with what its annotators say of it.

    Args:
        answer: the texts of the answer; one for a number.
        kind: ``span``, ``multi-span``, ``arithmetic`` or ``count``.
        scale: ``thousand``, ``million``, ``billion``, ``percent`` or nothing.
        derivation: how a number is calculated, or what is compared or counted.
        source: ``table``, ``text`` or ``table-text``.
        evidence: numbers of the units that hold the answer or the numbers it is calculated from; empty: not located.
    """

    uid: str
    text: str = field(repr=False)
    answer: tuple[str, ...] = field(repr=False)
    kind: str
    scale: str
    derivation: str
    source: str
    evidence: frozenset[int]


@final
@dataclass(frozen=True, slots=True)
class Passage:
    """A document with its questions."""

    uid: str
    document: Document
    units: tuple[Unit, ...]
    questions: tuple[Question, ...]
    group: str
    """Documents that share a paragraph are of one group and never split between training and test."""

    @property
    def fold(self) -> int:
        """From 0 to 9, by the digest of the group."""
        return int(hashlib.sha256(self.group.encode()).hexdigest()[:8], 16) % FOLDS


def read_tatqa(files: Files, name: str = "tatqa_dataset_dev.json") -> list[Passage]:
    """Passages of TAT-QA (Zhu et al. 2021, arXiv:2105.07624).

    Raises:
        ConfigError: not there, not JSON; an entry is malformed, unless such are skipped (the line is its number).
    """
    found = []
    for number, entry in enumerate(files.json(name), 1):
        try:
            found.append(_passage(entry))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            files.bad(name, number, f"entry {number} is no passage of TAT-QA: {type(error).__name__} {error}")
    return _grouped(found)


def _passage(entry: dict[str, Any]) -> Passage:
    paragraphs = sorted(entry["paragraphs"], key=lambda p: int(p["order"]))
    table = tuple(tuple(str(cell) for cell in row) for row in entry["table"]["table"])
    document = Document(tuple(str(p["text"]) for p in paragraphs), table)
    own = tuple(units(document))
    place = {str(p["order"]): i for i, p in enumerate(paragraphs)}
    questions = tuple(_question(q, document, own, place) for q in entry["questions"])
    uid = str(entry["table"]["uid"])
    return Passage(uid, document, own, questions, uid)


def _question(entry: dict[str, Any], document: Document, own: Sequence[Unit], place: dict[str, int]) -> Question:
    answer = entry["answer"]
    texts = tuple(map(str, answer)) if isinstance(answer, list) else (str(answer),)
    related = {place[str(order)] for order in entry["rel_paragraphs"] if str(order) in place}
    kind, source, derivation = str(entry["answer_type"]), str(entry["answer_from"]), str(entry["derivation"])
    wanted = _wanted(texts, kind, derivation)
    evidence = _located(str(entry["question"]), wanted, document, own, related, source)
    return Question(
        str(entry["uid"]),
        str(entry["question"]),
        texts,
        kind,
        str(entry["scale"]),
        derivation,
        source,
        frozenset(evidence),
    )


def _wanted(texts: Sequence[str], kind: str, derivation: str) -> list[str]:
    """What must be found in the document: what is calculated with, compared or counted, or else the answer."""
    if "##" in derivation:
        return [part.strip() for part in derivation.split("##") if part.strip()]
    numbers = re.findall(r"\d[\d,]*\.?\d*|\.\d+", _CONSTANT.sub("", derivation))
    if kind in {"arithmetic", "count"} or (numbers and not _PROSE.search(derivation)):
        return numbers
    return [text.strip() for text in texts]


def _located(
    question: str, wanted: Sequence[str], document: Document, own: Sequence[Unit], related: set[int], source: str
) -> set[int]:
    """The fewest units that hold what is wanted; between equals, those whose words are more the question's."""
    asked = Counter(words(question))
    holders: list[set[int]] = []
    for text in wanted:
        at: set[int] = set()
        if "table" in source:
            at = {u.number for u in own if u.row is not None and _row_holds(u, document.table, text)}
        if "text" in source and not at:
            at = set(_sentences_with(text, document, own, related))
        if "table" in source and is_year(text) and (named := _named_row(question, own)):
            at = {named}
        if at:
            holders.append(at)
    chosen: set[int] = set()
    while holders:
        counts = Counter(number for at in holders for number in at)
        best = max(counts, key=lambda n: (counts[n], _overlap(asked, own[n - 1].text), -n))
        chosen.add(best)
        holders = [at for at in holders if best not in at]
    return chosen


def _row_holds(unit: Unit, table: Sequence[Sequence[str]], text: str) -> bool:
    cells = table[unit.row or 0]
    number = _number(text)
    if number is not None and not is_year(text):
        return any(abs(f.value) == number for cell in cells for f in figures(cell))
    plain = folded(text)
    return any(plain == folded(cell) or (len(plain) > 3 and plain in folded(cell)) for cell in cells)


def _sentences_with(text: str, document: Document, own: Sequence[Unit], related: Iterable[int]) -> Iterator[int]:
    number = _number(text)
    for unit in own:
        if unit.paragraph is None or unit.paragraph not in related:
            continue
        if number is not None and any(abs(f.value) == number for f in figures(unit.text)):
            yield unit.number
            continue
        paragraph = document.paragraphs[unit.paragraph]
        start = paragraph.lower().find(text.lower())
        if start >= 0 and unit.start < start + len(text) and start < unit.end:
            yield unit.number


def _number(text: str) -> Decimal | None:
    found = figures(text)
    return abs(found[0].value) if len(found) == 1 and not re.search(r"[A-Za-z]{2,}", text) else None


def _named_row(question: str, own: Sequence[Unit]) -> int | None:
    """The row whose label the question says."""
    asked = set(words(question))
    shares = []
    for unit in own:
        label = set(words(unit.label))
        if unit.cells and label and len(label & asked) / len(label) >= _LABEL_SHARE:
            shares.append((len(label & asked), unit.number))
    return max(shares)[1] if shares else None


def _overlap(asked: Counter[str], text: str) -> float:
    own = words(text)
    return sum(word in asked for word in set(own)) / math.sqrt(1 + len(own))


def _grouped(passages: Sequence[Passage]) -> list[Passage]:
    """Passages under the group of the first one that they share a paragraph of many words with."""
    owner: dict[str, int] = {}
    parent = list(range(len(passages)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for i, passage in enumerate(passages):
        for text in {folded(p) for p in passage.document.paragraphs if len(p) > 80}:
            parent[root(i)] = root(owner.setdefault(text, i))
    return [Passage(p.uid, p.document, p.units, p.questions, passages[root(i)].uid) for i, p in enumerate(passages)]
