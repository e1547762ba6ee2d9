"""A classification adapter on the test rows of its recipe, computed by the runner that serves it, beside baselines."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from finslm.config import EngineSettings
from finslm.engine import bases
from finslm.engine.adapters import AdapterCard, check_partner, encode, fingerprint, shortened
from finslm.engine.classifier import ENCODERS
from finslm.engine.cpu import available_cpus
from finslm.engine.loading import load_encoder, load_runner
from finslm.errors import ConfigError
from finslm.evaluate.baselines import frozen_encoder, tfidf_svm
from finslm.evaluate.classifiers import Evaluation, Truth, evaluate
from finslm.evaluate.data import Dataset
from finslm.evaluate.datasets import Example
from finslm.evaluate.metrics import Labels, Probabilities, Scores, score

BATCH: Final = 32
"""Texts that are handed to the runner at once, as the service does under load."""
MESSAGE_TOKENS: Final = 64
"""Length of the message whose time is taken."""
_TIMES: Final = 30
_KEY: Final = "measured"
"""What the runner knows the adapter by; an empty one is the base itself."""

Redact = Callable[[Sequence[str]], Sequence[str]]
"""Texts to what the model is shown of them."""


@final
@dataclass(frozen=True, slots=True)
class AdapterReport:
    """How an adapter does, as it is served."""

    name: str
    as_they_are: Evaluation
    redacted: Evaluation | None
    """On the same rows behind the redaction stage; None where it was not asked for."""
    changed: int
    """Test rows in which the redaction stage replaced something."""
    baselines: dict[str, Scores]
    """On the rows in scope."""
    facts: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "adapter": self.name,
            "as_they_are": self.as_they_are.as_dict(),
            "redacted": None if self.redacted is None else self.redacted.as_dict(),
            "rows_changed_by_redaction": self.changed,
            "baselines": {name: scores.as_dict() for name, scores in self.baselines.items()},
            **self.facts,
        }


@final
class ServedClassifier:
    """One adapter, loaded and computed as the service does it.

    Args:
        folder: of the adapter.
        base_dir: model folder of its base.
        settings: runner and weights.
        threads: of a step.
        partner: folder and base of the adapter that it answers together with.

    Raises:
        ConfigError: a folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        base_dir: Path,
        settings: EngineSettings,
        threads: int,
        partner: tuple[Path, Path] | None = None,
    ) -> None:
        self.card = AdapterCard.read(folder)
        if (wanted := self.card.partner) is not None and (partner is None or fingerprint(partner[0]) != wanted.sha256):
            raise ConfigError(f"adapter {self.card.name} answers together with {wanted.adapter}, of another version")
        self.partner = None if partner is None or wanted is None else ServedClassifier(*partner, settings, threads)
        if self.partner is not None:
            check_partner(self.card, self.partner.card)
        self.tokenizer = bases.tokenizer(base_dir)
        if bases.model_type(base_dir) in ENCODERS:
            self._runner: Any = load_encoder(base_dir, settings, threads)
        else:
            self._runner = load_runner(base_dir, (self.card,), settings, threads, lambda: 0)
        prepared = self._runner.prepare(_KEY, folder)
        self.nbytes = prepared.nbytes
        self._runner.adopt(prepared)

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """[N, labels], rows sum to 1.

        Raises:
            ConfigError: a text is longer than the adapter takes.
        """
        number = {label: i for i, label in enumerate(self.card.labels)}
        rows = [shortened(encode(self.tokenizer, text), self.card) for text in texts]
        if (longest := max(map(len, rows))) > self.card.max_tokens:
            raise ConfigError(
                f"a text has {longest} tokens, {self.card.name} takes {self.card.max_tokens}: leave it out"
            )
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        out = np.zeros((len(rows), len(number)))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            for i, scores in zip(chosen, self._runner.classify([(_KEY, rows[i]) for i in chosen]), strict=True):
                for each in scores:
                    out[i, number[each.label]] = each.score
        if self.partner is None or self.card.partner is None:
            return out
        theirs = self.partner.probabilities(texts)
        places = [self.partner.card.labels.index(label) for label in self.card.labels]
        return self.card.partner.pooled(out, theirs[:, places])

    def seconds(self, texts: Sequence[str]) -> float:
        """Median time to classify these at once, of a few times; that of a partner is added, as they take turns."""
        rows = [shortened(encode(self.tokenizer, text), self.card) for text in texts]
        times = []
        for _ in range(_TIMES):
            begun = time.perf_counter()
            self._runner.classify([(_KEY, row) for row in rows])
            times.append(time.perf_counter() - begun)
        return statistics.median(times) + (0.0 if self.partner is None else self.partner.seconds(texts))


