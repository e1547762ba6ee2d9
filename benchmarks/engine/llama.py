"""llama.cpp in a process: its server behind HTTP on loopback, or (``--bench``) its own benchmark tool.

``python -m benchmarks.engine.llama BIN_DIR MODEL.gguf --threads N --slots N [--bench]``
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.engine import wire

SLOT_TOKENS = 640
"""Longest prompt and answer together, with room to spare."""
START_S = 120.0


class Server:
    """``llama-server``, one slot for each request, continuous batching and its prompt cache on."""

    def __init__(self, folder: Path, model: Path, threads: int, slots: int) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self._port = int(s.getsockname()[1])
        self._callers = ThreadPoolExecutor(slots)
        place = ["--host", "127.0.0.1", "--port", str(self._port), "--no-webui", "--offline"]
        size = ["-t", str(threads), "-np", str(slots), "-c", str(SLOT_TOKENS * slots), "-cb", "--cache-ram", "0"]
        self._process = subprocess.Popen([str(folder / "llama-server"), "-m", str(model), *place, *size])
        self._wait()

    def send(self, requests: Sequence[wire.Request]) -> wire.Run:
        """All requests at once. One alone is streamed, to see its tokens come; many are not, to spare the processor."""
        started = time.perf_counter()
        if len(requests) == 1:
            answers = [self._stream(requests[0], started)]
        else:
            answers = list(self._callers.map(lambda request: self._whole(request, started), requests))
        return wire.Run(answers, time.perf_counter() - started)

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _stream(self, request: wire.Request, started: float) -> wire.Answer:
        response, first = self._post(request, stream=True), None
        for line in response:
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line[6:])
            if first is None:
                first = time.perf_counter() - started
            if event.get("stop"):
                return wire.Answer(int(event["tokens_predicted"]), first, time.perf_counter() - started)
        raise RuntimeError("the stream ended early")

    def _whole(self, request: wire.Request, started: float) -> wire.Answer:
        answer = json.loads(self._post(request, stream=False).read())
        return wire.Answer(int(answer["tokens_predicted"]), None, time.perf_counter() - started)

    def _post(self, request: wire.Request, *, stream: bool) -> http.client.HTTPResponse:
        body: dict[str, Any] = {"prompt": request.ids, "n_predict": request.new, "ignore_eos": True}
        body |= {"temperature": 0, "cache_prompt": True, "stream": stream}
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"the server said {response.status}: {response.read(200)!r}")
        return response

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise SystemExit(f"llama-server ended with {self._process.returncode}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass  # not listening yet
            time.sleep(0.1)
        self.close()
        raise SystemExit("llama-server was never ready")


class Bench:
    """``llama-bench``: the rate of generation after a prompt of the same length, at the best number of threads."""

    def __init__(self, folder: Path, model: Path, threads: int) -> None:
        counts = ",".join(str(n) for n in sorted({1, threads}))
        self._command = [str(folder / "llama-bench"), "-m", str(model), "-t", counts, "-r", "1", "-o", "json"]

    def send(self, requests: Sequence[wire.Request]) -> wire.Run:
        """One request; only its rate is known, so its times begin with its first token."""
        (request,) = requests
        sizes = ["-p", "0", "-n", str(request.new), "-d", str(len(request.ids))]
        out = subprocess.run([*self._command, *sizes], check=True, stdout=subprocess.PIPE).stdout
        rate = max(float(row["avg_ts"]) for row in json.loads(out))
        return wire.Run([wire.Answer(request.new, 0.0, (request.new - 1) / rate)], None)


def _version(folder: Path) -> str:
    ran = subprocess.run([str(folder / "llama-server"), "--version"], check=True, capture_output=True, text=True)
    said = [line for line in (ran.stdout + ran.stderr).splitlines() if line.startswith("version")]
    return said[0].removeprefix("version:").strip() if said else "unknown"


def main() -> None:
    """Serve lines until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--bench", action="store_true")
    chosen = parser.parse_args()
    wire.quiet()
    about = {"version": _version(chosen.folder), "weights": chosen.model.stem.replace("-", ".").rpartition(".")[2]}
    if chosen.bench:
        wire.serve(about, Bench(chosen.folder, chosen.model, chosen.threads).send)
        return
    server = Server(chosen.folder, chosen.model, chosen.threads, chosen.slots)
    try:
        wire.serve(about, server.send)
    finally:
        server.close()


if __name__ == "__main__":
    main()
