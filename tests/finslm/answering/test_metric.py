"""The metric of TAT-QA against worked examples of its rules."""

from __future__ import annotations

import pytest

from finslm.evaluate.tatqa_metric import exact_match_f1


@pytest.mark.parametrize(
    ("kind", "truth", "scale", "answer", "own_scale", "exact"),
    [
        ("arithmetic", ["-12.6"], "million", ["-12.6"], "million", 1.0),
        ("arithmetic", ["-12.6"], "million", ["-12600"], "thousand", 1.0),
        ("arithmetic", ["-12.6"], "million", ["-12.6"], "", 0.0),
        ("arithmetic", ["-22.22"], "percent", ["-22.2222"], "percent", 1.0),
        ("arithmetic", ["23.42"], "percent", ["0.2342"], "", 1.0),
        ("span", ["$1,496.5"], "million", ["1496.5"], "million", 1.0),
        ("span", ["(494)"], "million", ["-494"], "million", 1.0),
        ("span", ["27.1%"], "", ["27.1"], "percent", 1.0),
        ("multi-span", ["Billed", "Unbilled"], "", ["Unbilled", "Billed"], "", 1.0),
        ("multi-span", ["Billed", "Unbilled"], "", ["Billed"], "", 0.0),
        ("span", ["The Americas."], "", ["americas"], "", 1.0),
        ("count", ["3"], "", ["3.0"], "", 1.0),
        ("span", ["2019"], "", [], "", 0.0),
    ],
)
def test_exact_match(kind: str, truth: list[str], scale: str, answer: list[str], own_scale: str, exact: float) -> None:
    assert exact_match_f1(kind, truth, scale, answer, own_scale)[0] == exact


def test_f1_counts_words_once() -> None:
    """Two of three words right, none wrong: precision 1, recall 2/3."""
    assert exact_match_f1("span", ["gross profit margin"], "", ["gross profit"], "") == (0.0, 0.8)


def test_a_wrong_number_has_no_f1() -> None:
    """A number is right or wrong."""
    assert exact_match_f1("arithmetic", ["12 5"], "", ["12"], "")[1] == 0.0
