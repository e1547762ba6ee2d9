"""``finslm audit``: exports that verify elsewhere, receipts, holds, the key; what tools do is put on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from finslm.audit import AuditLog, Kind, Record, spool
from finslm.audit.ocsf import to_ocsf
from finslm.auditing import AuditCare, record_policy
from finslm.cli import app, audit_tools
from finslm.config import AuditSettings

Open = Callable[..., AuditLog]
Make = Callable[..., Record]


def finslm(*args: str) -> Result:
    return CliRunner().invoke(app, list(args), catch_exceptions=False)


def answer(*args: str) -> Any:
    done = finslm(*args, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
async def log_dir(open_log: Open, make_record: Make, tmp_path: Path) -> Path:
    log = open_log()
    for n in range(20):
        begun = await log.append(make_record(n))
        ended = make_record(n, kind=Kind.OUTCOME, status="OK", intent_index=begun.index, prompt_tokens=3)
        receipt = await log.append(ended)
    (tmp_path / "receipt.tlog-proof").write_text(receipt.proof)
    (tmp_path / "leaf").write_text(receipt.leaf_hash)
    (tmp_path / "record.json").write_bytes(log.entry(receipt.index))
    await log.append(Record(Kind.EVENT, event="SERVER_STARTED", details={"version": "1"}))
    await log.close()
    return tmp_path / "log"


def test_an_export_verifies_and_is_left_to_be_recorded(log_dir: Path, tmp_path: Path) -> None:
    made = answer("audit", "export", "--dir", str(log_dir), "--out", str(tmp_path / "bundle"), "--by", "ada")
    assert (made["records"], made["recorded"]) == (41, True)
    found = answer("audit", "verify", "--dir", str(tmp_path / "bundle"), "--key", str(log_dir / "log.vkey"))
    assert (found["ok"], found["tree_size"], found["first_kept"]) == (True, 41, 0)
    (event,) = [record for _, record in spool.pending(log_dir) if record]
    assert (event.event, event.details["by"], event.details["form"]) == ("LOG_EXPORTED", "ada", "tiles")
    assert finslm("audit", "export", "--dir", str(log_dir), "--out", str(tmp_path / "bundle")).exit_code == 2
    tile = tmp_path / "bundle/tile/entries/000.p/41"
    tile.chmod(0o644)
    tile.write_bytes(tile.read_bytes().replace(b"loans", b"loanz", 1))
    assert finslm("audit", "verify", "--dir", str(tmp_path / "bundle")).exit_code == 1


def test_lines_for_a_siem(log_dir: Path, tmp_path: Path) -> None:
    """Each event has what OCSF demands of its class, and its fingerprint is the record's leaf hash."""
    for form in ("jsonl", "ocsf"):
        answer("audit", "export", "--dir", str(log_dir), "--out", str(tmp_path / form), "--format", form)
    plain = [json.loads(line) for line in (tmp_path / "jsonl").read_text().splitlines()]
    events = [json.loads(line) for line in (tmp_path / "ocsf").read_text().splitlines()]
    assert [e["metadata"]["sequence"] for e in events] == [p["index"] for p in plain] == list(range(41))
    for event, record in zip(events, plain, strict=True):
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert {"category_uid", "time", "severity_id", "metadata"} <= event.keys()
        assert event["attestation_list"][0]["fingerprint"]["value"] == record["leaf_hash"]
        assert json.loads(event["raw_data"]) == record["record"]
        needed = {6003: {"actor", "api", "src_endpoint"}, 6002: {"app"}}[event["class_uid"]]
        assert needed <= event.keys()


def test_ocsf_of_a_refusal(make_record: Make) -> None:
    record = make_record(
        kind=Kind.OUTCOME, status="PERMISSION_DENIED", reason="PERMISSION_DENIED", time="2026-01-31T12:00:00.000001Z"
    )
    event = to_ocsf("bank.example/log", 7, record)
    assert (event["status_id"], event["severity_id"], event["status_code"]) == (2, 3, "PERMISSION_DENIED")


