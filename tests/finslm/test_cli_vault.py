"""``finslm vault``: what it prints, what it erases, exit codes; and that a running service puts it on record."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from finslm.cli import app
from finslm.config import RedactionSettings, load
from finslm.errors import AuditUnavailable
from finslm.redacting import Redacting
from finslm.telemetry.metrics import Metrics
from finslm.vaulting import open_keys, open_vault
from redaction import Policy, Redactor
from redaction.recognizers import RECOGNIZERS
from redaction.vault import EVERYBODY, Owner
from redaction.vault.stored import StoredVault

ADA, EVE, EVERYONE = Owner("bank", "ada"), Owner("other", "eve"), Owner("bank", EVERYBODY)


@pytest.fixture
def vault(tmp_path: Path, monkeypatch) -> StoredVault:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINSLM_VAULT__FILE", str(tmp_path / "vault.sqlite"))
    monkeypatch.setenv("FINSLM_KEYS__FILE", str(tmp_path / "keys.json"))
    settings = load()
    opened = open_vault(settings, open_keys(settings.keys))
    assert isinstance(opened, StoredVault)
    for owner in (ADA, ADA, EVE, EVERYONE):
        opened.issue(owner, opened.open(owner), [("PERSON", "Ann Lee")])
    return opened


def run(*arguments: str, stdin: str | None = None):
    result = CliRunner().invoke(app, ["vault", *arguments], env={"COLUMNS": "80"}, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def rotate(folder: Path) -> None:
    """Add a key and make it the current one."""
    file = folder / "keys.json"
    tree = json.loads(file.read_text("utf-8"))
    tree["keys"]["new"] = base64.b64encode(b"n" * 32).decode()
    tree["current"] = "new"
    (folder / "next.json").write_text(json.dumps(tree), "utf-8")
    (folder / "next.json").chmod(0o600)
    (folder / "next.json").replace(file)


class TestStatus:
    def test_counts_and_no_value(self, vault):
        facts = json.loads(run("status", "--json").stdout)
        assert facts["tenants"] == {
            "bank": {"sessions": 3, "values": 3, "erased": 0},
            "other": {"sessions": 1, "values": 1, "erased": 0},
        }
        assert facts["keys_in_use"] == [facts["current_key"]]
        printed = run("status").stdout
        assert "Ann" not in printed
        assert "bank" in printed

    def test_an_empty_one(self, vault):
        run("erase", "--tenant", "bank", "--yes")
        run("erase", "--tenant", "other", "--yes")
        facts = json.loads(run("status", "--json").stdout)
        assert facts["tenants"]["bank"] == {"sessions": 0, "values": 0, "erased": 3}

    def test_what_cannot_be_opened_ends_with_1(self, vault, tmp_path, monkeypatch):
        vault.close()
        (tmp_path / "vault.sqlite").write_bytes(b"no database at all, but long enough to be read as one" * 99)
        result = run("status")
        assert result.exit_code == 1
        assert "vault" in result.stderr
        monkeypatch.setenv("FINSLM_VAULT__STORE", "memory")
        result = run("status")
        assert result.exit_code == 1
        assert "ends with the process" in result.stderr


class TestErase:
    def test_a_tenant(self, vault):
        assert json.loads(run("erase", "--tenant", "bank", "--yes", "--json").stdout) == {"erased": 3}
        assert vault.holds()["other"].sessions == 1

    def test_a_caller_and_a_session(self, vault):
        session = vault.open(ADA)
        assert run("erase", "--tenant", "bank", "--principal", "ada", "--session", session, "--yes").exit_code == 0
        assert vault.holds()["bank"].sessions == 3
        assert "2 sessions erased" in run("erase", "--tenant", "bank", "--principal", "ada", "--yes").stdout

    def test_it_asks_first(self, vault):
        refused = run("erase", "--tenant", "bank", stdin="n\n")
        assert refused.exit_code == 1
        assert "cannot come back" in refused.stderr
        assert vault.holds()["bank"].sessions == 3
        assert run("erase", "--tenant", "bank", stdin="y\n").exit_code == 0
        assert vault.holds()["bank"].sessions == 0

    def test_a_session_without_its_owner_ends_with_2(self, vault):
        assert run("erase", "--tenant", "bank", "--session", "x", "--yes").exit_code == 2

    def test_nobody_s_is_none(self, vault):
        assert json.loads(run("erase", "--tenant", "nobody", "--yes", "--json").stdout) == {"erased": 0}


class TestRewrap:
    def test_rotation(self, vault, tmp_path):
        before = vault.keys_in_use()
        rotate(tmp_path)
        assert "still in use" in run("status").stdout
        done = json.loads(run("rewrap", "--json").stdout)
        assert done == {"rewrapped": 4, "current_key": "new", "keys_in_use": ["new"]}
        assert before != vault.keys_in_use() == {"new"}
        assert json.loads(run("rewrap", "--json").stdout)["rewrapped"] == 0


class TestOnRecord:
    @pytest.fixture
    def redacting(self, vault) -> Redacting:
        detector = RECOGNIZERS.get("iban")()
        redactor = Redactor(Policy.builtin(), [detector], [detector])
        return Redacting(redactor, RedactionSettings(), Metrics(CollectorRegistry()), vault)

    async def test_events_are_handed_over_once(self, vault, tmp_path, redacting):
        """Erasure from the command line and rotation, with their numbers; then the vault has none left."""
        run("erase", "--tenant", "bank", "--yes")
        rotate(tmp_path)
        run("rewrap")
        recorded = []

        async def record(event):
            recorded.append((event.kind, event.tenant, event.sessions, event.key_id))

        await redacting.record_events(record)
        await redacting.record_events(record)
        assert recorded == [("ERASED", "bank", 3, ""), ("REWRAPPED", "", 1, "new")]
        assert vault.events() == []

    async def test_what_could_not_be_recorded_stays(self, vault, redacting):
        run("erase", "--tenant", "bank", "--yes")
        run("erase", "--tenant", "other", "--yes")
        seen = []

        async def record(event):
            seen.append(event)
            if len(seen) == 2:
                raise AuditUnavailable("the disk is full")

        with pytest.raises(AuditUnavailable):
            await redacting.record_events(record)
        assert vault.events() == seen
