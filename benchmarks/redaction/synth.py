"""presidio-research's synth_dataset_v2 (MIT): 1,500 sentences with names and places of many cultures planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.redaction.measure import Score, Span, by_character, span_f2
from benchmarks.redaction.systems import Find

FILE = Path("pii") / "synth_dataset_v2.json"
IOU = (0.9, 0.75)
"""presidio-research's default, and what its notebook of the tuned figure uses today."""


def load(data: Path) -> tuple[list[str], list[list[Span]]]:
    rows = json.loads((data / FILE).read_text("utf-8"))
    spans = [[Span(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]] for row in rows]
    return [row["full_text"] for row in rows], spans


def measure(find: Find, data: Path) -> dict[str, Any]:
    texts, truth = load(data)
    found = find(texts)
    typed, any_type = by_character(truth, found), by_character(truth, found, typed=False)
    return {
        "rows": len(texts),
        "typed": _pair(typed),
        "any_type": _pair(any_type),
        "worded": _pair(by_character(truth, found, texts=texts)),
        "span_f2": {str(iou): round(span_f2(texts, truth, found, iou), 4) for iou in IOU},
        "by_type": {
            name: {"characters": count, "recall": round(recall, 4), "precision": round(precision, 4)}
            for name, (count, recall, precision) in typed.by_type.items()
        },
    }


def _pair(score: Score) -> dict[str, float]:
    return {"recall": round(score.recall, 4), "precision": round(score.precision, 4)}
