"""Is evidence found, and is nothing said where there is none? ``python -m benchmarks.qa --data FOLDER [--record]``

Questions of TAT-QA dev (not in the repository), by five-fold cross-validation over groups of documents: of each fold's
documents nothing is trained on, and the threshold is chosen on documents of another fold. Beside it the ranker of the
fixed split on its test documents; ``--redacted``: those behind the redaction stage too; ``--ship FILE`` writes it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import facts
from finslm.answering.answers import answer
from finslm.answering.asked import read
from finslm.answering.document import Document, units
from finslm.answering.ranking import Ranker, Reader
from finslm.answering.words import Bm25
from finslm.engine.adapters import weights_sha256
from finslm.evaluate.datasets.answering import DEV_FOLDS, TEST_FOLDS, TRAIN_FOLDS
from finslm.evaluate.datasets.base import Files
from finslm.evaluate.datasets.passages import FOLDS, Passage, Question, read_tatqa
from finslm.evaluate.reading import FrozenReader
from finslm.evaluate.tatqa_metric import exact_match_f1
from finslm.models.registry import Registry
from finslm.train.answering import Case, Corpus, fit
from redaction.ner.weights import default_models_dir
from redaction.restore import restore

RESULTS: Final = Path(__file__).parent / "results" / "qa.json"
CITED: Final = 3
UNANSWERABLE: Final = {"hard": "a similar document", "other": "another document", "gone": "its own, evidence removed"}
_RESAMPLES: Final = 1000

Figures = dict[str, Any]
Scored = list[tuple[str, dict[str, float]]]
"""For each question, the group of its document and figures."""


def recalls(order: Sequence[int], evidence: frozenset[int]) -> dict[str, float]:
    """Share of the evidence among the first three units; also whether any of it is."""
    found = len(set(order[:CITED]) & evidence)
    return {"recall": found / len(evidence), "any": float(found > 0)}


def of_case(ranker: Ranker, case: Case, values: Mapping[str, str]) -> dict[str, float]:
    """Every figure of one question.

    Args:
        values: placeholder to value, for what the caller is shown.
    """
    order = ranker.rank(case.own)
    refused = ranker.confidence(case.own) < ranker.threshold
    figures = {"false abstention": float(refused)}
    for name in UNANSWERABLE:
        if (table := getattr(case, name)) is not None:
            figures[f"abstains: {name}"] = float(ranker.confidence(table) < ranker.threshold)
    question = case.question
    if question.evidence:
        figures |= recalls(order, question.evidence)
    ways = {"": order, "located: ": [*sorted(question.evidence), *(n for n in order if n not in question.evidence)]}
    for prefix, ranked in ways.items():
        exact, f1, unscaled = answered(case.passage, question, ranked, values)
        figures |= {f"{prefix}exact": exact, f"{prefix}f1": f1, f"{prefix}exact without scale": unscaled}
    if not refused:
        figures |= {"exact where answered": figures["exact"]}
    return figures


def answered(
    passage: Passage, question: Question, ranked: Sequence[int], placeholders: Mapping[str, str]
) -> tuple[float, float, float]:
    """Exact match and F1 of the answer, and exact match whatever its scale."""
    found = answer(read(question.text), passage.document, passage.units, ranked)
    values, scale = ([restore(v, placeholders) for v in found.values], found.scale) if found else ([], "")
    exact, f1 = exact_match_f1(question.kind, question.answer, question.scale, values, scale)
    unscaled, _ = exact_match_f1(question.kind, question.answer, "", values, "")
    return exact, f1, max(exact, unscaled)


def validated(cases: Sequence[Case]) -> Scored:
    """Figures of every question by the ranker that was not trained on its document."""
    found: Scored = []
    for test in range(FOLDS // 2):
        held_back, tested = _of(cases, (test + 1) % (FOLDS // 2)), _of(cases, test)
        apart = {case.passage.uid for case in (*held_back, *tested)}
        ranker = fit([case for case in cases if case.passage.uid not in apart], held_back)
        found += [(c.passage.group, of_case(ranker, c, {}) | _kinds(c)) for c in tested]
    return found


def _of(cases: Sequence[Case], fold: int) -> list[Case]:
    """Cases of one of five folds."""
    return [case for case in cases if case.passage.fold // 2 == fold]


def _kinds(case: Case) -> dict[str, float]:
    return {f"kind {case.question.kind}": 1.0, f"source {case.question.source}": 1.0}


def means(scored: Scored) -> dict[str, dict[str, float]]:
    """Mean of each figure over the questions that have it, with a 95 % bootstrap interval over groups of documents."""
    names = sorted({n for _, figures in scored for n in figures if not n.startswith(("kind", "source"))})
    return {name: _interval([(g, f[name]) for g, f in scored if name in f]) for name in names}


def _interval(rows: Sequence[tuple[str, float]]) -> dict[str, float]:
    groups: dict[str, list[float]] = defaultdict(list)
    for group, value in rows:
        groups[group].append(value)
    sums = np.array([(sum(values), len(values)) for values in groups.values()])
    draws = np.random.default_rng(0).integers(0, len(sums), (_RESAMPLES, len(sums)))
    totals = sums[draws].sum(1)
    low, high = np.percentile(totals[:, 0] / totals[:, 1], [2.5, 97.5])
    mean = sums[:, 0].sum() / sums[:, 1].sum()
    return {
        "mean": round(float(mean), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "rows": len(rows),
    }


def by_kind(scored: Scored) -> dict[str, dict[str, dict[str, float]]]:
    """The figures of an answer by what kind of answer it is, and of evidence by where it stands."""
    kinds = sorted({n for _, figures in scored for n in figures if n.startswith(("kind", "source"))})
    wanted = ("recall", "exact", "f1", "exact without scale", "located: exact", "false abstention")
    found = {}
    for kind in kinds:
        own = [(g, {n: f[n] for n in wanted if n in f}) for g, f in scored if kind in f]
        found[kind] = means(own)
    return found


def baselines(passages: Sequence[Passage], cases: Sequence[Case]) -> dict[str, Figures]:
    """Recall of what ranks without training: words, and the frozen encoder's cosine."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit([u.text for p in passages for u in p.units])
    vectors = {p.uid: tfidf.transform([u.text for u in p.units]) for p in passages}
    ways: Mapping[str, Callable[[Case], NDArray[np.float64]]] = {
        "BM25": lambda c: np.array(Bm25([u.text for u in c.passage.units]).scores(c.question.text)),
        "TF-IDF": lambda c: (vectors[c.passage.uid] @ tfidf.transform([c.question.text]).T).toarray()[:, 0],
        "frozen MiniLM, cosine": lambda c: c.own[:, 0],
    }
    located = [case for case in cases if case.question.evidence]
    return {
        name: means([(c.passage.group, recalls(_order(scores(c)), c.question.evidence)) for c in located])
        for name, scores in ways.items()
    }


