"""Published data sets are read as their authors publish them, and what is crooked is named by file and line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from finslm.errors import ConfigError
from finslm.evaluate.data import DataRecipe, load
from finslm.evaluate.datasets import DATASETS, Example, Files, Splits
from finslm.evaluate.datasets.classification import OUT_OF_SCOPE


def read(name: str, folder: Path, skip_bad: bool = False, **options: str) -> Splits:
    return DATASETS.get(name).load(Files(folder, skip_bad), options)


def write_csv(file: Path, columns: list[str], rows: list[list[str]], encoding: str = "utf-8") -> None:
    with file.open("w", newline="", encoding=encoding) as out:
        csv.writer(out).writerows([columns, *rows])


class TestPublishedForms:
    @pytest.mark.parametrize(
        ("name", "path", "rows", "labels"),
        [
            ("banking77", "banking77", (10003, 0, 3080), 77),
            ("clinc150", "clinc150", (15100, 3100, 5500), 151),
            ("tfns", "tfns", (9543, 0, 2388), 3),
        ],
    )
    def test_sets_beside_the_checkout_have_the_published_rows(self, shared_data, name, path, rows, labels):
        splits = read(name, shared_data / path)
        assert tuple(map(len, (splits.train, splits.dev, splits.test))) == rows
        assert len({row.label for row in (*splits.train, *splits.test)}) == labels

    def test_complaints_are_split_the_same_whatever_rows_come_beside_them(self, shared_data, tmp_path):
        """By a digest of the first words: order and further rows move none."""
        whole = read("cfpb", shared_data / "cfpb_complaints")
        assert 0.15 < len(whole.test) / (len(whole.test) + len(whole.train)) < 0.25
        lines = (shared_data / "cfpb_complaints" / "cfpb_narratives.jsonl").read_text().splitlines()
        (tmp_path / "cfpb_narratives.jsonl").write_text("\n".join(reversed(lines[:500])))
        part = read("cfpb", tmp_path)
        assert set(part.test) <= set(whole.test)
        assert set(part.train) <= set(whole.train)

    def test_phrasebank(self, tmp_path):
        """Latin-1, ``sentence@label``, an @ in the sentence."""
        lines = [f"Sales rose to EUR {n} mn at Nokiä @ Oulu .@positive" for n in range(40)]
        (tmp_path / "Sentences_AllAgree.txt").write_bytes("\r\n".join(lines).encode("iso-8859-1"))
        splits = read("fpb", tmp_path, file="Sentences_AllAgree.txt")
        found = [*splits.train, *splits.test]
        assert len(found) == 40
        assert found[0].text.endswith("Nokiä @ Oulu .")
        assert {row.label for row in found} == {"positive"}

    def test_fomc(self, tmp_path):
        for name, label in (("train.csv", "0"), ("test.csv", "2")):
            write_csv(
                tmp_path / name, ["index", "sentence", "year", "label"], [["1", "Rates may rise.", "2019", label]]
            )
        splits = read("fomc", tmp_path)
        assert (splits.train[0].label, splits.test[0].label) == ("dovish", "neutral")

    def test_headlines(self, tmp_path):
        columns = ["Dates", "URL", "News", "Price Direction Up", "Price Direction Down"]
        write_csv(
            tmp_path / "finalDataset_0208.csv", columns, [["d", "u", f"gold up {n}", "1", "0"] for n in range(20)]
        )
        up, down = read("headlines", tmp_path), read("headlines", tmp_path, column="Price Direction Down")
        assert {row.label for row in (*up.train, *up.test)} == {"yes"}
        assert {row.label for row in (*down.train, *down.test)} == {"no"}

    def test_numclaim(self, tmp_path):
        for name, label in (("train.csv", "INCLAIM"), ("test.csv", "0")):
            write_csv(tmp_path / name, ["context", "response"], [["We expect 5% growth.", label]])
        splits = read("numclaim", tmp_path)
        assert (splits.train[0].label, splits.test[0].label) == ("in_claim", "out_of_claim")

    def test_fiqa(self, tmp_path):
        """The first target's score, in three steps."""
        scores = {str(n): {"sentence": f"s {n}", "info": [{"sentiment_score": str(s)}]} for n, s in
                  enumerate((0.5, -0.3, 0.05, 0.1))}  # fmt: skip
        for name in ("task1_headline_ABSA_train.json", "task1_post_ABSA_train.json"):
            (tmp_path / name).write_text(json.dumps(scores))
        splits = read("fiqa", tmp_path)
        found = {(row.text, row.label) for row in (*splits.train, *splits.test)}
        assert found == {("s 0", "positive"), ("s 1", "negative"), ("s 2", "neutral"), ("s 3", "neutral")}

    def test_each_says_its_licence_and_whether_it_may_be_sold(self):
        assert {data.name for data in DATASETS if not data.commercial} == {
            "fpb",
            "fomc",
            "headlines",
            "numclaim",
            "fiqa",
        }
        assert all(data.licence for data in DATASETS)


