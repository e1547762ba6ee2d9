"""A run: from rows to an adapter folder, interrupted and resumed, with and without rationales."""

from __future__ import annotations

import json

import pytest
import torch
from huggingface_hub import ModelCard

from finslm.errors import ConfigError
from finslm.train.distilling import folder as folders
from finslm.train.distilling import run
from finslm.train.distilling.encoding import Explainable
from finslm.train.distilling.loop import Loop
from finslm.train.distilling.rows import explainable, own_redacted
from finslm.train.distilling.student import Student
from redaction import Redactor


class Stopped(Exception):
    """By the test."""


def ignore(*_: object) -> None:
    """No progress is shown."""


@pytest.fixture
def go(conversations, tiny_decoder, tmp_path):
    def train(recipe, name: str = "run", **more) -> run.Report:
        told = {"progress": ignore, "installed": lambda _: tiny_decoder, "threads": 1} | more
        return run.train(recipe, conversations, tiny_decoder, tmp_path / name, **told)

    return train


class TestRun:
    def test_folder_and_figures(self, go, make, tmp_path, tiny_decoder):
        """A PEFT adapter that loads again; figures of it and of the linear model."""
        recipe = make()
        report = go(recipe)
        kept = json.loads((tmp_path / "run" / "metrics.json").read_text())
        assert {"adapter_model.safetensors", "adapter_config.json", "distilled.json"} <= {
            file.name for file in report.folder.iterdir()
        }
        assert kept["student"]["rows"] == kept["rows"]["test"] > 0
        assert kept["rows_with_rationale"] == kept["rows"]["train"]
        assert [*kept["data_sha256"]] == ["./pot_convfinqa_dev.json"]
        assert (tmp_path / "run" / "curves.png").stat().st_size > 5000
        losses = json.loads((tmp_path / "run" / "history.json").read_text())
        assert len(losses["label"]) == len(losses["rationale"]) == kept["steps"]
        card = ModelCard.load(report.folder / "README.md")
        assert card.data.base_model == "tiny"
        assert f"| this adapter | {report.student.accuracy:.4f} |" in card.text
        again = folders.load(report.folder, recipe, tiny_decoder)
        assert again.labels == ("look up", "subtract", "subtract, then divide")

    def test_stopped_and_resumed_it_is_the_same_adapter(self, go, make, tmp_path):
        """After any step, to the byte."""
        whole = go(make(), "whole")

        def stop(step: int, _steps: int, _loss: float) -> None:
            if step == 2:
                raise Stopped

        with pytest.raises(Stopped):
            go(make(), "cut", progress=stop, checkpoint_s=0.0)
        resumed = go(make(), "cut", resume=True)
        assert resumed.facts["adapter_sha256"] == whole.facts["adapter_sha256"] == folders.digest(whole.folder)

    def test_another_recipe_does_not_go_on(self, go, make, tmp_path):
        """And the run folder keeps the recipe that its checkpoint is of."""
        go(make())
        kept = (tmp_path / "run" / "recipe.yaml").read_text()
        with pytest.raises(ConfigError, match="another recipe or other rows"):
            go(make(student={"rationale_weight": 0.5}), resume=True)
        assert (tmp_path / "run" / "recipe.yaml").read_text() == kept
        with pytest.raises(ConfigError, match="no checkpoint to resume from"):
            go(make(), "elsewhere", resume=True)

    def test_a_share_is_part_of_a_larger_one(self, make, conversations, tmp_path):
        rows = [
            run.read_rows(make(training={"share": share}), conversations, tmp_path, None).dataset.train
            for share in (0.25, 0.5)
        ]
        assert rows[1][: len(rows[0])] == rows[0]
        assert len(rows[1]) == pytest.approx(2 * len(rows[0]), abs=1)

    def test_redacted_rows_have_redacted_rationales(self, make, conversations, tmp_path):
        """A value that the text has a placeholder for has the same one in the rationale."""
        file = conversations / "pot_convfinqa_dev.json"
        entries = json.loads(file.read_text())
        for entry in entries:
            entry["golden_text"] += " write to ann.lee@example.com"
            entry["programs"] = ["ans = ann.lee@example.com", "ans = 4 - bob@example.com", "ans = 3"]
        file.write_text(json.dumps(entries))
        recipe = make(data={"redact": True})
        redactor = Redactor.from_policy(None, budget_s=60)
        rows = run.read_rows(recipe, conversations, tmp_path, redactor)
        why = run.rationales_of(recipe, conversations, rows, tmp_path, lambda _: tmp_path, redactor)
        assert {(row.text, row.label) for row in rows.dataset.train} == {*why}
        assert not any("@" in text or "@" in said for (text, _), said in why.items())
        assert {said for said in why.values() if "EMAIL" in said} == {
            "ans = <EMAIL_ADDRESS_1>",
            "ans = 4 - <EMAIL_ADDRESS_1>",
        }
        assert run.write_rows(rows, tmp_path / "rows.jsonl") == len(why)
        lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
        assert {(line["text"], line["label"]) for line in lines} == {*why}
        assert {line["sha256"] for line in lines} == {row.sha256 for row in rows.to_explain()}

    def test_a_text_under_two_labels_has_a_rationale_for_each(self, make, conversations, tmp_path):
        file = conversations / "pot_convfinqa_dev.json"
        entries = json.loads(file.read_text())
        for entry in entries:  # the same question and evidence twice, by two programs
            entry["questions"], entry["programs"] = ["what was it?", "what was it?"], ["ans = 3", "ans = 3 - 1"]
        both = [
            entry | {"questions": ["what was it?"], "programs": [p]} for entry in entries for p in entry["programs"]
        ]
        file.write_text(json.dumps(both))
        recipe = make(training={"share": 1.0})
        rows = run.read_rows(recipe, conversations, tmp_path, None)
        why = run.rationales_of(recipe, conversations, rows, tmp_path, lambda _: tmp_path, None)
        learned = {(row.label, row.rationale) for row in explainable(rows.dataset.train, why)}
        assert learned == {("look up", "ans = 3"), ("subtract", "ans = 3 - 1")}
        redacted = own_redacted(why, Redactor.from_policy(None, budget_s=60))
        assert len(redacted) == len(why)

    def test_rows_as_they_are_reach_no_teacher(self, make, conversations, tmp_path):
        rows = run.read_rows(make(), conversations, tmp_path, None)
        with pytest.raises(TypeError, match="do not reach a teacher"):
            run.write_rows(rows, tmp_path / "rows.jsonl")


class TestLoss:
    @pytest.fixture
    def first_step(self, make, tiny_decoder, tmp_path):
        """LoRA weights after one step."""

        def step(weight: float, rationale: str | None) -> list[torch.Tensor]:
            recipe = make(student={"rationale_weight": weight}, training={"epochs": 1, "batch_size": 2})
            torch.manual_seed(1)
            student = Student(recipe, tiny_decoder, ("add", "look up"))
            rows = [Explainable("what was it?", "add", rationale), Explainable("and?", "look up", rationale)]
            Loop(student, rows, recipe, tmp_path).run(ignore)
            return [p.detach().clone() for p in student.model.parameters() if p.requires_grad]

        return step

    def test_weight_0_is_labels_alone(self, first_step):
        """And a row without a rationale is learned by its label."""
        pairs = zip(first_step(0.0, "ans = 1"), first_step(1.0, None), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)

    def test_rationales_change_what_is_learned(self, first_step):
        pairs = list(zip(first_step(0.0, "ans = 1"), first_step(1.0, "ans = 1"), strict=True))
        assert not all(torch.equal(a, b) for a, b in pairs)
