"""Scores of found spans against the true ones: by character and type, and by presidio-research's span method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import spacy
from presidio_evaluator.evaluation import SpanEvaluator
from presidio_evaluator.evaluation.skipwords import get_skip_words


class Span(NamedTuple):
    start: int
    end: int
    type: str


FAMILIES: Mapping[str, str] = {
    # presidio-research's own hierarchy puts these four under one branch: where a street ends and a city
    # begins is a matter of the labels' style
    "GPE": "ADDRESS",
    "LOCATION": "ADDRESS",
    "STREET_ADDRESS": "ADDRESS",
    "ZIP_CODE": "ADDRESS",
    "DOMAIN_NAME": "URL",
    "DRIVER_LICENSE": "US_DRIVER_LICENSE",
    "DATE_OF_BIRTH": "DATE_TIME",
    "IBAN": "IBAN_CODE",
}
"""Types that count as the same."""

UNCLAIMED = frozenset({"TITLE"})
"""Labels for which we have no type; their characters count for nobody."""


class Score(NamedTuple):
    recall: float
    precision: float
    by_type: dict[str, tuple[int, float, float]]


def family(type_: str) -> str:
    return FAMILIES.get(type_, type_)


def by_character(
    truth: Sequence[Sequence[Span]],
    found: Sequence[Sequence[Span]],
    *,
    typed: bool = True,
    texts: Sequence[str] | None = None,
) -> Score:
    """Characters covered by the right type (``typed``) or by any.

    With ``texts`` only letters and digits count: the labels part an address at its line breaks and commas,
    which we cover as one.
    """
    right: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for number, (true_spans, found_spans) in enumerate(zip(truth, found, strict=True)):
        true, said = _characters(true_spans), _characters(found_spans)
        for at in true.keys() | said.keys():
            if texts is not None and not texts[number][at].isalnum():
                continue
            a, b = true.get(at), said.get(at)
            if a in UNCLAIMED:
                continue
            if a and b and (family(a) == family(b) or not typed):
                right[family(a)] += 1
                continue
            if a:
                missed[family(a)] += 1
            if b:
                wrong[family(b)] += 1
    by_type = {
        name: (
            right[name] + missed[name],
            right[name] / max(1, right[name] + missed[name]),
            right[name] / max(1, right[name] + wrong[name]),
        )
        for name in sorted(right.keys() | missed.keys() | wrong.keys())
    }
    total = sum(right.values())
    return Score(total / (total + sum(missed.values())), total / max(1, total + sum(wrong.values())), by_type)


def _characters(spans: Sequence[Span]) -> dict[int, str]:
    return {at: span.type for span in spans for at in range(span.start, span.end)}


def span_f2(
    texts: Sequence[str], truth: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]], iou: float
) -> float:
    """F2 over all personal data by presidio-research's SpanEvaluator: spans match at an overlap of ``iou``."""
    tokenizer = spacy.blank("en")
    rows: list[dict[str, Any]] = []
    for number, (text, true_spans, found_spans) in enumerate(zip(texts, truth, found, strict=True)):
        true, said = _characters(true_spans), _characters(found_spans)
        for token in tokenizer.make_doc(text):
            label, prediction = true.get(token.idx, "O"), said.get(token.idx, "O")
            if label in UNCLAIMED:
                label = prediction = "O"
            rows.append(
                {
                    "sentence_id": number,
                    "token": token.text,
                    "annotation": family(label),
                    "prediction": family(prediction),
                    "start_indices": token.idx,
                }
            )
    evaluator = SpanEvaluator(iou_threshold=iou, skip_words=get_skip_words())
    return float(evaluator.calculate_score_on_df(pd.DataFrame(rows), beta=2, level="pii").pii_f)
