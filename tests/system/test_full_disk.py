"""The audit log's disk fills up under a running service: it refuses calls, says so, and does no model work."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request

import pytest
from service import Service

from finslm.client import ClientError

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "t", str(folder)]).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_stops_the_service_and_its_health(small_disk, tmp_path):
    """UNAVAILABLE with its reason, NOT_SERVING, the gauge at 0; after a restart on a larger disk the log is whole."""
    settings = {"FINSLM_AUDIT__DIR": str(small_disk / "audit"), "FINSLM_AUDIT__RESERVE_MB": "0"}
    service = Service(tmp_path, level="INFO", extra=settings).start()
    answered = []
    with service.client() as client:
        with pytest.raises(ClientError) as refused:
            for _ in range(500):
                answered.append(client.redact("My name is Margaret Holloway", timeout_s=20).receipt)
        assert (refused.value.status.name, refused.value.reason) == ("UNAVAILABLE", "AUDIT_UNAVAILABLE")
        limit = time.monotonic() + 20
        while client.health() != "NOT_SERVING":
            assert time.monotonic() < limit
            time.sleep(0.2)
    with urllib.request.urlopen(f"http://127.0.0.1:{service.admin_port}/metrics", timeout=5) as response:
        assert "finslm_audit_healthy 0.0" in response.read().decode()
    service.stop()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    service.start()
    with service.client() as client:
        assert client.verify().ok
        for receipt in answered:
            assert client.get_record(receipt.index).records[0].leaf_hash == receipt.leaf_hash
    assert service.stop() == 0
