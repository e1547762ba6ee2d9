"""The systems that are compared, each as texts in, spans out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.redaction.measure import Span
from redaction import Policy, Redactor
from redaction.ner.weights import default_models_dir
from redaction.presidio import stock_analyzer
from redaction.recognizers.scan import Recognizers

Find = Callable[[Sequence[str]], list[list[Span]]]

PRESIDIO_THRESHOLD = 0.35
"""The threshold at which our figures of stock Presidio were first taken; its recall is best at a low one."""


def ours(redactor: Redactor | None = None) -> Find:
    """finslm's redactor with its built-in policy."""
    redactor = redactor or Redactor.from_policy()

    def find(texts: Sequence[str]) -> list[list[Span]]:
        found = redactor.analyze_stream(texts)
        return [[Span(d.start, d.end, d.type) for d in detections] for detections in found]

    return find


def patterns_only() -> Find:
    """finslm's recognizers on all views of the text, without the classifier."""
    recognizers = Recognizers()
    redactor = Redactor(Policy.builtin(), [recognizers], [recognizers])
    return ours(redactor)


def presidio(models_dir: Path | None = None) -> Find:
    """Presidio as it comes, with the small English spaCy model."""
    analyzer = stock_analyzer(models_dir or default_models_dir())

    def find(texts: Sequence[str]) -> list[list[Span]]:
        return [_best(analyzer.analyze(text, "en", score_threshold=PRESIDIO_THRESHOLD)) for text in texts]

    return find


def _best(results: Sequence[object]) -> list[Span]:
    """Where results overlap, the better one names the characters: they are laid over each other, best last."""
    ordered = sorted(results, key=lambda r: (r.score, r.end - r.start))  # type: ignore[attr-defined]
    return [Span(r.start, r.end, r.entity_type) for r in ordered]  # type: ignore[attr-defined]
