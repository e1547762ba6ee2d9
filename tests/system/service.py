"""The service as a process, for tests: started, waited for, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from finslm.client import Client, ClientError

START_LIMIT_S = 240


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class Service:
    """`finslm serve` with its own audit log and ports below ``home``."""

    home: Path
    level: str = "DEBUG"
    extra: dict[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.port, self.admin_port = free_port(), free_port()
        self.audit_dir, self.log = self.home / "audit", self.home / "server.log"
        self.feedback_dir = self.home / "feedback"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def launch(self) -> subprocess.Popen[bytes]:
        env = os.environ | {
            "FINSLM_SERVER__PORT": str(self.port),
            "FINSLM_SERVER__REFLECTION": "true",
            "FINSLM_ADMIN__PORT": str(self.admin_port),
            "FINSLM_AUDIT__DIR": str(self.audit_dir),
            "FINSLM_VAULT__FILE": str(self.audit_dir.parent / "vault" / "vault.sqlite"),
            "FINSLM_KEYS__FILE": str(self.audit_dir.parent / "keys" / "keys.json"),
            "FINSLM_FEEDBACK__DIR": str(self.feedback_dir),
            "FINSLM_LOG__LEVEL": self.level,
            **self.extra,
        }
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "finslm", "serve", *self.args], env=env, stdout=out, stderr=out
            )
        return self.process

    def start(self) -> Service:
        process = self.launch()
        limit = time.monotonic() + START_LIMIT_S
        with Client(self.address) as client:
            while time.monotonic() < limit:
                assert process.poll() is None, self.log.read_text()[-3000:]
                try:
                    if client.health(timeout_s=2) == "SERVING":
                        return self
                except ClientError:
                    pass  # not listening yet
                time.sleep(0.2)
        raise AssertionError("never SERVING: " + self.log.read_text()[-3000:])

    def client(self) -> Client:
        return Client(self.address, timeout_s=120)

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 60) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout_s)
