"""``finslm models``: exit codes, JSON, and what a person sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from finslm.cli.models import app
from finslm.models import manifest

if TYPE_CHECKING:
    from tests.finslm.models.conftest import FakeModel

run = CliRunner().invoke


@pytest.fixture
def tiny(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """The command with the fake manifest in the package's place."""
    monkeypatch.setattr(manifest, "package_manifest", lambda: model.manifest)
    monkeypatch.setenv("FINSLM_MODELS__DIR", str(model.models_dir))
    return model


def test_pull_without_a_name_installs_what_serving_needs_and_says_so_once_more(tiny: FakeModel) -> None:
    first = json.loads(run(app, ["pull", "--from", str(tiny.wheel), "--json"]).stdout)
    assert [(m["name"], m["fetched"]) for m in first["models"]] == [("tiny", True)]
    again = run(app, ["pull", "--from", str(tiny.wheel)])
    assert again.exit_code == 0
    assert "already there and intact" in again.stdout


def test_a_wrong_hash_ends_with_1_and_the_reason(tiny: FakeModel) -> None:
    tiny.wheel.write_bytes(b"not the wheel")
    done = run(app, ["pull", "--from", str(tiny.wheel)])
    assert done.exit_code == 1
    assert "pinned is" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize("arguments", [["pull", "nope"], ["show", "nope"], ["verify", "nope"], ["pin", "nope"]])
def test_an_unknown_name_ends_with_2(tiny: FakeModel, arguments: list[str]) -> None:
    assert run(app, arguments).exit_code == 2


def test_list_and_show_tell_licence_attribution_and_state(tiny: FakeModel) -> None:
    run(app, ["pull", "--from", str(tiny.wheel)])
    (listed,) = json.loads(run(app, ["list", "--json"]).stdout)["models"]
    shown = json.loads(run(app, ["show", "tiny", "--json"]).stdout)
    assert listed == shown
    assert (shown["state"], shown["licence"], shown["attribution"]) == ("installed", "Apache-2.0", "The tests")
    assert "finslm-test-tiny==1.0" in shown["source"]
    assert "current" in run(app, ["list"]).stdout
    assert "The tests" in run(app, ["show", "tiny"]).stdout


def test_verify_ends_with_1_when_a_file_changed(tiny: FakeModel) -> None:
    run(app, ["pull", "--from", str(tiny.wheel)])
    assert run(app, ["verify"]).exit_code == 0
    Path(tiny.models_dir, "tiny", "config.json").write_bytes(b'{"tiny": fals}\n')
    done = run(app, ["verify", "--json"])
    assert done.exit_code == 1
    (result,) = json.loads(done.stdout)["models"]
    assert result["ok"] is False
    assert "content has changed" in result["problem"]
