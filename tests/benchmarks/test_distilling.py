"""The study of rationales on made-up conversations: what it keeps, where it goes on, what it shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.distilling.__main__ import result
from benchmarks.distilling.report import draw, gains, table
from benchmarks.distilling.study import SEEDS, SHARES, TASKS, Budget, Cell, OutOfTime, Study, cells
from finslm.errors import ConfigError
from redaction.ner.weights import default_models_dir

NAME = "convfinqa-programs"
BUDGET = Budget(rows=16, test_rows=6, epochs=1, min_steps=2, batch_size=4, max_tokens=48, rank=2)
WANTED = [Cell(NAME, 1.0, False, 1), Cell(NAME, 1.0, True, 1)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A seeded Llama of one layer with the tokenizer of SmolLM2."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = AutoTokenizer.from_pretrained(str(default_models_dir() / "smollm2-135m-instruct"))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def conversation(number: int) -> dict:
    return {
        "id": f"Single_X/20{number:02}/page_{number}.pdf-1",
        "questions": [f"what was it in year {number}?", "what was the change?"],
        "programs": [f"ans = {number}", f"ans = {number} - 5"],
        "golden_text": f"it was {number} after 5 .",
        "golden_table": "",
    }


@pytest.fixture
def study(tiny, tmp_path):
    torch.set_num_threads(1)
    folder = tmp_path / "data" / "convfinqa"
    folder.mkdir(parents=True)
    (folder / "pot_convfinqa_dev.json").write_text(json.dumps([conversation(n) for n in range(40)]))
    file = tmp_path / "work" / "cells.jsonl"
    return lambda budget=BUDGET, **more: Study(tmp_path / "data", tiny, file, budget, **more)


class TestStudy:
    def test_cells_are_kept_and_not_done_again(self, study, tmp_path):
        """A line each; table and picture are made of them."""
        first = study()
        assert first.run(WANTED[:1])
        file = tmp_path / "work" / "cells.jsonl"
        kept = file.read_text()
        with file.open("a") as half:
            half.write('{"budget": {"ro')
        second = study()
        assert second.run(WANTED)
        assert file.read_text().startswith(kept)
        assert [row["cell"]["rationales"] for row in second.found] == [False, True]
        assert [row["rationale_loss"] > 0 for row in second.found] == [False, True]
        found = result(second, [NAME], 2)
        assert gains(found, NAME, 1.0) == [second.found[1]["accuracy"] - second.found[0]["accuracy"]]
        assert "| convfinqa-programs | 100.0% | 16 |" in table(found)
        assert "2 of 2 cells are done." in table(found)
        draw(found, tmp_path / "distilling.png")
        assert (tmp_path / "distilling.png").stat().st_size > 5000

    def test_out_of_time_goes_on_where_it_stopped(self, study):
        """A cell that was begun is not begun anew."""
        stopped = study()
        stopped.checkpoint_s = 0.0
        steps: list[int] = []

        def stop(_cell: Cell, step: int, *_: object) -> None:
            steps.append(step)
            if step == 2:
                raise OutOfTime

        stopped.in_time = stop
        assert not stopped.run(WANTED[:1])
        going_on = study()
        going_on.in_time = lambda _cell, step, *_: steps.append(step)
        assert going_on.run(WANTED[:1])
        assert steps == [1, 2, 2, 3, 4]
        assert not study(seconds=0.0).run(WANTED)

    def test_another_budget_does_not_mix(self, study):
        study().run(WANTED[:1])
        with pytest.raises(ConfigError, match="another budget"):
            study(BUDGET.__class__(rows=17))


def test_all_cells():
    """Two tasks, four shares, three seeds, two arms; both arms of a seed come together."""
    whole = [*cells()]
    assert len({*whole}) == len(whole) == 2 * len(TASKS) * len(SHARES) * len(SEEDS) == 48
    assert all(
        a.rationales is False and b == Cell(a.task, a.share, True, a.seed)
        for a, b in zip(whole[::2], whole[1::2], strict=True)
    )
