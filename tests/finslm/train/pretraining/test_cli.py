"""``finslm pretrain`` as a user calls it."""

from __future__ import annotations

import json

import pytest
import yaml
from typer.testing import CliRunner

from finslm.cli import app
from finslm.errors import ConfigError


@pytest.fixture
def call(settings, data, tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(settings))

    def invoke(*more: str):
        told = ["pretrain", str(file), "--data", str(data), "--out", str(tmp_path / "runs"), "--threads", "1", *more]
        return CliRunner().invoke(app, told)

    return invoke


class TestPretrain:
    def test_json_has_every_figure(self, call, tmp_path):
        """One object on standard output, and the model where --out says."""
        result = call("--json")
        assert result.exit_code == 0
        figures = json.loads(result.stdout)
        assert figures["after"]["bits_per_byte"] < figures["before"]["bits_per_byte"]
        assert figures["folder"] == "tiny"  # a run folder may be moved, and its figures published
        assert figures["corpus"]["malformed_skipped"] == 0

    def test_what_cannot_be_resumed_is_an_error(self, call):
        """Not a silent start from zero."""
        result = call("--resume")
        assert isinstance(result.exception, ConfigError)
