"""``finslm policy``: exit codes, JSON, and tables that fit the terminal."""

from __future__ import annotations

import json

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from finslm.cli import app

BANK = "name: bank\nextends: finance\ndeny: [{type: PROJECT, values: [Falcon]}]\n"
DESK = (
    "name: desk\nextends: bank.yaml\nentities:\n  PERSON: keep\n  IBAN_CODE: {score_threshold: 0.9}\n"
    "switched_off: {types: [AGE]}\nallow: [Acme Bank, {pattern: 'Falc[a-z]+', types: [ORGANIZATION]}]\n"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "bank.yaml").write_text(BANK, "utf-8")
    (tmp_path / "desk.yaml").write_text(DESK, "utf-8")
    (tmp_path / "wrong.yaml").write_text("name: wrong\nentities:\n  PERSN: keep\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, width: int = 80, stdin: str | None = None):
    result = CliRunner().invoke(app, ["policy", *arguments], env={"COLUMNS": str(width)}, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


class TestCheck:
    def test_a_valid_policy_ends_with_0_and_says_its_digest(self, folder):
        result = run("check", "bank.yaml")
        assert result.exit_code == 0
        assert "valid; no warnings" in result.stdout
        assert json.loads(run("check", "bank.yaml", "--json").stdout)["digest"] in result.stdout

    def test_warnings_end_with_1_only_when_strict(self, folder):
        assert run("check", "desk.yaml").exit_code == 0
        result = run("check", "desk.yaml", "--strict")
        assert result.exit_code == 1
        assert "PERSON is kept" in result.stdout
        assert "desk.yaml:4" in result.stdout

    def test_an_invalid_policy_ends_with_1_and_says_where(self, folder):
        result = run("check", "wrong.yaml")
        assert result.exit_code == 1
        assert "wrong.yaml: line 3" in result.stderr
        assert "PERSON" in result.stderr

    def test_json_says_the_same(self, folder):
        good, bad = run("check", "desk.yaml", "--json"), run("check", "wrong.yaml", "--json")
        told = json.loads(good.stdout)
        assert (told["valid"], told["name"], len(told["digest"])) == (True, "desk", 64)
        assert told["layers"] == ["finance", "bank.yaml", "desk.yaml"]
        assert {"confidential-kept", "high-threshold"} <= {warning["code"] for warning in told["warnings"]}
        assert bad.exit_code == 1
        assert json.loads(bad.stdout)["valid"] is False

    def test_the_built_in_policy_goes_by_its_name(self):
        assert run("check", "finance", "--strict").exit_code == 0


class TestExplain:
    def test_every_type_has_a_line_with_its_action_and_where_it_is_said(self, folder):
        rows = {line.split()[0]: line for line in run("explain", "desk.yaml", width=140).stdout.splitlines() if line}
        assert rows["PERSON"].split()[1:3] == ["keep", "0.35"]
        assert rows["PERSON"].split()[3] == "desk.yaml:4"
        assert rows["IBAN_CODE"].split()[1:3] == ["placeholder", "0.9"]
        assert rows["AGE"].split()[1] == "off"
        assert "deny list" in rows["PROJECT"]
        assert "AGE" in rows["switched"]

    def test_one_type_says_which_entries_concern_it(self, folder):
        told = run("explain", "desk.yaml", "--type", "ORGANIZATION").stdout
        assert "0 (desk.yaml:7), 1 (desk.yaml:7)" in told
        assert "nothing" in run("explain", "desk.yaml", "--type", "NEVER_HEARD_OF").stdout

    def test_a_text_shows_what_becomes_of_each_finding(self, folder):
        text = "Falcon pays DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111"
        result = run("explain", "desk.yaml", "--text", "-", width=160, stdin=text)
        assert result.exit_code == 0
        rows = {line.split()[1]: line for line in result.stdout.splitlines()[1:] if line.strip()}
        assert rows["Falcon"].split()[2:4] == ["PROJECT", "deny_list"]
        assert rows["DE89"].split()[0] == "replaced"
        assert "proven" in rows["4111"]

    def test_json_has_places_and_no_text(self, folder):
        """It may go into a file or a log."""
        told = json.loads(run("explain", "desk.yaml", "--text", "pay DE89370400440532013000", "--json").stdout)
        (finding,) = [f for f in told["findings"] if f["type"] == "IBAN_CODE"]
        assert (finding["start"], finding["end"], finding["outcome"]) == (4, 26, "replaced")
        assert "3704" not in json.dumps(told["findings"])

    def test_both_questions_at_once_are_refused(self):
        assert run("explain", "finance", "--text", "x", "--type", "PERSON").exit_code == 2

    def test_an_unusable_policy_ends_with_2(self, folder):
        result = run("explain", "wrong.yaml")
        assert result.exit_code == 2
        assert "line 3" in result.stderr


class TestDiff:
    def test_weaker_and_stronger_are_told_apart(self, folder):
        result = run("diff", "bank.yaml", "desk.yaml", "--fail-on-weaker")
        assert result.exit_code == 1
        weaker = [line for line in result.stdout.splitlines() if line.startswith("weaker")]
        assert {line.split()[1] for line in weaker} == {"AGE", "IBAN_CODE", "PERSON", "allow"}
        assert run("diff", "bank.yaml", "desk.yaml").exit_code == 0

    def test_a_stronger_policy_passes(self, folder):
        result = run("diff", "desk.yaml", "bank.yaml", "--fail-on-weaker")
        assert result.exit_code == 0
        assert "weaker" not in result.stdout.split("0 weaker")[0]
        assert run("diff", "finance", "bank.yaml", "--fail-on-weaker").exit_code == 0

    def test_the_same_is_the_same(self, folder):
        assert run("diff", "finance", "finance").stdout.strip() == "the same"

    def test_json_says_the_same(self, folder):
        told = json.loads(run("diff", "bank.yaml", "desk.yaml", "--json").stdout)
        assert told["weaker"] is True
        assert {change["kind"] for change in told["changes"]} == {"weaker"}
        assert told["a"]["digest"] != told["b"]["digest"]

    def test_no_value_of_a_list_is_shown(self, folder):
        for arguments in (("diff", "finance", "desk.yaml"), ("check", "desk.yaml"), ("explain", "desk.yaml")):
            for form in ((), ("--json",)):
                told = run(*arguments, *form).stdout
                assert told
                assert "Acme" not in told
                assert "Falc" not in told

    def test_an_unusable_policy_ends_with_2(self, folder):
        assert run("diff", "finance", "wrong.yaml").exit_code == 2
        assert run("diff", "nothing.yaml", "finance").exit_code == 2


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "desk.yaml"),
        ("explain", "desk.yaml"),
        ("explain", "desk.yaml", "--type", "IBAN_CODE"),
        ("diff", "bank.yaml", "desk.yaml"),
    ],
)
def test_nothing_is_wider_than_the_terminal(folder, arguments, width):
    """And no type name is cut."""
    told = run(*arguments, width=width).stdout
    assert max(map(cell_len, told.splitlines())) <= width
    assert "…" not in told