def measure(
    folder: Path,
    base_dir: Path,
    dataset: Dataset,
    settings: EngineSettings,
    *,
    redact: Redact | None = None,
    encoder_dir: Path | None = None,
    partner: tuple[Path, Path] | None = None,
) -> AdapterReport:
    """Score an adapter and its baselines on the dataset's test rows.

    Args:
        folder: of the adapter.
        base_dir: model folder of its base.
        dataset: rows; its labels are the adapter's.
        settings: runner and weights.
        redact: the redaction stage; None: not measured behind it.
        encoder_dir: model folder of a frozen encoder to compare with; None: without.
        partner: folder and base of the adapter that it answers together with, where its card names one.

    Raises:
        ConfigError: a folder cannot be used, or the dataset has other labels than the adapter.
    """
    served = ServedClassifier(folder, base_dir, settings, settings.threads or available_cpus(), partner)
    served_labels, labels = served.card.labels, dataset.labels
    if served_labels != labels:
        raise ConfigError(
            f"adapter {served.card.name} has {len(served_labels)} labels, the recipe's rows have {len(labels)} others: "
            "give the recipe that it was trained by"
        )
    texts = [row.text for row in dataset.test]
    begun = time.perf_counter()
    test = served.probabilities(texts)
    rate = len(texts) / (time.perf_counter() - begun)
    truth = Truth(labels, _numbers(dataset.test, labels), dataset.seen)
    dev, of_dev = served.probabilities([row.text for row in dataset.dev]), _numbers(dataset.dev, labels)
    dev_truth = Truth(labels, of_dev)
    shown = None if redact is None else redact(texts)
    message = _message(served, texts)
    return AdapterReport(
        name=served.card.name,
        as_they_are=evaluate(test, truth, dev, dev_truth),
        redacted=None if shown is None else evaluate(served.probabilities(shown), truth, dev, dev_truth),
        changed=0 if shown is None else sum(a != b for a, b in zip(texts, shown, strict=True)),
        baselines=_baselines(dataset, truth, encoder_dir),
        facts={
            "rows": {"train": len(dataset.train), "dev": len(dataset.dev), "test": len(dataset.test)},
            "labels": len(labels),
            "texts_a_second": round(rate, 1),
            "message_ms": round(1000 * served.seconds([message]), 2),
            "messages_a_second_batched": round(BATCH / served.seconds([message] * BATCH), 1),
            "adapter_bytes": served.nbytes + (0 if served.partner is None else served.partner.nbytes),
            "partner": None if served.card.partner is None else served.card.partner.adapter,
            "process_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "cpu_hours_for_a_million": round(available_cpus() * 1e6 / rate / 3600, 2),
            "data_sha256": dataset.file_sha256,
        },
    )


def _numbers(rows: Sequence[Example], labels: Sequence[str]) -> Labels:
    number = {label: i for i, label in enumerate(labels)}
    return np.array([number.get(row.label, -1) for row in rows], np.int64)


def _message(served: ServedClassifier, texts: Sequence[str]) -> str:
    """Words of the test rows, one behind the other, that make a message of as many tokens as its time is taken for."""
    words: list[str] = []
    for word in " ".join(texts[:50]).split():
        if len(encode(served.tokenizer, " ".join([*words, word]))) > MESSAGE_TOKENS:
            break
        words.append(word)
    return " ".join(words)


def _baselines(dataset: Dataset, truth: Truth, encoder_dir: Path | None) -> dict[str, Scores]:
    rows = [*dataset.train, *dataset.dev]  # no baseline needs dev rows, so they may have them all
    of = _numbers(rows, dataset.labels)
    inside = np.flatnonzero(truth.inside).tolist()
    texts, test = [row.text for row in rows], [dataset.test[i].text for i in inside]
    found = {"TF-IDF + linear SVM": score(tfidf_svm(texts, of, test), truth.of[inside])}
    if encoder_dir is not None:
        predicted = frozen_encoder(encoder_dir, texts, of, test)
        found["frozen MiniLM + logistic regression"] = score(predicted, truth.of[inside])
    return found