def _order(scores: NDArray[np.float64]) -> list[int]:
    return [int(place) + 1 for place in np.argsort(-scores, kind="stable")]


@dataclasses.dataclass(slots=True)
class Shown:
    """Passages behind the redaction stage, what it replaced, and of each document placeholder to value."""

    passages: list[Passage] = dataclasses.field(default_factory=list)
    counts: dict[str, int] = dataclasses.field(default_factory=lambda: defaultdict(int))
    values: dict[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)


def redacted(passages: Sequence[Passage]) -> Shown:
    """The passages as the default policy shows them.

    A document and its questions are one text, so that what is the same stays the same; a document whose rows or cells
    no longer come out as they went in is left as it is, and counted.
    """
    from redaction import Redactor

    redactor, shown = Redactor.from_policy(None), Shown()
    for passage in passages:
        lines = list(_lines(passage))
        result = redactor.redact("\n".join(lines))
        changed = result.text.split("\n")
        for name, number in result.entity_counts.items():
            shown.counts[name] += number
        rebuilt = _rebuilt(passage, changed) if len(changed) == len(lines) else None
        shown.counts["documents left as they are"] += rebuilt is None
        shown.counts["documents changed"] += changed != lines
        shown.passages.append(rebuilt or passage)
        shown.values[passage.uid] = result.placeholders
    return shown


def _lines(passage: Passage) -> Iterator[str]:
    for row in passage.document.table:
        yield _flat(" | ".join(cell.replace("|", "/") for cell in row))
    for unit in passage.units:
        if unit.row is None:
            yield _flat(unit.text)
    for question in passage.questions:
        yield _flat(question.text)


