"""Sets over company filings and calls that a user may bring: FinanceBench's questions, ECTSum's summaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from finslm.answering.document import Document, Unit, units
from finslm.errors import ConfigError
from finslm.evaluate.datasets.base import Files, folded
from finslm.evaluate.datasets.passages import Passage, Question

FINANCEBENCH_FILE: Final = "financebench_open_source.jsonl"
FINANCEBENCH_LICENCE: Final = "CC BY-NC 4.0"
ECTSUM_LICENCE: Final = "none stated for the transcripts; for research"
"""Neither may be used commercially: nothing that ships was trained on them, and who has them may evaluate with them."""
ECTSUM_SPLITS: Final = ("train", "val", "test")


@final
@dataclass(frozen=True, slots=True)
class Proof:
    """What an annotator says a question is answered by.

    Args:
        page: text of the whole page of the filing.
        number: of the page, from 0.
    """

    text: str = field(repr=False)
    page: str = field(repr=False)
    number: int
    document: str


@final
@dataclass(frozen=True, slots=True)
class FilingQuestion:
    """A question over a filing."""

    uid: str
    text: str = field(repr=False)
    answer: str = field(repr=False)
    document: str
    evidence: tuple[Proof, ...]


@final
@dataclass(frozen=True, slots=True)
class Transcript:
    """An earnings call, and what its reporters made of it."""

    name: str
    text: str = field(repr=False)
    summary: str = field(repr=False)


def read_financebench(files: Files, name: str = FINANCEBENCH_FILE) -> list[FilingQuestion]:
    """Questions of FinanceBench's open-source part (Islam et al. 2023, arXiv:2311.11944).

    Raises:
        ConfigError: not there; a row is malformed, unless such are to be skipped.
    """
    found = []
    for line, row in files.json_lines(name):
        try:
            found.append(_filing_question(row))
        except (KeyError, TypeError, ValueError) as error:
            files.bad(name, line, f"no question of FinanceBench: {type(error).__name__} {error}")
    return found


def _filing_question(row: Mapping[str, Any]) -> FilingQuestion:
    evidence = tuple(
        Proof(
            _said(each, "evidence_text"),
            _said(each, "evidence_text_full_page"),
            int(each["evidence_page_num"]),
            _said(each, "doc_name"),
        )
        for each in row["evidence"]
    )
    if not evidence:
        raise ValueError("the list of evidence is empty")
    uid, question, answer, document = (_said(row, key) for key in ("financebench_id", "question", "answer", "doc_name"))
    return FilingQuestion(uid, question, answer, document, evidence)


def _said(entry: Mapping[str, Any], key: str) -> str:
    if not isinstance(text := entry[key], str) or not text.strip():
        raise ValueError(f"{key} is not a text, or is empty")
    return text


def filing_passages(questions: Sequence[FilingQuestion]) -> Iterator[Passage]:
    """A passage for each filing: the pages that any question of it is answered by, line by line.

    The evidence of a question is every line that its annotators' extract has; it is empty where the extract is not in
    the page as it stands.
    """
    for filing in dict.fromkeys(q.document for q in questions):
        asked = [q for q in questions if q.document == filing]
        pages = sorted({(e.document, e.number): e.page for q in asked for e in q.evidence}.items())
        lines = [(page, line) for page, text in pages for line in text.split("\n") if folded(line)]
        document = Document(tuple(line for _, line in lines))
        own = tuple(units(document))
        yield Passage(filing, document, own, tuple(_asked(q, lines, own) for q in asked), filing)


_Line = tuple[tuple[str, int], str]
"""Its page, by filing and number, and its text."""


def _asked(question: FilingQuestion, lines: Sequence[_Line], own: Sequence[Unit]) -> Question:
    held = {number for proof in question.evidence for number in _extract(proof, lines)}
    evidence = frozenset(unit.number for unit in own if unit.paragraph in held)
    return Question(question.uid, question.text, (question.answer,), "span", "", "", "text", evidence)


def _extract(proof: Proof, lines: Sequence[_Line]) -> Iterator[int]:
    """Numbers of the lines that an extract of their page has words of."""
    own = [
        (number, folded(line)) for number, (page, line) in enumerate(lines) if page == (proof.document, proof.number)
    ]
    wanted = folded(proof.text)
    begin = " ".join(line for _, line in own).find(wanted)
    place = 0
    for number, line in own:
        if begin >= 0 and place < begin + len(wanted) and begin < place + len(line):
            yield number
        place += len(line) + 1


def read_ectsum(files: Files, split: str = "test") -> list[Transcript]:
    """Calls of ECTSum (Mukherjee et al. 2022, arXiv:2210.12467): ``ects/NAME.txt`` with ``gt_summaries/NAME.txt``.

    The folder is the split's own, or that of the three splits.

    Raises:
        ConfigError: no such folder; a call or a summary is empty or lacks its other half, unless such are skipped.
    """
    if split not in ECTSUM_SPLITS:
        raise ConfigError(f"ECTSum: no split {split!r}; published: {', '.join(ECTSUM_SPLITS)}")
    root = Path() if (files.root / "ects").is_dir() else Path(split)
    names = [_names(files.root / root / part) for part in ("ects", "gt_summaries")]
    found: list[Transcript] = []
    for name in sorted(names[0] | names[1]):
        call, summary = (root / part / name for part in ("ects", "gt_summaries"))
        if lacking := [each for each, own in zip((call, summary), names, strict=True) if name not in own]:
            files.bad(str(lacking[0]), 1, "there is no such file, and the other half of the pair is there")
            continue
        found += _transcript(files, name.removesuffix(".txt"), str(call), str(summary))
    return found


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; --data names the one that holds ects and gt_summaries")
    return {file.name for file in folder.glob("*.txt")}


def _transcript(files: Files, name: str, call: str, summary: str) -> Iterator[Transcript]:
    texts = {file: files.read(file) for file in (call, summary)}
    if empty := [file for file, text in texts.items() if not text.strip()]:
        files.bad(empty[0], 1, "the file is empty")
        return
    yield Transcript(name, texts[call], texts[summary])