class TestCrookedRows:
    @pytest.mark.parametrize(
        ("content", "line", "why"),
        [
            ("text,label\nok,a\n,b\n", 3, "text is empty"),
            ("text,label\nok,a\nmore, \n", 3, "label is empty"),
            ("text,label\nok,a\none,two,three\n", 3, "2 fields"),
            ("text,label\nok,a\nshort\n", 3, "2 fields"),
            ('text,label\nok,a\n"never ends,b\n', 3, "unexpected end"),
        ],
    )
    def test_a_row_of_a_csv_file(self, tmp_path, content, line, why):
        (tmp_path / "t.csv").write_text(content)
        with pytest.raises(ConfigError, match=rf"t\.csv, line {line}: .*{why}.*--skip-bad-rows"):
            read("csv", tmp_path, train="t.csv")
        files = Files(tmp_path, skip_bad=True)
        splits = DATASETS.get("csv").load(files, {"train": "t.csv"})
        assert (splits.train, files.skipped) == ((Example("ok", "a"),), 1)

    @pytest.mark.parametrize("bad", ["{", "[1]", '{"text": 3, "label": "a"}', '{"text": "x"}', '{"label": "a"}'])
    def test_a_line_of_a_json_lines_file(self, tmp_path, bad):
        (tmp_path / "t.jsonl").write_text('{"text": "a\u2028b", "label": "x"}\n\n' + bad + "\n")
        with pytest.raises(ConfigError, match=r"t\.jsonl, line 3: "):
            read("jsonl", tmp_path, train="t.jsonl")
        files = Files(tmp_path, skip_bad=True)
        assert DATASETS.get("jsonl").load(files, {"train": "t.jsonl"}).train == (Example("a\u2028b", "x"),)
        assert files.skipped == 1

    def test_what_is_missing_is_named(self, tmp_path):
        (tmp_path / "t.csv").write_text("text,label\nok,a\n")
        (tmp_path / "latin.csv").write_bytes("text,label\nn\xe4,a\n".encode("latin-1"))
        for options, why in (
            ({"train": "none.csv"}, "No such file"),
            ({"train": "t.csv", "text": "body"}, "no column body; there are text, label"),
            ({"train": "latin.csv"}, "is not utf-8"),
            ({"trian": "t.csv"}, "no option trian; known: train"),
            ({}, "names no file"),
        ):
            with pytest.raises(ConfigError, match=why):
                read("csv", tmp_path, **options)
        with pytest.raises(ConfigError, match="no data set 'bankng'; known: banking77"):
            DATASETS.get("bankng")

    def test_a_label_that_is_no_number_of_the_set(self, tmp_path):
        write_csv(tmp_path / "sent_train.csv", ["text", "label"], [["up", "7"]])
        with pytest.raises(ConfigError, match=r"sent_train\.csv, line 2: label '7' is not one of 0, 1, 2"):
            read("tfns", tmp_path)