def _flat(text: str) -> str:
    return " ".join(text.splitlines())


def _rebuilt(passage: Passage, lines: Sequence[str]) -> Passage | None:
    """The passage with its rows, sentences and questions as these lines have them; None if a row has lost a cell."""
    table, own = passage.document.table, list(passage.units)
    rows = tuple(tuple(line.split(" | ")) for line in lines[: len(table)])
    sentences = [i for i, unit in enumerate(own) if unit.row is None]
    if [*map(len, rows)] != [*map(len, table)]:
        return None
    again = units(Document((), rows))
    if len(again) != len(own) - len(sentences):
        return None
    texts = lines[len(table) : len(table) + len(sentences)]
    asked = lines[len(table) + len(sentences) :]
    said = [dataclasses.replace(own[i], text=text) for i, text in zip(sentences, texts, strict=True)]
    questions = tuple(dataclasses.replace(q, text=text) for q, text in zip(passage.questions, asked, strict=True))
    document = Document(tuple(texts), rows)
    return dataclasses.replace(passage, document=document, units=(*again, *said), questions=questions)


def measure(passages: Sequence[Passage], cases: Sequence[Case]) -> Figures:
    """Figures over all documents, by cross-validation."""
    scored = validated(cases)
    return {
        "documents": len(passages),
        "groups of documents": len({p.group for p in passages}),
        "questions": len(cases),
        "evidence located": sum(bool(case.question.evidence) for case in cases),
        "baselines": baselines(passages, cases),
        "cross-validation": means(scored),
        "by kind": by_kind(scored),
    }


def shipped(cases: Sequence[Case], about: dict[str, object]) -> Ranker:
    """The ranker of the fixed split."""
    of = {
        name: [case for case in cases if case.passage.fold in chosen]
        for name, chosen in (("train", TRAIN_FOLDS), ("threshold", DEV_FOLDS), ("test", TEST_FOLDS))
    }
    questions = {name: len(own) for name, own in of.items()}
    return fit(of["train"], of["threshold"], about | {"questions": questions})


def tested(ranker: Ranker, cases: Sequence[Case], values: Mapping[str, Mapping[str, str]]) -> Figures:
    """Its figures on the test documents.

    Args:
        values: of each document, placeholder to value.
    """
    own = [case for case in cases if case.passage.fold in TEST_FOLDS]
    return means([(c.passage.group, of_case(ranker, c, values.get(c.passage.uid, {}))) for c in own])


def behind(passages: Sequence[Passage], reader: Reader, ranker: Ranker) -> Figures:
    """The figures on the test documents behind the redaction stage, and what it replaced."""
    shown = redacted([p for p in passages if p.fold in TEST_FOLDS])
    cases = list(Corpus(shown.passages, reader).cases())
    return {**tested(ranker, cases, shown.values), "replaced": dict(sorted(shown.counts.items()))}


def about(files: Files) -> dict[str, object]:
    """What the ranker's card says of its data."""
    return {
        "name": "qa",
        "base": "all-minilm-l6-v2, frozen",
        "base_weights_sha256": weights_sha256(Registry(default_models_dir()).resolve("all-minilm-l6-v2").path),
        "data": "TAT-QA dev (Zhu et al. 2021), CC BY 4.0; documents of folds 0 to 5 trained on, 6 for the threshold",
        "data_sha256": dict(files.sha256),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--redacted", action="store_true", help="the test documents behind the redaction stage too")
    parser.add_argument("--ship", type=Path, help="write the ranker of the fixed split")
    options = parser.parse_args()
    begun, files = time.process_time(), Files(options.data / "tatqa")
    passages = read_tatqa(files)
    reader = FrozenReader(Registry(default_models_dir()).resolve("all-minilm-l6-v2").path)
    cases = list(Corpus(passages, reader).cases())
    ranker = shipped(cases, about(files))
    if options.ship:
        ranker.write(options.ship)
    result = {**facts(), **measure(passages, cases), "test documents": tested(ranker, cases, {})}
    if options.redacted:
        result["test documents, redacted"] = behind(passages, reader, ranker)
    result["processor seconds"] = round(time.process_time() - begun, 1)
    text = json.dumps(result, indent=1)
    print(text)
    if options.record:
        RESULTS.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
