"""Rows are redacted as served texts are, once, and the data card says what was found but no value."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, ModelCard
from prometheus_client import CollectorRegistry

from finslm.config import RedactionSettings
from finslm.errors import ConfigError
from finslm.evaluate.data import load
from finslm.redacting import Redacting
from finslm.telemetry.metrics import Metrics
from finslm.train import card, datacard
from finslm.train.redacted import redact
from finslm.types import Call, Principal
from redaction import RawText, Redacted, Redactor
from redaction.vault.memory import MemoryVault

TEXTS = [
    "I am Ann Lee and Ann Lee's card 4111 1111 1111 1111 was charged twice",
    "write to ann.lee@example.com or to bob@example.com about <PERSON_1>",
    "nothing of anybody in here",
]


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor.from_policy(None, budget_s=60)


@pytest.fixture
def dataset(make_recipe, data):
    """The first rows hold personal data; the last one to train on is, redacted, a test row."""
    lines = (data / "train.csv").read_text().splitlines()
    quoted = [f'"{text}",card_lost' for text in TEXTS]
    (data / "train.csv").write_text("\n".join([*lines, *quoted, "call +44 20 7946 0958,card_lost"]) + "\n")
    with (data / "test.csv").open("a") as file:
        file.write("call +44 20 7946 0321,card_lost\n")
    recipe = make_recipe()
    return load(recipe.data, data, recipe.seed)


class Counting:
    """Passes on to a redactor, and counts the texts."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor, self.texts = redactor, 0
        self.digest, self.policy = redactor.digest, redactor.policy

    def redact_batch(self, texts) -> list[Redacted]:
        self.texts += len(texts)
        return self._redactor.redact_batch(texts)

    def second_look(self, redacted):
        return self._redactor.second_look(redacted)


def test_training_sees_what_serving_shows(redactor, dataset, tmp_path):
    """The same placeholders as the pipeline's steps (6) to (8); but what is redacted already stays as it is."""
    shown, _ = redact(dataset, redactor, tmp_path)
    redacting = Redacting(redactor, RedactionSettings(), Metrics(CollectorRegistry()), MemoryVault())
    call = Call("1", Principal("test"), "InferenceService/Classify")
    served = [asyncio.run(redacting.redact(call, RawText(text))).text for text in TEXTS if "<" not in text]
    redacting.close()
    trained = {row.text for row in (*shown.train, *shown.dev)}
    assert trained >= {*served, "write to <EMAIL_ADDRESS_1> or to <EMAIL_ADDRESS_2> about <PERSON_1>"}
    assert any("<PERSON_1>" in text and "<CREDIT_CARD_1>" in text for text in served)


def test_what_becomes_a_test_row_is_dropped(redactor, dataset, tmp_path):
    """Two telephone numbers, one placeholder: the row would be trained and tested on."""
    shown, redaction = redact(dataset, redactor, tmp_path)
    assert redaction.overlap == 1
    assert not {row.text for row in (*shown.train, *shown.dev)} & {row.text for row in shown.test}
    assert len(shown.train) + len(shown.dev) == len(dataset.train) + len(dataset.dev) - 1
    assert [len(shown.origins[split]) for split in ("train", "dev", "test")] == [
        len(rows) for rows in (shown.train, shown.dev, shown.test)
    ]


def test_nothing_is_gone_through_twice(redactor, dataset, tmp_path):
    """From the cache; half a line of a run that was killed is made anew, and only what is missing."""
    counting = Counting(redactor)
    first = redact(dataset, counting, tmp_path / "cache")
    everything = counting.texts
    assert redact(dataset, counting, tmp_path / "cache") == first
    assert counting.texts == everything
    (file,) = (tmp_path / "cache").iterdir()
    content = file.read_text()
    assert "Ann Lee" not in content
    file.write_text(content[: content.index("\n", 400) + 5])
    assert redact(dataset, counting, tmp_path / "cache") == first
    assert everything < counting.texts < 2 * everything
    assert file.read_text() == content


def test_a_damaged_cache_is_said(redactor, dataset, tmp_path):
    """Not read as if it were texts."""
    redact(dataset, redactor, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    file.write_text("no json\n" + file.read_text())
    with pytest.raises(ConfigError, match="damaged"):
        redact(dataset, redactor, tmp_path / "cache")


class Blind(Counting):
    """Misses everything, as a damaged model might; the second look is the real one."""

    def redact_batch(self, texts) -> list[Redacted]:
        return [Redacted(text, (), {}, {}, {}) for text in texts]


def test_what_the_second_look_finds_ends_the_run_or_is_left_out(redactor, dataset, tmp_path):
    """As serving refuses such a text."""
    with pytest.raises(ConfigError, match=r"CREDIT_CARD.*--skip-bad-rows") as refusal:
        redact(dataset, Blind(redactor), tmp_path / "a")
    assert "4111" not in str(refusal.value)
    shown, redaction = redact(dataset, Blind(redactor), tmp_path / "b", skip_bad=True)
    assert redaction.refused >= 1
    assert not any("4111" in row.text for row in (*shown.train, *shown.dev, *shown.test))


class TestCards:
    def test_the_data_card_says_all_but_values(self, redactor, dataset, make_recipe, tmp_path):
        """Front matter that the hub reads; counts; nobody's name or number."""
        shown, redaction = redact(dataset, redactor, tmp_path / "cache")
        datacard.write(make_recipe(), shown, redaction, tmp_path)
        told = DatasetCard.load(tmp_path / "DATA_CARD.md", ignore_metadata_errors=False)
        assert told.data.license == ["other"]
        assert told.data.task_categories == ["text-classification"]
        for text in (*(f"`{digest}`" for digest in dataset.file_sha256.values()), redactor.policy.digest):
            assert text in told.text
        assert "| CREDIT_CARD | 1 (1)" in told.text
        assert "| PERSON | " in told.text
        assert not any(value in told.text for value in ("Ann", "4111", "example.com", "7946"))

    def test_a_set_that_is_not_redacted_says_so(self, dataset, make_recipe, tmp_path):
        """Not by leaving the passage out."""
        datacard.write(make_recipe(), dataset, None, tmp_path)
        assert "redact: false" in (tmp_path / "DATA_CARD.md").read_text()

    def test_the_model_card_is_one(self, redactor, dataset, make_recipe, tiny_encoder, data, tmp_path):
        """Front matter that the hub reads, and what was redacted."""
        from finslm.train.run import train

        recipe = make_recipe(training={"epochs": 1}, data={"redact": True})
        report = train(
            recipe,
            data,
            tiny_encoder,
            tmp_path / "run",
            progress=lambda *_: None,
            threads=1,
            redactor=redactor,
            with_twin=False,
        )
        told = ModelCard.load(report.folder / "README.md", ignore_metadata_errors=False)
        assert told.data.license == "apache-2.0"
        assert told.data.library_name == "peft"
        assert "redaction stage first" in told.text
        assert "without differential privacy" in told.text
        assert report.facts["redaction"]["pieces_by_type"]["CREDIT_CARD"] == 1
        assert Path(card.__file__).name == "card.py"
