"""Tasks whose rationales are known."""

from __future__ import annotations

import json

import pytest

from finslm.errors import ConfigError
from finslm.evaluate.datasets import DATASETS, Files
from finslm.evaluate.datasets.explained import derivation_label, explains, program_label, rationales


class TestLabels:
    @pytest.mark.parametrize(
        ("program", "label"),
        [
            ("ans = 60.94", "look up"),
            ("ans = -3.2", "look up"),
            ("ans = 15 - 19", "subtract"),
            ("ans = 674.0 + -202.8", "add"),
            ("x0 = 15 - 19; ans = x0 / 19", "subtract, then divide"),
            ("x0 = 3.8 / 35.1; ans = x0 * 100", "other"),
            ("ans = 178.93 > 105.34", "other"),
        ],
    )
    def test_of_programs(self, program, label):
        assert program_label(program) == label

    @pytest.mark.parametrize(
        ("derivation", "label"),
        [
            ("44.1-56.7", "difference"),
            ("$37,390 - 543", "difference"),
            ("-5,637-(-3,990)", "difference"),
            ("(302-148)/148", "change in per cent"),
            ("[(-18,668) - (-9,166)] / -9,166", "change in per cent"),
            ("112/93 - 1", "change in per cent"),
            ("(2.7%+2.0%+1.0%)/3", "average"),
            ("473,550/1,283,281", "ratio"),
            ("($6,489+$7,500)", "sum"),
            ("1,686,902*7.00", "other"),
        ],
    )
    def test_of_derivations(self, derivation, label):
        assert derivation_label("arithmetic", derivation) == label
        assert derivation_label("count", derivation) == "count"


class TestSets:
    def test_conversations_beside_the_checkout(self, shared_data):
        """Every row has a rationale; the labels of the test rows are all trained."""
        files = Files(shared_data / "convfinqa")
        splits, why = DATASETS.get("convfinqa-programs").load(files, {}), rationales("convfinqa-programs", files, {})
        assert (len(splits.train), len(splits.dev), len(splits.test)) == (914, 99, 477)
        assert {row.label for row in splits.test} == {row.label for row in splits.train}
        assert len({row.label for row in splits.train}) == 9
        assert all(why[row.text, row.label] for row in (*splits.train, *splits.test))

    def test_derivations_beside_the_checkout(self, shared_data, tmp_path):
        """A derivation is the rationale, or the answer where none is given."""
        entries = json.loads((shared_data / "tatqa" / "tatqa_dataset_dev.json").read_text())[:30]
        (tmp_path / "tatqa_dataset_dev.json").write_text(json.dumps(entries))
        splits = DATASETS.get("tatqa-operations").load(Files(tmp_path), {})
        why = rationales("tatqa-operations", Files(tmp_path), {})
        rows = [row for part in (splits.train, splits.dev, splits.test) for row in part]
        assert len(rows) == sum(len(entry["questions"]) for entry in entries)
        assert {row.label: why[row.text, row.label] for row in rows if "change in Other in 2019" in row.text} == {
            "difference": "44.1-56.7",
            "change in per cent": "(44.1-56.7)/56.7",
        }
        assert all(why[row.text, row.label] for row in rows)

    def test_a_page_stands_on_one_side(self, conversations):
        splits = DATASETS.get("convfinqa-programs").load(Files(conversations), {})
        evidence = [{row.text.partition("Evidence: ")[2] for row in part} for part in (splits.train, splits.test)]
        assert not evidence[0] & evidence[1]
        assert len(splits.train) + len(splits.dev) + len(splits.test) == 120

    def test_what_is_crooked_is_named(self, conversations):
        entries = json.loads((conversations / "pot_convfinqa_dev.json").read_text())
        entries[4]["programs"].pop()
        (conversations / "pot_convfinqa_dev.json").write_text(json.dumps(entries))
        with pytest.raises(ConfigError, match="entry 5 is no conversation"):
            DATASETS.get("convfinqa-programs").load(Files(conversations), {})
        files = Files(conversations, skip_bad=True)
        DATASETS.get("convfinqa-programs").load(files, {})
        assert files.skipped == 1

    def test_a_set_without_rationales_says_so(self, tmp_path):
        assert not explains("tfns")
        with pytest.raises(ConfigError, match="has no rationales; those that do: convfinqa-programs"):
            rationales("tfns", Files(tmp_path), {})
