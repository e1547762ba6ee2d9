"""Sets over filings and calls that a user brings. ``python -m benchmarks.filings --financebench DIR --ectsum DIR``

FinanceBench: is the evidence among the first units that the shipped ranker cites? Its encoder reads the pages that
any question of the filing is answered by, each line of them; beside it what ranks by words alone. ECTSum: ROUGE of the
first sentences of a call, which a summary has to beat. Neither set may be used commercially (docs/evaluation.md).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.machine import facts
from finslm.answering.document import sentences
from finslm.answering.ranking import SHIPPED, Ranker, Reader
from finslm.answering.words import Bm25
from finslm.evaluate.datasets.base import Files
from finslm.evaluate.datasets.reports import (
    FilingQuestion,
    Transcript,
    filing_passages,
    read_ectsum,
    read_financebench,
)
from finslm.evaluate.rouge import mean_rouge
from finslm.train.answering import Case, Corpus

CITED: Final = 3
LEAD: Final = 5
"""Sentences of a call that stand for its summary."""

Figures = dict[str, Any]


def evidence(questions: Sequence[FilingQuestion], reader: Reader, ranker: Ranker) -> Figures:
    """Share of the questions that have a line of their evidence among the first three, and of those refused."""
    cases = [*Corpus([*filing_passages(questions)], reader).cases()]
    located = [case for case in cases if case.question.evidence]
    refused = [ranker.confidence(case.own) < ranker.threshold for case in located]
    return {
        "questions": len(cases),
        "evidence located": len(located),
        "any of it among three": _share([_held(case, ranker.rank(case.own)) for case in located]),
        "the same, by words alone": _share([_held(case, _by_words(case)) for case in located]),
        "refused": _share(refused),
    }


def _held(case: Case, order: Sequence[int]) -> bool:
    return not case.question.evidence.isdisjoint(order[:CITED])


def _by_words(case: Case) -> list[int]:
    scores = Bm25([unit.text for unit in case.passage.units]).scores(case.question.text)
    return [int(place) + 1 for place in np.argsort(-np.array(scores), kind="stable")]


def _share(held: Sequence[bool]) -> float | None:
    return round(sum(held) / len(held), 4) if held else None


def lead(calls: Sequence[Transcript]) -> Figures:
    """ROUGE of the first sentences."""
    pairs = [(call.summary, " ".join(call.text[a:b] for a, b in [*sentences(call.text)][:LEAD])) for call in calls]
    scores = mean_rouge(pairs).as_dict()
    return {"calls": len(calls), **{name: round(score, 4) for name, score in scores.items()}}


def main() -> None:
    """Command line."""
    from finslm.evaluate.reading import FrozenReader
    from finslm.models.registry import Registry
    from redaction.ner.weights import default_models_dir

    parser = argparse.ArgumentParser(prog="python -m benchmarks.filings", description=__doc__)
    parser.add_argument("--financebench", type=Path, help="folder of financebench_open_source.jsonl, or the file")
    parser.add_argument("--ectsum", type=Path, help="folder of a split (ects, gt_summaries), or of the three")
    parser.add_argument("--skip-bad-rows", action="store_true", help="leave malformed rows out and count them")
    chosen = parser.parse_args()
    if not (chosen.financebench or chosen.ectsum):
        parser.error("say what to read: --financebench, --ectsum")
    result: Figures = facts()
    if chosen.financebench:
        files = Files(chosen.financebench, chosen.skip_bad_rows)
        reader = FrozenReader(Registry(default_models_dir()).resolve("all-minilm-l6-v2").path)
        figures = evidence(read_financebench(files), reader, Ranker.read(SHIPPED))
        result["financebench"] = {**figures, "skipped": files.skipped}
    if chosen.ectsum:
        files = Files(chosen.ectsum, chosen.skip_bad_rows)
        result["ectsum, first sentences"] = {**lead(read_ectsum(files)), "skipped": files.skipped}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
