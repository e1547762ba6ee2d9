"""A system's process, as the harness holds it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.engine.wire import Request, Run, read_run

ROOT = Path(__file__).parents[2]
LIMIT_S = 900.0
"""The longest that one answer may take."""


class WorkerFailed(Exception):
    """The process ended, said an error, or took too long; the message is for the result."""


class Worker:
    """Starts ``command`` and waits until it says that it is ready.

    Args:
        command: a program that calls :func:`benchmarks.engine.wire.serve`.
        threads: for libraries that read their number of threads from the environment.

    Raises:
        WorkerFailed: it did not start.
    """

    def __init__(self, command: Sequence[str], threads: int, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - close() closes it
        env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(  # its own group: what it starts itself ends with it
            command, stdin=pipe, stdout=pipe, stderr=self._log, env=env, cwd=ROOT, text=True, start_new_session=True
        )
        try:
            self.about: dict[str, Any] = self._answer()["about"]
        except BaseException:
            self.close()
            raise

    def send(self, requests: Sequence[Request]) -> Run:
        """All requests at once.

        Raises:
            WorkerFailed: no answer.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([asdict(request) for request in requests]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerFailed(self._last_words()) from None
        return read_run(self._answer()["run"])

    def close(self) -> None:
        """End the process: its input ends, and if that is not enough it is killed, with what it started."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with suppress(BrokenPipeError):  # it has ended
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):  # all of the group has ended
            os.killpg(self._process.pid, signal.SIGKILL)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        timer = threading.Timer(self._limit_s, self._kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise WorkerFailed(self._last_words())
        value: dict[str, Any] = json.loads(line)
        if "error" in value:
            raise WorkerFailed(str(value["error"]))
        return value

    def _last_words(self) -> str:
        code = self._process.wait()
        self._log.seek(0)
        said = [line.strip() for line in self._log if line.strip()]
        return f"exit {code}: {said[-1] if said else 'it said nothing'}"
