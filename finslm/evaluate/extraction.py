"""How often the fields of documents are extracted exactly: what counts, and how it is counted.

A field counts where the document or the answer has a value; where neither has one there is nothing to get right. A
value is right when it is the same text but for the width of spaces; a currency when it is the same code. Rows of an
invoice count cell by cell, in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final, final

import numpy as np

from finslm.tasks.forms import Form
from finslm.types import TaggedSpan
from redaction.restore import restore

_SAMPLES: Final = 1000
"""Resamplings of the bootstrap."""
_BINS: Final = 10

Cell = tuple[str, Any, Any]
"""Field, what is right, what was answered."""


def gold(form: Form, text: str, spans: Iterable[tuple[int, int, str]]) -> dict[str, Any]:
    """The document that spans of a raw text make."""
    tagged = [TaggedSpan(start, end, f"{form.task}.{name}", 1.0) for start, end, name in spans]
    filled = form.fill(text, tagged)
    return form.complete(filled, filled)


def answered(form: Form, text: str, spans: Sequence[TaggedSpan], placeholders: Mapping[str, str]) -> dict[str, Any]:
    """The document that an adapter's spans of a redacted text make."""
    filled = form.fill(text, spans)
    return form.complete(filled, _restored(filled, placeholders))


def cells(form: Form, right: Mapping[str, Any], answer: Mapping[str, Any]) -> list[Cell]:
    """The fields that count, those of rows as ``items.field``."""
    found = [(name, right[name], answer[name]) for name in form.fields]
    nothing: Mapping[str, Any] = {}
    rows = zip_longest(right.get("items", ()), answer.get("items", ()), fillvalue=nothing)
    found += [(f"items.{name}", a.get(name), b.get(name)) for a, b in rows for name in form.items]
    return [(name, _plain(a), _plain(b)) for name, a, b in found if a is not None or b is not None]


@final
@dataclass
class Tally:
    """Counts over documents.

    Args:
        documents: for each, fields right and fields that count.
        fields: right and all, by ``task.field``.
        sure: score and whether it was right, of each field with one value that was answered.
    """

    documents: list[tuple[int, int]] = field(default_factory=list)
    fields: dict[str, Counter[bool]] = field(default_factory=dict)
    sure: list[tuple[float, bool]] = field(default_factory=list)

    def add(self, form: Form, found: Sequence[Cell], scores: Mapping[str, float]) -> None:
        """Count a document."""
        for name, right, answer in found:
            self.fields.setdefault(f"{form.task}.{name}", Counter())[right == answer] += 1
            if name in scores:
                self.sure.append((scores[name], right == answer))
        self.documents.append((sum(right == answer for _, right, answer in found), len(found)))

    def as_dict(self) -> dict[str, Any]:
        """Exact match by field with its 95 % bootstrap interval over documents, of whole documents, and calibration."""
        pairs = np.array(self.documents, dtype=float)
        picks = np.random.default_rng(0).integers(0, len(pairs), (_SAMPLES, len(pairs)))
        sums = pairs[picks].sum(1)
        low, high = np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975))
        return {
            "documents": len(pairs),
            "fields": int(pairs[:, 1].sum()),
            "exact": round(float(pairs[:, 0].sum() / pairs[:, 1].sum()), 4),
            "exact_low": round(float(low), 4),
            "exact_high": round(float(high), 4),
            "whole_documents": round(float((pairs[:, 0] == pairs[:, 1]).mean()), 4),
            "calibration_error": round(calibration_error(self.sure), 4),
            "by_field": {name: round(counts[True] / counts.total(), 4) for name, counts in sorted(self.fields.items())},
        }


def calibration_error(sure: Sequence[tuple[float, bool]]) -> float:
    """Expected calibration error over ten bins of equal width (Guo et al. 2017, arXiv:1706.04599)."""
    if not sure:
        return 0.0
    scores, right = np.array([score for score, _ in sure]), np.array([is_right for _, is_right in sure])
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    return float(
        sum(
            abs(scores[bins == number].mean() - right[bins == number].mean()) * (bins == number).mean()
            for number in np.unique(bins)
        )
    )


def _restored(tree: Any, placeholders: Mapping[str, str]) -> Any:
    if isinstance(tree, str):
        return restore(tree, placeholders)
    if isinstance(tree, list):
        return [_restored(item, placeholders) for item in tree]
    if isinstance(tree, dict):
        return {name: _restored(item, placeholders) for name, item in tree.items()}
    return tree


def _plain(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value
