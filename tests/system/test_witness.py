"""The service and its witness as processes: a required quorum closes the service when lost, and opens it again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from service import Service

from finslm.audit import AuditLog
from finslm.audit.witness_state import create_key
from finslm.client import ClientError

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def finslm(*args: object) -> list[str]:
    return [sys.executable, "-m", "finslm", *map(str, args)]


def start_witness(home: Path) -> subprocess.Popen[bytes]:
    listen = f"unix:{home}/witness.sock"
    command = finslm(
        "witness", "serve", "--dir", home / "witness", "--log", home / "audit/log.vkey", "--listen", listen
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert b"listening" in process.stdout.readline()
    return process


def until_health(client, wanted: str, limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while client.health() != wanted:
        assert time.monotonic() < end
        time.sleep(0.1)


def make_key(folder: Path) -> None:
    async def make() -> None:
        await AuditLog.open(folder, origin="finslm.local/audit", checkpoint_interval_s=1).close()

    asyncio.run(make())


def test_a_required_quorum_opens_and_closes_the_service(tmp_path: Path) -> None:
    """Lost: NOT_SERVING and AUDIT_UNAVAILABLE. Back: SERVING. Stopped: the witness has cosigned the last record."""
    vkey = create_key(tmp_path / "witness", "witness.example/w1").vkey()
    make_key(tmp_path / "audit")
    policy = tmp_path / "policy.txt"
    policy.write_text(f"witness w1 {vkey} unix:{tmp_path}/witness.sock\nquorum w1\n")
    extra = {
        "FINSLM_AUDIT__WITNESS_POLICY_FILE": str(policy),
        "FINSLM_AUDIT__WITNESS_INTERVAL_S": "0.2",
        "FINSLM_AUDIT__WITNESS_MAX_AGE_S": "1.5",
        "FINSLM_AUDIT__WITNESS_REQUIRED": "true",
    }
    witness = start_witness(tmp_path)
    service = Service(tmp_path, level="INFO", extra=extra).start()
    with service.client() as client:
        client.redact("My name is Margaret Holloway")
        witness.kill()
        witness.communicate()
        client.redact("My name is Margaret Holloway")
        until_health(client, "NOT_SERVING")
        with pytest.raises(ClientError) as refused:
            client.redact("My name is Margaret Holloway")
        assert (refused.value.status.name, refused.value.reason) == ("UNAVAILABLE", "AUDIT_UNAVAILABLE")
        with urllib.request.urlopen(f"http://127.0.0.1:{service.admin_port}/metrics", timeout=5) as response:
            assert b'finslm_witness_failures_total{reason="unreachable",witness="w1"}' in response.read()
        witness = start_witness(tmp_path)
        until_health(client, "SERVING")
        client.redact("My name is Margaret Holloway")
    assert service.stop() == 0
    verify = subprocess.run(
        finslm("audit", "verify", "--dir", tmp_path / "audit", "--policy", policy, "--json"),
        capture_output=True,
        check=True,
    )
    records = (tmp_path / "audit" / "records.log").read_text()
    assert f'"cosigned_size": {records.count(chr(10))}'.encode() in verify.stdout
    assert '"event":"SERVER_STOPPED"' in records.splitlines()[-1]
    assert [records.count(f'"event":"WITNESS_QUORUM_{what}"') for what in ("LOST", "MET")] == [1, 1]
    witness.terminate()
    witness.communicate()
    assert witness.returncode == 0
