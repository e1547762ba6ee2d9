"""``python -m benchmarks.filings`` on questions and calls of our own, with a reader whose vectors are words."""

from __future__ import annotations

import hashlib

import numpy as np

from benchmarks.filings import evidence, lead
from finslm.answering.ranking import SHIPPED, Ranker, Reading
from finslm.evaluate.datasets.reports import FilingQuestion, Proof, Transcript

PAGE = "\n".join([
    "3M Company and Subsidiaries", "Purchases of property, plant and equipment 1577", "Proceeds from sales 262",
    "Net cash from investing activities 222", "Repayment of debt 1034", "Dividends paid to shareholders 3193",
])  # fmt: skip


class Words:
    """Reads a word as a vector of its own."""

    def read(self, texts):
        return [self._one(text.lower().split()) for text in texts]

    def _one(self, words):
        ids = [0, *(int(hashlib.sha256(w.encode()).hexdigest()[:6], 16) for w in words), 1]
        hidden = np.stack([np.random.default_rng(i).normal(size=64) for i in ids]).astype(np.float32)
        return Reading.of(ids, hidden)


def question(number: int, text: str, said: str) -> FilingQuestion:
    return FilingQuestion(f"q{number}", text, "x", "3M_2018_10K", (Proof(said, PAGE, 59, "3M_2018_10K"),))


def test_evidence_of_a_filing():
    """One whose extract is not on the page as it stands is counted apart."""
    asked = [
        question(1, "How much were the purchases of property, plant and equipment?", "Purchases of property, plant"),
        question(2, "What dividends were paid to shareholders?", "Dividends paid to shareholders 3193"),
        question(3, "What is the outlook?", "nowhere"),
    ]
    figures = evidence(asked, Words(), Ranker.read(SHIPPED))
    assert (figures["questions"], figures["evidence located"]) == (3, 2)
    assert figures["any of it among three"] == figures["the same, by words alone"] == 1.0
    assert 0 <= figures["refused"] <= 1
    assert evidence(asked[2:], Words(), Ranker.read(SHIPPED))["refused"] is None


def test_the_first_sentences_stand_for_a_summary():
    call = Transcript("a", "Sales rose. " + "Good day to you. " * 9, "sales rose")
    assert lead([call]) == {"calls": 1, "rouge1": 0.2, "rouge2": 0.1111, "rouge_l": 0.2}
