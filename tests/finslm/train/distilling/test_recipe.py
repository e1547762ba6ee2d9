"""What a recipe may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from finslm.errors import ConfigError
from finslm.train.distilling import recipe as recipes


class TestRecipe:
    def test_shipped_ones_hold(self):
        """Two tasks, the paper's prefixes and weight."""
        assert recipes.shipped() == ["convfinqa-programs", "tatqa-operations"]
        for name in recipes.shipped():
            recipe = recipes.read(name)
            assert (recipe.name, recipe.weight) == (name, 1.0)
            assert (recipe.student.label_prefix, recipe.student.rationale_prefix) == ("[label]", "[rationale]")

    @pytest.mark.parametrize(
        "said",
        [
            {"source": "file", "path": "why.jsonl"},
            {"source": "local", "model": "smollm2-135m-instruct"},
            {"source": "endpoint", "url": "https://a", "model": "m", "allowed_hosts": ["a"]},
        ],
    )
    def test_a_teacher_without_redaction_is_refused(self, make, said):
        with pytest.raises(ValidationError, match="only redacted text may reach a teacher"):
            make(rationales=said)
        assert make(rationales=said, data={"redact": True, "labels": ["a", "b"]}).weight == 1.0

    def test_a_teacher_needs_a_closed_set_of_labels(self, make):
        """Labels are not redacted: what a row's label column holds goes to nobody."""
        with pytest.raises(ValueError, match="name the closed set"):
            make(data={"redact": True}, rationales={"source": "local", "model": "tiny"})

    def test_no_rationales_weigh_nothing(self, make):
        assert make(rationales={"source": "none"}).weight == 0.0

    def test_an_endpoint_without_a_list_of_hosts_is_refused(self, make):
        with pytest.raises(ValidationError, match="allowed_hosts"):
            make(rationales={"source": "endpoint", "url": "https://a", "model": "m"}, data={"redact": True})

    def test_a_set_without_rationales_needs_a_teacher(self, make):
        part = {"dataset": "tfns", "path": "tfns"}
        with pytest.raises(ValidationError, match="data set tfns has none"):
            make(data={"parts": [part]})

    def test_what_is_wrong_is_named(self, tmp_path):
        with pytest.raises(ConfigError, match="shipped ones: convfinqa-programs"):
            recipes.read("nowhere")
        file = tmp_path / "r.yaml"
        file.write_text("name: x\nseeds: 3\n")
        with pytest.raises(ConfigError, match="seeds: Extra inputs"):
            recipes.read(str(file))
