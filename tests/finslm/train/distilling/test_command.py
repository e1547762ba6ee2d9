"""``finslm distil`` as a user calls it."""

from __future__ import annotations

import pytest
import yaml
from typer.testing import CliRunner

from finslm.cli import app
from finslm.errors import ConfigError, UnknownModel


@pytest.fixture
def call(distil_recipe, conversations, tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(distil_recipe))
    told = ["distil", str(file), "--data", str(conversations), "--out", str(tmp_path / "runs"), "--threads", "1"]
    return lambda *more: CliRunner().invoke(app, [*told, *more])


class TestDistil:
    def test_a_base_that_is_not_here(self, call):
        assert isinstance(call().exception, UnknownModel)

    def test_rows_that_are_not_redacted_are_not_written(self, call, tmp_path):
        result = call("--write-rows", str(tmp_path / "rows.jsonl"))
        assert isinstance(result.exception, ConfigError)
        assert not (tmp_path / "rows.jsonl").exists()
