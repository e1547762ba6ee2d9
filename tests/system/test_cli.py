"""The command line against the running service, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from service import Service

from finslm.cli.demo import QUESTIONS, REPORT
from finslm.client import ClientError

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

TEXT = "My name is Margaret Holloway, my card is 4111 1111 1111 1111."


def finslm(*args: str, stdin: str | bytes = "", **env: str) -> subprocess.CompletedProcess[str]:
    if "FINSLM_AUDIT__DIR" in env:
        home = Path(env["FINSLM_AUDIT__DIR"])
        env = {"FINSLM_VAULT__FILE": str(home / "v.sqlite"), "FINSLM_KEYS__FILE": str(home / "keys.json")} | env
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run(
        [sys.executable, "-m", "finslm", *args], input=data, capture_output=True, env=os.environ | env, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


class TestRedact:
    def test_standard_input(self):
        """Text in, redacted text out, nothing else."""
        done = finslm("redact", stdin=TEXT)
        assert (done.returncode, done.stdout) == (0, "My name is <PERSON_1>, my card is <CREDIT_CARD_1>.")

    def test_files_as_json(self, tmp_path):
        """A line for each file, with types and places and no values but the redacted text."""
        file = tmp_path / "letter.txt"
        file.write_text(TEXT)
        done = finslm("redact", "--json", str(file), str(file))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(lines) == 2
        assert lines[0]["counts"] == {"PERSON": 1, "CREDIT_CARD": 1}
        assert "4111" not in done.stdout
        assert "Holloway" not in done.stdout

    def test_bad_input_is_one_clear_line(self, tmp_path):
        """Not UTF-8, not there: exit status 1, what is wrong, no traceback."""
        for done in (finslm("redact", stdin=b"\xff\xfe"), finslm("redact", str(tmp_path / "nothing"))):
            assert done.returncode == 1
            assert done.stderr.startswith("finslm: InvalidRequest: ")
            assert "Traceback" not in done.stderr

    def test_a_malformed_policy_is_refused(self, tmp_path):
        """It says where and what."""
        policy = tmp_path / "policy.yaml"
        policy.write_text("version: 1\nname: x\nentitys: {}\n")
        done = finslm("redact", "--policy", str(policy), stdin=TEXT)
        assert done.returncode == 1
        assert "entitys" in done.stderr
        assert done.stdout == ""


class TestServe:
    def test_a_missing_model_names_the_command(self, tmp_path):
        """Nothing is fetched: the message says what to run."""
        done = finslm("serve", FINSLM_MODELS__DIR=str(tmp_path), FINSLM_AUDIT__DIR=str(tmp_path / "audit"))
        assert done.returncode == 1
        assert "finslm models pull" in done.stderr + done.stdout

    def test_a_malformed_policy_refuses_the_start(self, tmp_path):
        """Fail closed."""
        policy = tmp_path / "policy.yaml"
        policy.write_text("default_action: keep")
        done = finslm("serve", "--check", FINSLM_REDACTION__POLICY_FILE=str(policy), FINSLM_AUDIT__DIR=str(tmp_path))
        assert done.returncode == 1
        assert "ConfigError" in done.stderr

    def test_check_loads_the_weights(self, tmp_path):
        """What only loading finds refuses here too: a cache that holds less than one request."""
        done = finslm("serve", "--check", FINSLM_AUDIT__DIR=str(tmp_path / "a"))
        assert done.returncode == 0, done.stderr
        done = finslm("serve", "--check", FINSLM_ENGINE__CACHE_MIB="8", FINSLM_AUDIT__DIR=str(tmp_path / "a"))
        assert done.returncode == 1
        assert "engine.cache_mib" in done.stderr

    def test_the_network_without_tokens_is_refused(self, tmp_path):
        """0.0.0.0 needs a token file."""
        done = finslm("serve", "--check", FINSLM_SERVER__HOST="0.0.0.0", FINSLM_AUDIT__DIR=str(tmp_path))
        assert done.returncode == 1
        assert "access.tokens_file" in done.stderr


class TestAgainstTheService:
    def test_calls(self, service):
        """health, generate, classify and extract print answers."""
        at = ("--address", service.address)
        assert finslm("health", *at).stdout.strip() == "SERVING"
        assert finslm("health", "--service", "finslm.v1.InferenceService", *at).returncode == 0
        assert finslm("generate", "What is an IBAN?", *at).stdout.strip()
        assert "card_arrival" in finslm("classify", "My new card has not arrived yet", *at).stdout.splitlines()[0]
        named = ("classify", "I lost my card, somebody stole it.", "--labels", "mortgage, lost or stolen card", *at)
        assert finslm(*named).stdout.splitlines()[0].endswith("  lost or stolen card")
        assert finslm(*named, "--abstain-below", "1").stdout.startswith("abstained: below 1")
        answer = json.loads(finslm("generate", "--json", TEXT, *at).stdout)
        assert answer["entity_counts"]["CREDIT_CARD"] == 1
        assert answer["receipt"]["index"] > 0

    def test_answers_from_a_document(self, service, tmp_path):
        """The answer, how it was calculated and its evidence; status 3 where it is not there; bad bytes are named."""
        file, at = tmp_path / "report.md", ("--address", service.address)
        file.write_text(REPORT)
        done = finslm("answer", QUESTIONS[0], "--document", str(file), *at)
        lines = done.stdout.splitlines()
        assert lines[:2] == ["6.3128 percent", "= multiply(divide(subtract(#1, #2), #2), 100), #1 412.6, #2 388.1"]
        assert lines[2].endswith("| Net interest income | 412.6 | 388.1 |")
        absent = finslm("answer", QUESTIONS[-1], "--document", "-", "--json", *at, stdin=REPORT)
        assert (absent.returncode, json.loads(absent.stdout)["abstention"]) == (3, "NOT_IN_DOCUMENT")
        file.write_bytes(b"Rent \xff 12")
        for done in (
            finslm("answer", "Rent?", "--document", str(file), *at),
            finslm("answer", "Rent?", "--document", "-", *at, stdin=b"\xff\xfe"),
        ):
            assert (done.returncode, "UTF-8" in done.stderr, "Traceback" in done.stderr) == (1, True, False)

    def test_log_and_report_are_read_while_it_serves(self, service, tmp_path):
        """verify, tail, show and the compliance report need no server and do not disturb one."""
        finslm("classify", "My card is lost", "--address", service.address)
        log = ("--dir", str(service.audit_dir))
        assert json.loads(finslm("audit", "verify", "--json", *log).stdout)["ok"] is True
        assert finslm("audit", "tail", *log).returncode == 0
        assert "SERVER_STARTED" in finslm("audit", "show", "0", *log).stdout
        page = tmp_path / "report.html"
        done = finslm("compliance", "report", "--from", "2020-01-01", *log, "--format", "html", "--out", str(page))
        assert done.returncode in {0, 1}, done.stderr
        assert "banking_intent" in page.read_text()

    def test_erasure_from_the_command_line_is_on_record(self, service, tmp_path):
        """The service that shares the vault writes the record; the erased session is told as such."""
        other = Service(tmp_path, extra={"FINSLM_VAULT__SWEEP_INTERVAL_S": "0.5"}).start()
        with other.client() as client:
            redacted = client.redact(TEXT)
            place = {
                "FINSLM_VAULT__FILE": str(tmp_path / "vault" / "vault.sqlite"),
                "FINSLM_KEYS__FILE": str(tmp_path / "keys" / "keys.json"),
            }
            done = finslm("vault", "erase", "--tenant", "default", "--yes", "--json", **place)
            assert json.loads(done.stdout) == {"erased": 1}, done.stderr
            with pytest.raises(ClientError) as refused:
                client.restore(redacted.text, session_id=redacted.session_id)
            assert refused.value.reason == "KEY_DESTROYED"
            limit = time.monotonic() + 30
            while "VAULT_ERASED" not in (tail := finslm("audit", "tail", "--dir", str(other.audit_dir)).stdout):
                assert time.monotonic() < limit, tail
        assert other.stop() == 0
        assert json.loads(finslm("audit", "verify", "--json", "--dir", str(other.audit_dir)).stdout)["ok"] is True

    def test_nobody_there(self):
        """Exit status 1 and one line."""
        done = finslm("health", "--address", "127.0.0.1:1", "--timeout", "1")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