def test_a_receipt_offline(log_dir: Path, tmp_path: Path) -> None:
    """By its leaf hash or the record; not for another record, key or file."""
    at = ("audit", "receipt", str(tmp_path / "receipt.tlog-proof"), "--key", str(log_dir / "log.vkey"))
    leaf = (tmp_path / "leaf").read_text()
    assert answer(*at, "--leaf", leaf)["index"] == 39
    assert answer(*at, "--record", str(tmp_path / "record.json"))["tree_size"] == 40
    for wrong in (("--leaf", "0" * 64), ("--leaf", "x"), (), ("--leaf", leaf, "--record", str(tmp_path / "leaf"))):
        assert finslm(*at, *wrong).exit_code == 2
    assert finslm("audit", "receipt", str(tmp_path / "leaf"), "--key", at[-1], "--leaf", leaf).exit_code == 2


def test_the_schema_is_that_of_the_records(log_dir: Path, tmp_path: Path) -> None:
    schema = json.loads(finslm("audit", "schema").stdout)
    answer("audit", "export", "--dir", str(log_dir), "--out", str(tmp_path / "lines"), "--format", "jsonl")
    for line in (tmp_path / "lines").read_text().splitlines():
        jsonschema.validate(json.loads(line)["record"], schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"kind": "INTENT", "version": 1, "prompt": "hello"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"kind": "INTENT", "version": 1, "principal": "John Smith"}, schema)


async def test_holds_and_tools_come_on_record_once(open_log: Open, log_dir: Path) -> None:
    """The service takes them in, in order; a crash between record and file makes no second record."""
    at = ("--dir", str(log_dir), "--json")
    for args in (("set", "case-1", "--from", "2026-01-01"), ("set", "case-2", "--tenant", "emea"), ("lift", "case-1")):
        assert finslm("audit", "hold", *args, *at).exit_code == 0
    for bad in (
        ("set", "Case 1"),
        ("set", "x", "--from", "yesterday"),
        ("set", "x", "--from", "2026-02", "--to", "2026-01-01"),
    ):
        assert finslm("audit", "hold", *bad, *at).exit_code == 2
    kept = {path: path.read_bytes() for path, _ in spool.pending(log_dir)}
    log = open_log()
    care = AuditCare(log, AuditSettings(dir=log_dir))
    await care.look()
    assert spool.pending(log_dir) == []
    last = list(kept)[-1]
    last.write_bytes(kept[last])
    (log_dir / "pending" / "0.json").write_text('{"event":"MODEL_PROMOTED","tenant":"","details":{}}')
    await care.look()
    events = [(record.event, record.details["hold"]) for _, record in log.events("HOLD_SET", "HOLD_LIFTED")]
    assert events == [("HOLD_SET", "case-1"), ("HOLD_SET", "case-2"), ("HOLD_LIFTED", "case-1")]
    assert log.events("MODEL_PROMOTED") == [], "no tool says that"
    assert len(log.events("CLOCK_CHECKED")) == 1
    await log.close()


async def test_a_change_of_policy_is_on_record(open_log: Open) -> None:
    """Once for each change, whatever the number of starts."""
    log = open_log()
    for digest in ("a" * 64, "a" * 64, "b" * 64, "a" * 64):
        await record_policy(log, digest)
    seen = [(r.details["before"][:4], r.details["after"][0]) for _, r in log.events("POLICY_CHANGED")]
    assert seen == [("none", "a"), ("aaaa", "b"), ("bbbb", "a")]
    await log.close()


def test_the_key(log_dir: Path) -> None:
    """A new key; the old public key still verifies the log."""
    old = log_dir.parent / "old.vkey"
    old.write_text((log_dir / "log.vkey").read_text())
    done = CliRunner().invoke(
        app,
        ["audit", "rotate-key", "--dir", str(log_dir), "--json"],
        env={"FINSLM_AUDIT__ORIGIN": "bank.example/finslm"},
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["vkey"] != old.read_text().strip()
    assert answer("audit", "verify", "--dir", str(log_dir), "--key", str(old))["tree_size"] == 42


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under a number that no file knows: it still says who set a hold."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    assert audit_tools._name(None) == "uid-4000000"
