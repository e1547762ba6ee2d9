"""Nothing leaves: no connection is opened, and no log line, at any level, carries text."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys

import pytest
import tldextract

from redaction import Redactor
from redaction.recognizers.web import EmailAddress

CANARIES = {
    "name": "Zephyrine Quackenbush",
    "iban": "DE89370400440532013000",
    "card": "4111111111111111",
    "email": "zephyrine.q@canary-mail.example.com",
    "street": "77 Marzipan Crescent",
    "word": "xyloquartz",
}
TEXT = (
    f"I, {CANARIES['name']}, of {CANARIES['street']}, {CANARIES['word']}, paid {CANARIES['iban']} by card "
    f"{CANARIES['card']}; account number 123456789012; mail {CANARIES['email']}, call 020 7946 0958, "
    "see www.canary-site.co.uk/xyloquartz"
)


class Dialled(AssertionError):
    """Somebody tried to reach the network."""


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise Dialled(args)

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)


def test_the_guard_would_notice(no_network, tmp_path):
    """The positive control: stock tldextract with a cold cache dials, and the guard sees it."""
    with pytest.raises(Dialled):
        socket.create_connection(("192.0.2.1", 80))
    stock = tldextract.TLDExtract(cache_dir=str(tmp_path), fallback_to_snapshot=False)
    with pytest.raises(Dialled):
        stock("example.co.uk")


def test_making_and_using_a_redactor_opens_no_connection(no_network):
    redactor = Redactor.from_policy(budget_s=60)
    redacted = redactor.redact(TEXT)
    assert redacted.entity_counts["EMAIL_ADDRESS"] == 1
    assert redactor.second_look(redacted) == []
    assert redactor.restore(redacted.text, redacted) == TEXT


def test_the_suffix_list_is_the_bundled_one_and_leaves_no_cache(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TLDEXTRACT_CACHE", str(tmp_path))
    [found] = EmailAddress().detect("a@b.co.uk")
    assert found.validated
    assert list(tmp_path.iterdir()) == []


class Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.names: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.names.add(record.name)
        self.lines.append(f"{self.format(record)} {record.args} {vars(record)}")


def test_no_log_line_at_debug_carries_text(redactor, capfd, monkeypatch):
    collector = Collector()
    for name in [None, *logging.root.manager.loggerDict]:
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "disabled", False)
        monkeypatch.setattr(logger, "level", logging.DEBUG)
        logger.manager._clear_cache()
    logging.root.addHandler(collector)
    try:
        logging.getLogger("redaction.control").debug("the control")
        redacted = redactor.redact(TEXT)
        redactor.second_look(redacted)
        redactor.restore(redacted.text, redacted)
    finally:
        logging.root.removeHandler(collector)
    assert "redaction.control" in collector.names  # debug lines do arrive
    written = "\n".join(collector.lines) + "".join(capfd.readouterr())
    leaked = [
        kind
        for kind, value in CANARIES.items()
        for part in value.split()
        if len(part) > 4 and part.lower() in written.lower()
    ]
    assert not leaked


PROBE = """
import os, sys, time
__import__(sys.argv[1])
for _ in range(40):
    time.sleep(0.05)
print(len(os.listdir("/proc/self/task")))
"""


def _threads_and_files_after_import(module, home):
    # A bare environment: the library is silent by itself where it sees the variables of a CI system.
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, module], env=env, check=True, capture_output=True, text=True, timeout=120
    )
    return int(done.stdout), [path.name for path in home.rglob("*onnxruntime*")]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_onnx_library_does_not_report_to_its_maker(tmp_path):
    """Its telemetry dials from native code, which the fixture above cannot see; its thread and its database show."""
    stock, ours = tmp_path / "stock", tmp_path / "ours"
    stock.mkdir()
    ours.mkdir()
    threads, files = _threads_and_files_after_import("onnxruntime", stock)
    assert (threads > 1, bool(files)) == (True, True), "the positive control: left alone, it does"
    assert _threads_and_files_after_import("redaction.ner.names", ours) == (1, [])
