"""Metrics against hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest

from finslm.evaluate.baselines import tfidf_svm
from finslm.evaluate.metrics import expected_calibration_error, macro_f1, score


def test_perfect_predictions():
    """All ones, and an interval of no width."""
    truth = np.array([0, 1, 2, 1])
    figures = score(truth, truth)
    assert (figures.accuracy, figures.accuracy_low, figures.accuracy_high, figures.macro_f1) == (1, 1, 1, 1)


def test_macro_f1_weighs_labels_alike():
    """Label 0: 2 of 3 found, one false; label 1 never found."""
    assert macro_f1(np.array([0, 0, 1, 0]), np.array([0, 0, 0, 1])) == pytest.approx((2 * 2 / 6 + 0) / 2)


def test_calibration_error_of_an_overconfident_model():
    """Sure of everything and right half the time: 0.5."""
    probabilities = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert expected_calibration_error(probabilities, np.array([0, 1])) == pytest.approx(0.5)


def test_top3_and_interval():
    """The third label counts; the interval holds the accuracy."""
    probabilities = np.array([[0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1]] * 10)
    truth = np.array([2, 3] * 10)
    figures = score(probabilities.argmax(1), truth, probabilities)
    assert figures.top3 == 0.5
    assert figures.accuracy_low <= figures.accuracy <= figures.accuracy_high


def test_the_baseline_learns_words():
    """Two labels told apart by a word."""
    texts = [f"my card is lost {i}" for i in range(10)] + [f"send money abroad {i}" for i in range(10)]
    predicted = tfidf_svm(texts, np.array([0] * 10 + [1] * 10), ["lost card", "abroad money"])
    assert predicted.tolist() == [0, 1]
