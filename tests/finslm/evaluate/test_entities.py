"""Tagged sentences are read as published, and scored to the word."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from finslm.errors import ConfigError
from finslm.evaluate.datasets.base import Files
from finslm.evaluate.datasets.entities import ENTITY_SETS, Sentence, iob2
from finslm.evaluate.entities import Entity, entities, entity_scores, token_macro_f1

FIN = """-DOCSTART- -X- O O

Silicium NNP - I-ORG
Provence NNP - I-ORG
and CC - O

Evergreen NNP - I-ORG
Paris NNP - B-ORG
, , - O
Utah NNP - I-LOC
"""
FINER = 'doc_idx,sent_idx,gold_token,gold_label\n1,0,Ann,1\n1,0,Lee,2\n1,1,Acme,5\n2,1,"Paris, ",3\n'


def read(name: str, folder: Path, split: str = "test", skip_bad: bool = False) -> list[Sentence]:
    return ENTITY_SETS[name].read(Files(folder, skip_bad), split)


class TestPublishedForms:
    def test_fin(self, tmp_path):
        """Columns at spaces, documents marked, IOB1 made IOB2."""
        (tmp_path / "FIN3_test.txt").write_text(FIN)
        first, second = read("fin", tmp_path)
        assert first == Sentence(("Silicium", "Provence", "and"), ("B-ORG", "I-ORG", "O"))
        assert second.tags == ("B-ORG", "B-ORG", "O", "B-LOC")

    def test_wnut(self, tmp_path):
        """Columns at tabs; lines of nothing but a tab part sentences too, as the training file has them."""
        (tmp_path / "wnut17train.conll").write_text(
            "@paulwalk\tO\nEmpire\tB-location\nState\tI-location\n\t\nESB\tB-location\n"
        )
        first, second = read("wnut17", tmp_path, "train")
        assert first.words == ("@paulwalk", "Empire", "State")
        assert second.tags == ("B-location",)

    def test_finer_ord(self, tmp_path):
        (tmp_path / "test.csv").write_text(FINER)
        found = read("finer-ord", tmp_path)
        assert [s.tags for s in found] == [("B-PER", "I-PER"), ("B-ORG",), ("B-LOC",)]
        assert found[2].words == ("Paris, ",)

    def test_sets_beside_the_checkout_have_the_published_words(self, shared_data):
        fin, wnut = read("fin", shared_data / "ner_fin_sec"), read("wnut17", shared_data / "wnut17")
        assert sum(len(s.words) for s in fin) == 13246
        assert len(wnut) == 1287
        counted = Counter(e.type for s in wnut for e in entities(s.tags))
        assert counted["person"] == 429  # as often as there is a B
        assert all(
            tag in {"O", *(f"{m}-{t}" for m in "BI" for t in ("PER", "ORG", "LOC", "MISC"))}
            for s in fin
            for tag in s.tags
        )

    def test_each_says_its_licence(self):
        assert [each.name for each in ENTITY_SETS.values() if not each.commercial] == ["finer-ord"]
        assert all(each.licence and each.source for each in ENTITY_SETS.values())


class TestCrookedRows:
    @pytest.mark.parametrize(
        ("name", "file", "bad", "line", "why"),
        [
            ("fin", "FIN3_test.txt", "Ltd NNP I-ORG\n", 2, "4 columns are wanted, there are 3"),
            ("fin", "FIN3_test.txt", "Ltd NNP - ORG\n", 2, "tag 'ORG' is none of"),
            ("wnut17", "emerging.test.annotated", "a b\n", 2, "2 columns are wanted, there are 1"),
            ("wnut17", "emerging.test.annotated", "\tO\n", 2, "the word is empty"),
            ("finer-ord", "test.csv", "1,0,Ann,7\n", 3, "label '7' is not one of 0, 1"),
            ("finer-ord", "test.csv", "1,0,,0\n", 3, "the word is empty"),
        ],
    )
    def test_refused_by_file_and_line_or_counted_with_the_sentence_left_out(self, tmp_path, name, file, bad, line, why):
        head, end = {
            "fin": ("Silicium NNP - I-ORG\n", "\nOslo NNP - I-LOC\n"),
            "wnut17": ("Empire\tB-location\n", "\nOslo\tB-location\n"),
            "finer-ord": ("doc_idx,sent_idx,gold_token,gold_label\n1,0,Ann,1\n", "1,1,Oslo,3\n"),
        }[name]
        (tmp_path / file).write_text(head + bad + end)
        with pytest.raises(ConfigError, match=rf"{file}, line {line}: .*{why}"):
            read(name, tmp_path)
        files = Files(tmp_path, skip_bad=True)
        (kept,) = ENTITY_SETS[name].read(files)
        assert (kept.words, files.skipped) == (("Oslo",), 1)

    def test_a_split_that_is_not_published_or_not_there(self, tmp_path):
        with pytest.raises(ConfigError, match="fin: no split 'dev'; published: train, test"):
            read("fin", tmp_path, "dev")
        with pytest.raises(ConfigError, match="No such file"):
            read("fin", tmp_path)


class TestScores:
    def test_strict_iob2(self):
        """An I that follows no entity of its type is of none."""
        tags = ["I-PER", "B-PER", "I-PER", "I-ORG", "B-PER", "B-PER", "O", "I-LOC"]
        assert [*entities(tags)] == [Entity(1, 3, "PER"), Entity(4, 5, "PER"), Entity(5, 6, "PER")]

    def test_iob1_begins_at_every_change(self):
        assert [*iob2(("I-A", "I-A", "B-A", "I-B", "O", "I-B"))] == ["B-A", "I-A", "B-A", "B-B", "O", "B-B"]

    def test_whole_entities_count(self):
        """Of four, one is right; another is a word short, another of the wrong type, one is invented."""
        truth = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "O", "B-PER"]]
        said = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "B-LOC", "O"]]
        scores = entity_scores(truth, said)
        assert (scores["all"].entities, scores["all"].precision, scores["all"].recall) == (4, 1 / 4, 1 / 4)
        assert (scores["LOC"].precision, scores["LOC"].recall, scores["LOC"].f1) == (1 / 3, 1.0, 0.5)
        assert scores["PER"].f1 == scores["ORG"].f1 == 0

    def test_words_by_tag_without_o(self):
        truth, said = [["B-PER", "I-PER", "O"]], [["B-PER", "O", "B-LOC"]]
        assert token_macro_f1(truth, said) == (1 + 0) / 2

    def test_other_sentences_are_no_predictions(self):
        with pytest.raises(ValueError, match="a sentence of 1 words has 2 predicted tags"):
            entity_scores([["O"]], [["O", "O"]])
