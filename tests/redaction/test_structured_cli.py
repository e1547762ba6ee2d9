"""``finslm redact --format``: the command on documents, with the real models."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from finslm.cli import app
from finslm.cli.redact import Format
from redaction import Redactor
from redaction.structured import FORMATS


@pytest.fixture
def run(redactor, monkeypatch):
    """The command, with the redactor that is loaded already."""
    monkeypatch.setattr(Redactor, "from_policy", classmethod(lambda cls, policy=None: redactor))

    def command(*args, stdin):
        return CliRunner().invoke(app, ["redact", *args], input=stdin, catch_exceptions=False)

    return command


def test_the_command_knows_every_format():
    assert tuple(Format) == FORMATS


def test_a_document_stays_the_document_that_it_is(run):
    done = run(stdin='{"card": 4111111111111111,\r\n "n": 1}')
    assert done.stdout_bytes == b'{"card": "<CREDIT_CARD_1>",\r\n "n": 1}'
    assert done.stderr == ""
    done = run("--format", "csv", stdin="cvv;card\n123;4111111111111111\n")
    assert done.stdout == "cvv;card\n<CVV_1>;<CREDIT_CARD_1>\n"


def test_as_text_a_number_stays_bare(run):
    assert run("--format", "text", stdin='{"card": 4111111111111111}').stdout == '{"card": <CREDIT_CARD_1>}'


def test_a_malformed_document_says_so_on_standard_error_and_in_the_object(run):
    done = run("--format", "json", "--json", stdin='{"card": 4111111111111111')
    line = json.loads(done.stdout)
    assert (line["format"], line["counts"]) == ("text", {"CREDIT_CARD": 1})
    assert line["note"] in done.stderr
    assert line["note"].startswith("not valid JSON")
    assert "4111" not in done.stdout + done.stderr


def test_an_unknown_format_is_a_usage_error(run):
    done = run("--format", "xlsx", stdin="x")
    assert done.exit_code == 2
    assert done.stdout == ""
