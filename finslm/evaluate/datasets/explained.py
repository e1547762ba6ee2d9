"""Rows that come with a rationale: how the answer is found is known, so a student can learn to tell it.

Two sets of questions about company reports. The label is the kind of calculation, of a closed set; the rationale is the
calculation itself, with its figures. The files at hand are the published development sets; they are split here by
document, so that no figure of a test document is trained on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

from finslm.errors import ConfigError
from finslm.evaluate.datasets.answering import DEV_FOLDS, TEST_FOLDS, TRAIN_FOLDS, split
from finslm.evaluate.datasets.base import DATASETS, Example, Files, Splits
from finslm.evaluate.datasets.passages import FOLDS, Passage, Question, read_tatqa

OTHER: Final = "other"

PROGRAMS: Final = {
    "": "look up",
    "-": "subtract",
    "-/": "subtract, then divide",
    "/": "divide",
    "+": "add",
    "++": "add, then add",
    "*": "multiply",
    "+/": "add, then divide",
}
"""Operators of a program of ConvFinQA, in order → label; what is rarer is :data:`OTHER`."""

_OPERATOR: Final = re.compile(r"(?<=[\w.)])\s*(\*\*|[-+*/>])\s*(?=[\w.(-])")
_FIGURE: Final = re.compile(r"\$?\d[\d,]*\.?\d*|\.\d+")
_DERIVATIONS: Final = (
    (re.compile(r"n-n"), "difference"),
    (re.compile(r"\(n-n\)/n|n/n-n"), "change in per cent"),
    (re.compile(r"\(n(\+n)+\)/n"), "average"),
    (re.compile(r"n/n"), "ratio"),
    (re.compile(r"n(\+n)+"), "sum"),
)
"""Shape of a derivation of TAT-QA, its figures written ``n`` → label."""
_KINDS: Final = {"span": "one span", "multi-span": "several spans", "count": "count"}


@final
@dataclass(frozen=True, slots=True)
class Explained:
    """A text, its label, and why it has that label."""

    text: str = field(repr=False)
    label: str
    rationale: str = field(repr=False)


Parts = tuple[Sequence[Explained], Sequence[Explained], Sequence[Explained]]
"""To train, to hold back, to test."""
Reader = Callable[[Files, Mapping[str, str]], Parts]

Rationales = Mapping[tuple[str, str], str]
"""Of rows, by text and label: a text may stand under two labels, for two reasons."""

_READERS: dict[str, Reader] = {}


def explains(name: str) -> bool:
    """Whether the rows of a data set come with rationales."""
    return name in _READERS


def rationales(name: str, files: Files, options: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Text and label → rationale, of every row of a data set.

    Raises:
        ConfigError: its rows have none, or the files cannot be used.
    """
    if name not in _READERS:
        raise ConfigError(f"data set {name} has no rationales; those that do: {', '.join(sorted(_READERS))}")
    found: dict[tuple[str, str], str] = {}
    for part in _READERS[name](files, options):
        for row in part:
            found.setdefault((row.text, row.label), row.rationale)
    return found


def _register(name: str, read: Reader, **about: Any) -> None:
    def examples(files: Files, options: Mapping[str, str]) -> Splits:
        return Splits(*(tuple(Example(row.text, row.label) for row in part) for part in read(files, options)))

    _READERS[name] = read
    DATASETS.register(name, **about)(examples)


def program_label(program: str) -> str:
    """The label of a program of ConvFinQA, such as ``x0 = 15 - 19; ans = x0 / 19``."""
    operators = (_OPERATOR.findall(step.split("=", 1)[-1]) for step in program.split(";"))
    return PROGRAMS.get("".join(operator for step in operators for operator in step), OTHER)


def derivation_label(kind: str, derivation: str) -> str:
    """The label of a question of TAT-QA, from its type and its derivation, such as ``(302-148)/148``."""
    if kind in _KINDS:
        return _KINDS[kind]
    plain = re.sub(r"[\s$£€%]", "", derivation.replace("[", "(").replace("]", ")"))
    unsigned = re.sub(r"(?<![n)])-", "", _FIGURE.sub("n", plain))
    shape = unsigned.replace("(n)", "n")
    shape = shape[1:-1] if re.fullmatch(r"\([^()]*\)", shape) else shape
    return next((label for pattern, label in _DERIVATIONS if pattern.fullmatch(shape)), OTHER)


def _convfinqa(files: Files, options: Mapping[str, str]) -> Parts:
    name = options.get("file", "pot_convfinqa_dev.json")
    rows: list[tuple[int, Explained]] = []
    for number, entry in enumerate(files.json(name), 1):
        try:
            fold = _fold(str(entry["id"]))
            rows += [(fold, row) for row in _turns(entry)]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            files.bad(name, number, f"entry {number} is no conversation: {type(error).__name__} {error}")
    train, dev, test = ([row for fold, row in rows if fold in of] for of in (TRAIN_FOLDS, DEV_FOLDS, TEST_FOLDS))
    return train, dev, test


def _fold(uid: str) -> int:
    """By the page of the report: ``Single_MRO/2007/page_134.pdf-1`` and its neighbours stand on one side."""
    page = re.sub(r"^(Single|Double)_", "", uid).partition(".pdf")[0]
    return int(hashlib.sha256(page.encode()).hexdigest()[:8], 16) % FOLDS


def _turns(entry: Mapping[str, Any]) -> Iterator[Explained]:
    evidence = _plain(f"{entry['golden_text']} {entry['golden_table']}")
    before = ""
    for question, program in zip(entry["questions"], entry["programs"], strict=True):
        asked = f"Question: {question}\n" + (f"Asked before: {before}\n" if before else "")
        yield Explained(f"{asked}Evidence: {evidence}", program_label(program), str(program))
        before = question


def _plain(text: str) -> str:
    """One line; ``27% ( 27 % )``, which the authors' preparation made, is once enough."""
    return " ".join(re.sub(r"(\S+)\s\( \1?[^()]* \)", r"\1", text).split())


def _tatqa(files: Files, options: Mapping[str, str]) -> Parts:
    parts = split(read_tatqa(files, options.get("file", "tatqa_dataset_dev.json")))
    train, dev, test = ([_asked(p, q) for p in part for q in p.questions] for part in parts)
    return train, dev, test


def _asked(passage: Passage, question: Question) -> Explained:
    evidence = " ".join(passage.units[number - 1].text for number in sorted(question.evidence))
    label = derivation_label(question.kind, question.derivation)
    found = question.derivation.replace("##", "; ") or "; ".join(question.answer)
    return Explained(f"Question: {question.text}\nEvidence: {' '.join(evidence.split())}", label, found.strip())


_register(
    "convfinqa-programs",
    _convfinqa,
    title="ConvFinQA, turns of conversations about company reports, by the operators of their program",
    licence="MIT",
    commercial=True,
    source="czyssrs/ConvFinQA",
    options={"file": "file of the set (default: pot_convfinqa_dev.json), split here by page"},
)
_register(
    "tatqa-operations",
    _tatqa,
    title="TAT-QA, questions over a table and its paragraphs, by how they are answered",
    licence="CC BY 4.0",
    commercial=True,
    source="NExTplusplus/TAT-QA",
    options={"file": "file of the set (default: tatqa_dataset_dev.json), split here by document"},
)
