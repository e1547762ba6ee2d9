"""kill -9 under load: whatever was answered is in the log, and the log verifies."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from service import Service

from finslm.audit import verify_dir
from finslm.client import ClientError

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_kill_9_loses_no_answered_call(tmp_path):
    """Every receipt that a client holds is a record of the log after the restart, with the same leaf hash."""
    service = Service(tmp_path, level="INFO").start()
    receipts: list[tuple[int, str]] = []
    stop = threading.Event()

    def load() -> None:
        with service.client() as client:
            while not stop.is_set():
                try:
                    receipt = client.redact("Pay Anna Schmidt, IBAN DE89 3704 0044 0532 0130 00").receipt
                except ClientError:
                    return  # the server is gone
                receipts.append((receipt.index, receipt.leaf_hash))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    limit = time.monotonic() + 120
    while len(receipts) < 40 and time.monotonic() < limit:
        time.sleep(0.05)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(30)
    stop.set()
    for thread in threads:
        thread.join(130)
    assert len(receipts) >= 40

    service.start()
    with service.client() as client:
        verified = client.verify()
        assert verified.ok
        for index, leaf_hash in receipts:
            assert client.get_record(index).records[0].leaf_hash == leaf_hash
    assert service.stop() == 0
    assert verify_dir(service.audit_dir).ok


def test_a_corrupt_log_refuses_the_start_and_names_the_record(tmp_path):
    """One flipped byte in a record: exit status 1, the index in the message, no port opened."""
    service = Service(tmp_path, level="INFO").start()
    with service.client() as client:
        for _ in range(3):
            client.redact("My name is Margaret Holloway")
    assert service.stop() == 0
    records = service.audit_dir / "records.log"
    data = bytearray(records.read_bytes())
    at = data.index(b'"INTENT"') + 2
    index = data[:at].count(b"\n")
    data[at] ^= 1
    records.write_bytes(bytes(data))
    process = service.launch()
    assert process.wait(120) == 1
    log = service.log.read_text()
    assert "AuditCorrupt" in log
    assert f"record {index}:" in log
