"""``finslm evaluate`` on a shipped adapter and rows of our own, as served, redacted, beside baselines."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from finslm.cli import app
from redaction.ner.weights import default_models_dir

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(
        not (default_models_dir() / "all-minilm-l6-v2").is_dir(), reason="the model is not pulled: finslm models pull"
    ),
]

FIRMS = ("Acme", "Globex", "Initech", "Umbrella", "Hooli", "Stark", "Wayne", "Soylent", "Vandelay", "Wonka")
SAID = {
    "bearish": ("{} shares plunge after a profit warning", "{} downgraded to Sell, price target cut"),
    "bullish": ("{} stock jumps as earnings beat estimates", "{} upgraded to Buy, price target raised"),
    "neutral": ("{} to publish its annual report on Monday", "{} names a new head of human resources"),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two ways to say each label, of six firms to train on and four others to test on."""
    for split, firms in (("train", FIRMS[:6]), ("test", FIRMS[6:])):
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            rows = [[said.format(firm), label] for label, all_ in SAID.items() for said in all_ for firm in firms]
            csv.writer(file).writerows([["text", "label"], *rows])
    write_recipe(tmp_path, {"train": "train.csv", "test": "test.csv"})
    return tmp_path


def write_recipe(folder: Path, options: dict[str, str]) -> None:
    from finslm.train import recipe as recipes

    whole = recipes.read("sentiment").model_dump(mode="json")
    whole["data"] = {"parts": [{"dataset": "csv", "path": ".", "options": options}], "dev_share": 0.2}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(whole))


def run(data: Path, *more: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        app, ["evaluate", "sentiment", "--data", str(data), "--recipe", str(data / "recipe.yaml"), *more]
    )
    return done.exit_code, done.output if done.exception is None or done.exit_code == 0 else str(done.exception)


def test_figures_as_served_redacted_and_beside_baselines(data: Path) -> None:
    code, output = run(data, "--out", str(data / "report"), "--json")
    assert code == 0, output
    report = json.loads(output[output.index("{") :])
    assert report["as_they_are"]["accuracy"] > 0.9
    assert report["redacted"]["accuracy"] > 0.9
    assert report["as_they_are"]["rows"] == 24
    assert set(report["baselines"]) == {"TF-IDF + linear SVM", "frozen MiniLM + logistic regression"}
    assert 0 < report["message_ms"] < 10_000
    assert report["messages_a_second_batched"] > 0
    assert report == json.loads((data / "report" / "evaluation.json").read_text())
    page = (data / "report" / "evaluation.md").read_text()
    assert "| sentiment, redacted text |" in page
    assert (data / "report" / "coverage.png").read_bytes().startswith(b"\x89PNG")


def test_a_recipe_with_other_labels_is_refused(data: Path) -> None:
    with (data / "train.csv").open("a") as file:
        file.write("a new kind,rumour\n" * 30)
    code, output = run(data, "--no-redacted")
    assert code != 0
    assert "the recipe's rows have 4 others" in output


def test_a_malformed_row_is_named_or_counted(data: Path) -> None:
    with (data / "test.csv").open("a") as file:
        file.write(",neutral\n")
    code, output = run(data, "--no-redacted")
    assert code != 0
    assert "test.csv, line 26: the text is empty" in output
    code, output = run(data, "--no-redacted", "--skip-bad-rows", "--json")
    assert code == 0, output
    assert json.loads(output[output.index("{") :])["redacted"] is None
