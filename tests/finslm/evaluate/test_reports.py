"""FinanceBench and ECTSum are read as published; summaries are scored by ROUGE."""

from __future__ import annotations

import json

import pytest

from finslm.errors import ConfigError
from finslm.evaluate.datasets.base import Files
from finslm.evaluate.datasets.reports import FINANCEBENCH_FILE, filing_passages, read_ectsum, read_financebench
from finslm.evaluate.rouge import mean_rouge, rouge

PAGE = "3M Company\nCash Flow\n\nPurchases of property, plant and equipment   (1,577)\nOther 12\n"


def question(
    number: int, evidence: str = "Purchases of property, plant and\nequipment (1,577)", page: int = 59
) -> dict:
    return {
        "financebench_id": f"id_{number}",
        "company": "3M",
        "doc_name": "3M_2018_10K",
        "question_type": "metrics-generated",
        "question": "What is the FY2018 capital expenditure?",
        "answer": "$1577.00",
        "justification": "",
        "evidence": [
            {
                "evidence_text": evidence,
                "doc_name": "3M_2018_10K",
                "evidence_page_num": page,
                "evidence_text_full_page": PAGE,
            }
        ],
    }


def write(folder, *rows) -> None:
    (folder / FINANCEBENCH_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))


class TestFinanceBench:
    def test_questions(self, tmp_path):
        write(tmp_path, question(1), question(2))
        first, second = read_financebench(Files(tmp_path))
        assert (first.uid, second.uid, first.document, first.answer) == ("id_1", "id_2", "3M_2018_10K", "$1577.00")
        assert first.evidence[0].number == 59

    def test_a_filing_is_one_passage_whose_lines_hold_the_evidence(self, tmp_path):
        """Pages that two questions share are there once; an extract may break its lines elsewhere."""
        write(tmp_path, question(1), question(2, "cash flow"), question(3, "not on the page"), question(4, "Other", 60))
        (passage,) = filing_passages(read_financebench(Files(tmp_path)))
        assert len(passage.document.paragraphs) == 8
        held = [[passage.units[n - 1].text for n in sorted(q.evidence)] for q in passage.questions]
        assert held == [["Purchases of property, plant and equipment   (1,577)"], ["Cash Flow"], [], ["Other 12"]]
        assert min(passage.questions[3].evidence) > 4  # of its own page, not of the first that has the word

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"question": " "}, "question is not a text, or is empty"),
            ({"evidence": []}, "the list of evidence is empty"),
            ({"evidence": [{"evidence_text": "x"}]}, "KeyError 'evidence_text_full_page'"),
            ({"evidence": "page 3"}, "TypeError"),
            ({"answer": 3}, "answer is not a text"),
        ],
    )
    def test_a_crooked_row(self, tmp_path, change, why):
        write(tmp_path, question(1), question(2) | change)
        with pytest.raises(ConfigError, match=rf"{FINANCEBENCH_FILE}, line 2: .*{why}"):
            read_financebench(Files(tmp_path))
        files = Files(tmp_path, skip_bad=True)
        assert [q.uid for q in read_financebench(files)] == ["id_1"]
        assert files.skipped == 1


class TestEctsum:
    def call(
        self, folder, name: str, text: str = "Good day.\nSales rose.\n", summary: str = "sales rose 3%.\n"
    ) -> None:
        for part, content in (("ects", text), ("gt_summaries", summary)):
            (folder / part).mkdir(parents=True, exist_ok=True)
            (folder / part / name).write_text(content)

    def test_calls_with_their_summaries(self, tmp_path):
        self.call(tmp_path / "test", "BRP_q2_2021.txt")
        files = Files(tmp_path)
        (one,) = read_ectsum(files)
        assert (one.name, one.text, one.summary) == ("BRP_q2_2021", "Good day.\nSales rose.\n", "sales rose 3%.\n")
        assert sorted(files.sha256) == ["test/ects/BRP_q2_2021.txt", "test/gt_summaries/BRP_q2_2021.txt"]
        assert read_ectsum(Files(tmp_path / "test")) == [one]

    def test_half_a_pair_or_an_empty_file(self, tmp_path):
        self.call(tmp_path, "a.txt")
        self.call(tmp_path, "b.txt", summary=" \n")
        self.call(tmp_path, "c.txt")
        (tmp_path / "ects" / "c.txt").unlink()
        with pytest.raises(ConfigError, match=r"gt_summaries/b\.txt, line 1: the file is empty"):
            read_ectsum(Files(tmp_path))
        files = Files(tmp_path, skip_bad=True)
        assert [each.name for each in read_ectsum(files)] == ["a"]
        assert files.skipped == 2

    def test_what_is_missing_is_named(self, tmp_path):
        with pytest.raises(ConfigError, match="test/ects: no such folder"):
            read_ectsum(Files(tmp_path))
        with pytest.raises(ConfigError, match="no split 'dev'; published: train, val, test"):
            read_ectsum(Files(tmp_path), "dev")


class TestRouge:
    def test_by_hand(self):
        """Lin 2004, section 3: the same words in another order share fewer pairs and a shorter subsequence."""
        scores = rouge("police killed the gunman", "the gunman police killed")
        assert (scores.rouge1, scores.rouge2, scores.rouge_l) == (1.0, 2 / 3, 1 / 2)

    def test_a_word_counts_as_often_as_both_have_it(self):
        assert rouge("the cat", "the the the").rouge1 == 2 * 1 / 5

    def test_nothing_shared_or_nothing_said(self):
        assert rouge("Sales rose", "") == rouge("", "") == rouge("a", "b")
        assert rouge("", "").as_dict() == {"rouge1": 0.0, "rouge2": 0.0, "rouge_l": 0.0}

    def test_mean(self):
        assert mean_rouge([("a b", "a b"), ("a b", "c d")]).rouge1 == 0.5
        with pytest.raises(ValueError, match="no summaries"):
            mean_rouge([])
