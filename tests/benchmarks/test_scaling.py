"""The study of sizes on made-up text: what it writes, what it leaves out, what it draws."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch

from benchmarks.scaling.__main__ import merged
from benchmarks.scaling.__main__ import recipe as study_recipe
from benchmarks.scaling.report import draw, table
from benchmarks.scaling.study import Study
from benchmarks.scaling.tasks import Task, banking, tweets
from finslm.errors import ConfigError
from finslm.evaluate.datasets import Example
from finslm.train.pretraining.recipe import PretrainRecipe

WORDS = "the bank said that rates rose fell on monday while the loan of a firm was paid late in march".split()


@pytest.fixture
def study(tmp_path) -> Study:
    torch.set_num_threads(1)
    chance = random.Random(0)
    rows = [{"text": f"{n} {' '.join(chance.choices(WORDS, k=30))}"} for n in range(60)]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    part = {"path": "docs.jsonl", "licence": "none", "source": "made up", "published": True}
    recipe = PretrainRecipe.model_validate(
        {
            "name": "s",
            "use": "Testing",
            "licence": "none",
            "seed": 7,
            "preset": "1m",
            "corpus": {"parts": [part], "held_out_share": 0.1},
            "tokenizer": {"vocabulary": 280},
            "training": {"tokens": 256, "window": 16, "batch_windows": 2, "evaluations": 1},
        }
    )
    texts = [Example(f"{n} {word} today", word) for n in range(6) for word in ("rose", "fell")]
    task = Task("toy", ("fell", "rose"), texts[:8], texts[8:], epochs=2)
    work = tmp_path / "work"
    work.mkdir()
    return Study(recipe, tmp_path, work, [task], work / "scaling.json")


class TestStudy:
    def test_every_figure_is_in_the_file(self, study, tmp_path):
        """Written as it goes; the table and the picture can be made of it."""
        study.size("1m")
        kept = json.loads(study.file.read_text())
        (row,) = kept["rows"]
        assert row["tokens"] == kept["budget"]["tokens"] == 256
        assert row["held_out"]["bits_per_byte"] < row["before"]["bits_per_byte"]
        assert set(row["tasks"]["toy"]) == {"pretrained", "random"}
        assert kept["baselines"]["toy"]["rows"] == 4
        assert "processor" in kept["machine"]
        assert table(kept).row_count == 2
        draw(kept, tmp_path / "scaling.png")
        assert (tmp_path / "scaling.png").stat().st_size > 10_000

    def test_a_size_that_takes_too_long_is_left_out_and_said(self, study, tmp_path):
        """Not cut off in the middle of its schedule."""
        study.until = 0.0
        study.size("1m")
        (row,) = json.loads(study.file.read_text())["rows"]
        assert row["not_run"].startswith("not run: about")
        assert table(study.result).row_count == 2
        draw(study.result, tmp_path / "scaling.png")


class TestMerge:
    def test_runs_of_some_sizes_make_one_table(self, study, tmp_path):
        """By size; runs that read other texts do not mix."""
        rows = [{"preset": name, "parameters": size, "not_run": "x"} for name, size in (("3m", 3), ("1m", 1))]
        files = [tmp_path / f"{row['preset']}.json" for row in rows]
        for file, row in zip(files, rows, strict=True):
            file.write_text(json.dumps(study.result | {"rows": [row]}))
        assert [row["preset"] for row in merged(files)["rows"]] == ["1m", "3m"]
        files[1].write_text(json.dumps(study.result | {"budget": {}}))
        with pytest.raises(ConfigError, match="other tokens"):
            merged(files)


class TestTasks:
    def test_rows_are_those_that_the_titles_say(self, shared_data: Path):
        """Ten messages an intent, a thousand tweets, and the published test rows."""
        intents, posts = banking(shared_data, 7), tweets(shared_data, 7)
        assert (len(intents.train), len(intents.labels), len(intents.test)) == (770, 77, 3080)
        assert (len(posts.train), len(posts.labels), len(posts.test)) == (1000, 3, 2388)

    def test_the_recipe_is_the_shipped_one_with_other_sizes(self):
        """So that the study reads what the README names."""
        assert len(study_recipe(1000, short=False).corpus.parts) == 3
        assert len(study_recipe(1000, short=True).corpus.parts) == 1
