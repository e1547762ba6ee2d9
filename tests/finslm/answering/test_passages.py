"""The loader of TAT-QA: what it reads, refuses, locates and keeps apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from finslm.errors import ConfigError
from finslm.evaluate.datasets import DATASETS
from finslm.evaluate.datasets.answering import split
from finslm.evaluate.datasets.base import Files
from finslm.evaluate.datasets.passages import Passage, read_tatqa
from tests.finslm.answering.conftest import entry, write


class TestRead:
    def test_evidence_is_located(self, passages: list[Passage]) -> None:
        """The row that the figures stand in, the sentence that has the words."""
        first = passages[0]
        change, reason, cost = ({first.units[n - 1].text for n in q.evidence} for q in first.questions)
        assert change == {"Revenue: 2019 $ 900.5; 2018 800.0"}
        assert reason == {"Revenue rose because of site 0."}
        assert cost == {"Cost of sales: 2019 (300); 2018 (290)"}

    def test_a_malformed_entry_is_refused_or_counted(self, tmp_path: Path) -> None:
        """The message names the file and the entry."""
        broken = entry(1)
        del broken["table"]
        files = write(tmp_path, [entry(0), broken])
        with pytest.raises(ConfigError, match=r"tatqa_dataset_dev\.json, line 2: entry 2 is no passage"):
            read_tatqa(files)
        files.skip_bad = True
        assert len(read_tatqa(files)) == 1
        assert files.skipped == 1

    def test_published_counts(self, shared_data: Path) -> None:
        """The dev split has 278 documents and 1,668 questions; evidence is located for all but three."""
        passages = read_tatqa(Files(shared_data / "tatqa"))
        questions = [q for p in passages for q in p.questions]
        assert (len(passages), len(questions)) == (278, 1668)
        assert sum(not q.evidence for q in questions) == 3


class TestSplit:
    def test_documents_are_apart(self, passages: list[Passage]) -> None:
        """Each is of one part, and those that share a paragraph are of the same."""
        parts = split(passages)
        uids = [{p.uid for p in part} for part in parts]
        assert sorted(uid for part in uids for uid in part) == sorted(p.uid for p in passages)
        assert passages[0].group == passages[1].group
        assert len({part for part in range(3) for uid in ("table-0", "table-1") if uid in uids[part]}) == 1

    def test_no_training_row_is_of_a_test_document(self, passages: list[Passage], tmp_path: Path) -> None:
        """Whatever a training row reads stands in a training document."""
        made = [entry(n) for n in range(30)]
        rows = DATASETS.get("tatqa-evidence").load(write(tmp_path, made), {})
        train, _, test = split(read_tatqa(Files(tmp_path)))
        own = {unit.text for p in train for unit in p.units}
        assert rows.train
        assert rows.test
        assert all(row.text.split(" ⇒ ", 1)[1] in own for row in rows.train)
        assert not {p.group for p in train} & {p.group for p in test}
