"""Ranking and abstaining with a real, small encoder; answers from what is ranked."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from finslm.answering.answerer import Abstained, Answerer
from finslm.answering.answers import answer
from finslm.answering.asked import Operation, operation_of, read
from finslm.answering.document import Document
from finslm.answering.ranking import FEATURES, SHIPPED, Ranker
from finslm.errors import ConfigError, InvalidRequest
from finslm.evaluate.datasets.passages import Passage
from finslm.evaluate.reading import FrozenReader
from finslm.train.answering import Case, Corpus, fit


@pytest.fixture(scope="module")
def cases(passages: list[Passage], encoder_dir: Path) -> list[Case]:
    return list(Corpus(passages, FrozenReader(encoder_dir)).cases())


@pytest.fixture(scope="module")
def ranker(cases: list[Case]) -> Ranker:
    return fit(cases[:60], cases[60:75])


class TestRanker:
    def test_evidence_comes_first(self, ranker: Ranker, cases: list[Case]) -> None:
        """On documents that were not trained on."""
        found = [bool(set(ranker.rank(case.own)[:3]) & case.question.evidence) for case in cases[75:]]
        assert sum(found) >= 0.9 * len(found)

    def test_no_stranger_answers(self, cases: list[Case]) -> None:
        """An unanswerable question is one of a document in which no unit has all that is asked."""
        assert all(case.gone is not None and len(case.gone) < len(case.own) for case in cases)
        assert any(case.hard is not None for case in cases)

    def test_the_same_every_time(self, cases: list[Case], ranker: Ranker, tmp_path: Path) -> None:
        """The same cases give the same file, and what is read from it ranks the same."""
        ranker.write(tmp_path / "a.json")
        fit(cases[:60], cases[60:75]).write(tmp_path / "b.json")
        assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
        again = Ranker.read(tmp_path / "a.json")
        assert [again.rank(case.own) for case in cases[75:]] == [ranker.rank(case.own) for case in cases[75:]]

    def test_the_one_that_ships_is_of_this_version(self) -> None:
        """Its features are those that this version computes."""
        shipped = Ranker.read(SHIPPED)
        assert shipped.about["name"] == "qa"
        assert "CC BY 4.0" in str(shipped.about["data"])

    def test_a_damaged_file_is_refused(self, ranker: Ranker, tmp_path: Path) -> None:
        ranker.write(tmp_path / "a.json")
        text = (tmp_path / "a.json").read_text("utf-8")
        for broken in ("{", text.replace(f'"{FEATURES[0]}"', '"another"')):
            (tmp_path / "a.json").write_text(broken, "utf-8")
            with pytest.raises(ConfigError, match="train it again"):
                Ranker.read(tmp_path / "a.json")


class TestAnswers:
    @pytest.mark.parametrize(
        ("place", "values", "scale", "program"),
        [(0, ("100.5",), "thousand", "subtract(#1, #2)"), (2, ("(300)",), "thousand", "")],
    )
    def test_figures_with_their_places(
        self, passages: list[Passage], place: int, values: tuple[str, ...], scale: str, program: str
    ) -> None:
        """A person can find every figure that the answer rests on."""
        passage = passages[0]
        question = passage.questions[place]
        found = answer(read(question.text), passage.document, passage.units, sorted(question.evidence))
        assert found is not None
        assert (found.values, found.scale, found.program) == (values, scale, program)
        for cited in found.citations:
            row = passage.units[cited.unit - 1].row
            assert row is not None
            assert passage.document.table[row][cited.column or 0].strip() == cited.text

    def test_nothing_ranked_is_no_answer(self, passages: list[Passage]) -> None:
        assert answer(read("What was the Rent?"), passages[0].document, passages[0].units, []) is None


class TestAnswerer:
    def test_answers_with_evidence(self, passages: list[Passage], encoder_dir: Path, ranker: Ranker) -> None:
        """What is cited are units of the document; the confidence is a probability."""
        passage = passages[29]
        open_door = dataclasses.replace(ranker, threshold=-math.inf)
        reply = Answerer(FrozenReader(encoder_dir), open_door).ask(passage.questions[0].text, passage.document)
        assert reply.answer is not None
        assert reply.abstained is None
        assert set(reply.evidence) <= set(passage.units)
        assert 0 < reply.confidence < 1

    def test_abstains_under_the_threshold(self, passages: list[Passage], encoder_dir: Path, ranker: Ranker) -> None:
        """Nothing is cited for what is not there."""
        shut_door = dataclasses.replace(ranker, threshold=math.inf)
        reply = Answerer(FrozenReader(encoder_dir), shut_door).ask("What is love?", passages[29].document)
        assert (reply.answer, reply.evidence, reply.abstained) == (None, (), Abstained.NOT_IN_DOCUMENT)

    @pytest.mark.parametrize(
        ("question", "document", "field"),
        [
            (" ", Document(("Text.",)), "question"),
            ("x" * 1001, Document(("Text.",)), "question"),
            ("What?", Document(()), "document"),
            ("What?", Document(("A b. " * 1001,)), "document"),
        ],
    )
    def test_says_what_is_wrong(
        self, encoder_dir: Path, ranker: Ranker, question: str, document: Document, field: str
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            Answerer(FrozenReader(encoder_dir), ranker).ask(question, document)
        assert [violation.field for violation in refused.value.violations] == [field]


@pytest.mark.parametrize(
    ("question", "operation"),
    [
        ("What is the change in Other in 2019 from 2018?", Operation.CHANGE),
        ("What is the percentage change in Other in 2019 from 2018?", Operation.PERCENTAGE_CHANGE),
        ("What is the average Gross Profit for 2017-2019?", Operation.AVERAGE),
        ("In which year is the amount of total sales the largest?", Operation.COMPARE),
        ("How many years did net sales exceed $200,000 thousand?", Operation.COUNT),
        ("What is the ratio of total assets to total liabilities in 2019?", Operation.RATIO),
        ("What is the company paid on a cost-plus type contract?", Operation.SPAN),
        ("What was the weighted average discount rate in 2019?", Operation.SPAN),
    ],
)
def test_operations(question: str, operation: Operation) -> None:
    assert operation_of(question) is operation


def test_years() -> None:
    """Ranges are filled, short forms read."""
    assert set(read("from 2017 to 2019").years) == {2017, 2018, 2019}
    assert set(read("between FY18 and FY19").years) == {2018, 2019}