class TestRecipes:
    """Rows from what a recipe names."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        rows = [[f"word {n} {label}", label] for label in "abc" for n in range(40)]
        write_csv(tmp_path / "train.csv", ["text", "label"], rows)
        write_csv(tmp_path / "test.csv", ["text", "label"], [["word 3 a", "a"], ["WORD  4 B", "b"], ["new c", "c"]])
        return tmp_path

    def recipe(self, *parts: dict[str, object], **more: object) -> DataRecipe:
        own = {"dataset": "csv", "path": ".", "options": {"train": "train.csv", "test": "test.csv"}}
        return DataRecipe.model_validate({"parts": [own, *parts], "dev_share": 0.1, **more})

    def test_no_test_text_is_trained_on_and_near_ones_are_told(self, folder):
        data = load(self.recipe(), folder, 1)
        texts = {row.text for row in (*data.train, *data.dev)}
        assert "word 3 a" not in texts
        assert data.overlap == 1
        assert data.seen == {1}  # differs in letter case and spaces only
        assert len(data.train) + len(data.dev) == 119
        assert len(data.dev) == 12

    def test_the_seed_decides(self, folder):
        one, same, other = (load(self.recipe(), folder, seed) for seed in (1, 1, 2))
        assert one == same
        assert [r.text for r in one.dev] != [r.text for r in other.dev]

    def test_another_set_can_be_what_is_out_of_scope(self, folder):
        write_csv(folder / "other.csv", ["text", "label"], [[f"else {n}", "xy"[n % 2]] for n in range(60)])
        write_csv(folder / "other-test.csv", ["text", "label"], [["else 1000", "x"]])
        part = {"dataset": "csv", "path": ".", "options": {"train": "other.csv", "test": "other-test.csv"},
                "label": OUT_OF_SCOPE, "rows_per_label": 10, "without": ["y"]}  # fmt: skip
        data = load(self.recipe(part), folder, 1)
        outside = [row for row in data.train if row.label == OUT_OF_SCOPE]
        assert len(outside) == 10
        assert all(int(row.text.split()[1]) % 2 == 0 for row in outside)
        assert data.labels == ("a", "b", "c", OUT_OF_SCOPE)
        assert [row.label for row in data.test].count(OUT_OF_SCOPE) == 1

    def test_few_rows_of_each_label_and_its_name(self, folder):
        rows = [[f"text {n}", "card_not_here"] for n in range(40)] + [[f"else {n}", "Top up"] for n in range(40)]
        write_csv(folder / "few.csv", ["text", "label"], rows)
        write_csv(folder / "test.csv", ["text", "label"], [["Top up", "Top up"], ["new", "card_not_here"]])
        options = {"train": "few.csv", "test": "test.csv"}
        part = {"dataset": "csv", "path": ".", "options": options, "rows_per_label": 10, "label_rows": True}
        data = load(DataRecipe.model_validate({"parts": [part], "dev_share": 0.1}), folder, 1)
        assert len(data.train) == 21, "ten of each, and a name that no test text is"
        assert [row.label for row in data.train if row.text == "card not here"] == ["card_not_here"]

    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"labels": ["a", "b"]}, "missing none, further c"),
            ({"labels": ["a", "b", "c", "d"]}, "missing d, further none"),
        ],
    )
    def test_labels_are_those_of_the_recipe_or_nothing_is_trained(self, folder, more, why):
        with pytest.raises(ConfigError, match=why):
            load(self.recipe(**more), folder, 1)

    def test_a_test_label_that_nobody_trains(self, folder):
        write_csv(folder / "test.csv", ["text", "label"], [["x", "zzz"]])
        with pytest.raises(ConfigError, match="1 labels of the test rows are not trained: zzz"):
            load(self.recipe(), folder, 1)

    def test_leaving_out_a_label_that_is_not_there(self, folder):
        part = {"dataset": "csv", "path": ".", "options": {"train": "train.csv"}, "without": ["q"]}
        with pytest.raises(ConfigError, match="no rows are labelled q"):
            load(self.recipe(part), folder, 1)
