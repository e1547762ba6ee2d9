"""The rows that a student learns: those of a dataset, with the rationale of each where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from finslm.errors import ConfigError
from finslm.evaluate.baselines import tfidf_svm
from finslm.evaluate.datasets import Example, Files
from finslm.evaluate.datasets.explained import Rationales, rationales
from finslm.evaluate.metrics import Labels
from finslm.train.distilling.encoding import Explainable
from finslm.train.distilling.recipe import DistilRecipe
from redaction import Redacted, Redactor
from redaction.errors import RedactionError
from redaction.for_good import known_placeholders_kept

_AT_ONCE: Final = 256
"""Texts that go through the redactor together."""


def share_of(rows: Sequence[Example], share: float) -> Sequence[Example]:
    """The first rows, at least one; they are shuffled already, so a smaller share is part of a larger one."""
    return rows[: max(1, round(len(rows) * share))]


def explainable(rows: Sequence[Example], why: Rationales) -> list[Explainable]:
    """Rows with their rationale, where there is one."""
    return [Explainable(row.text, row.label, why.get((row.text, row.label))) for row in rows]


def linear(train: Sequence[str], labels: Labels, test: Sequence[str]) -> Labels:
    """What TF-IDF and a linear SVM predict; a share that has one label only is answered with that one.

    Args:
        train: [N] texts.
        labels: [N] label ids.
        test: [M] texts.

    Returns:
        [M] label ids.
    """
    if len({*labels.tolist()}) == 1:
        return np.full(len(test), labels[0])
    return tfidf_svm(train, labels, test)


def own_rationales(recipe: DistilRecipe, data: Path) -> dict[tuple[str, str], str]:
    """Text and label → rationale, of the data sets of a recipe, as they are.

    Raises:
        ConfigError: a set has none, or its files cannot be used.
    """
    found: dict[tuple[str, str], str] = {}
    for part in recipe.data.parts:
        own = rationales(part.dataset, Files(data / part.path, skip_bad=True), part.options)
        found |= {(text, part.label or label): rationale for (text, label), rationale in own.items()}
    return found


def own_redacted(why: Rationales, redactor: Redactor) -> dict[tuple[str, str], str]:
    """Redacted text and label → their rationale, in which the same values stand as the same placeholders.

    Raises:
        ConfigError: a text cannot be redacted.
    """
    raw = list(dict.fromkeys(text for text, _ in why))
    redacted = dict(zip(raw, _redacted(raw, redactor), strict=True))
    return {
        (known_placeholders_kept(redacted[text]), label): _with_placeholders(rationale, redacted[text])
        for (text, label), rationale in why.items()
    }


def redact_rationales(why: Rationales, redactor: Redactor) -> dict[tuple[str, str], str]:
    """Text and label → rationale redacted.

    A teacher may have made up a name, or a set may have one in its rationales only. One in which the second look finds
    something is left out: it is not learned.

    Raises:
        ConfigError: a rationale cannot be redacted.
    """
    shown = zip(why, _redacted(list(why.values()), redactor), strict=True)
    return {row: known_placeholders_kept(each) for row, each in shown if not redactor.second_look(each)}


def _with_placeholders(rationale: str, redacted: Redacted) -> str:
    """The longest values first: one may be part of another."""
    for placeholder, value in sorted(redacted.placeholders.items(), key=lambda item: -len(item[1])):
        rationale = rationale.replace(value, placeholder)
    return rationale


def _redacted(texts: Sequence[str], redactor: Redactor) -> Iterator[Redacted]:
    try:
        for at in range(0, len(texts), _AT_ONCE):
            yield from redactor.redact_batch(texts[at : at + _AT_ONCE])
    except RedactionError as error:
        raise ConfigError(f"the rationales cannot be redacted: {error}") from None
