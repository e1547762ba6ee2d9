"""What does the whole path cost, and how many callers does it carry?

``python -m benchmarks.gateway [--json]`` starts the service as a process and measures, through the
Python client on loopback: p50 and p99 of each stage of one call at a time, throughput and latency
of Classify and Generate at 1, 8 and 32 callers (each sends its next call when the last is answered),
and the process's peak memory. The stages are timed by the service's own metrics; their quantiles are
interpolated within histogram buckets. Absolute times are this machine's: compare only within a run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from benchmarks.machine import facts
from finslm.client import Client, ClientError, Sampling

TEXT = (
    "My name is Margaret Holloway, I live at 27 Linden Avenue, Bristol BS8 3JD. You took GBP 35.00 from my account "
    "GB29 NWBK 6016 1331 9268 19 although I paid my card 4111 1111 1111 1111 in full. Please refund the fee."
)
MESSAGE = (
    "Hello, Margaret Holloway here. On 3 March I was charged twice for one coffee at Linden Bakery in Bristol, "
    "GBP 4.20 each time, with my card ending 1111. The shop says that one payment came. How do I get one back?"
)
"""64 tokens as the adapter reads them, redacted."""
NEW_TOKENS = 32
CALLERS = (1, 8, 32)


class Service:
    """``finslm serve`` in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.port, self.admin = _free_port(), _free_port()
        env = os.environ | {
            "FINSLM_SERVER__PORT": str(self.port),
            "FINSLM_ADMIN__PORT": str(self.admin),
            "FINSLM_AUDIT__DIR": str(home / "audit"),
            "FINSLM_VAULT__FILE": str(home / "vault" / "vault.sqlite"),
            "FINSLM_KEYS__FILE": str(home / "keys.json"),
            "FINSLM_LOG__LEVEL": "WARNING",
        }
        self.process = subprocess.Popen([sys.executable, "-m", "finslm", "serve"], env=env)
        self.start_s = self._wait()

    def client(self) -> Client:
        """A client of it."""
        return Client(f"127.0.0.1:{self.port}", timeout_s=300)

    def peak_memory_mib(self) -> float:
        """Peak resident memory so far, MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024

    def stages(self) -> dict[str, dict[float, float]]:
        """Cumulative bucket counts by stage."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as response:
            families = list(text_string_to_metric_families(response.read().decode()))
        found: dict[str, dict[float, float]] = {}
        for family in families:
            for sample in family.samples:
                if sample.name == "finslm_stage_seconds_bucket":
                    found.setdefault(sample.labels["stage"], {})[float(sample.labels["le"])] = sample.value
        return found

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def _wait(self) -> float:
        started = time.monotonic()
        with self.client() as client:
            while time.monotonic() - started < 300:
                try:
                    if client.health(timeout_s=2) == "SERVING":
                        return time.monotonic() - started
                except ClientError:
                    pass  # not listening yet
                if self.process.poll() is not None:
                    raise SystemExit("the service ended; see above")
                time.sleep(0.1)
        raise SystemExit("the service never said SERVING")


def measure(calls: int) -> dict[str, Any]:
    """Run everything; ``calls`` is how many one caller sends of each kind."""
    with tempfile.TemporaryDirectory() as home:
        service = Service(Path(home))
        try:
            with service.client() as client:
                client.generate(TEXT, task="assist", sampling=Sampling(max_tokens=4))  # warm
                tokens = _classify(client)
                before = service.stages()
                alone = {
                    "Redact": _spread(_times(lambda: client.redact(TEXT), calls)),
                    "Classify": _spread(_times(lambda: _classify(client), calls)),
                    f"Generate, {NEW_TOKENS} tokens": _spread(_times(lambda: _generate(client), calls)),
                }
                after = service.stages()
            writing = {str(n): _load(service, n, max(1, calls // 4), _generate) for n in CALLERS}
            sorting = {str(n): _load(service, n, calls, _classify) for n in CALLERS}
            return {
                "benchmark": "gateway",
                "machine": facts(),
                "start_to_serving_s": round(service.start_s, 2),
                "one_caller_ms": alone,
                "stages_ms": {stage: _quantiles(before.get(stage, {}), after[stage]) for stage in sorted(after)},
                "classify_tokens": tokens,
                "classify_by_callers": sorting,
                "generate_by_callers": writing,
                "peak_memory_mib": round(service.peak_memory_mib()),
            }
        finally:
            service.stop()


def _generate(client: Client) -> int:
    return client.generate(TEXT, task="assist", sampling=Sampling(max_tokens=NEW_TOKENS)).usage.completion_tokens


def _classify(client: Client) -> int:
    return client.classify(MESSAGE, task="banking_intent").usage.prompt_tokens


def _load(service: Service, callers: int, calls: int, ask: Callable[[Client], int]) -> dict[str, float]:
    times: list[float] = []
    tokens: list[int] = []
    refused: list[str] = []

    def run() -> None:
        with service.client() as client:
            for _ in range(calls):
                started = time.perf_counter()
                try:
                    tokens.append(ask(client))
                except ClientError as error:
                    refused.append(error.reason)
                    continue
                times.append(time.perf_counter() - started)

    threads = [threading.Thread(target=run) for _ in range(callers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - started
    return {
        "calls": len(times),
        "refused": len(refused),
        "calls_per_s": round(len(times) / wall, 3),
        "tokens_per_s": round(sum(tokens) / wall, 1),
        **_spread(times),
    }


def _times(call: Callable[[], object], count: int) -> list[float]:
    times = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def _spread(seconds: list[float]) -> dict[str, float]:
    """p50, p99 and the extremes in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else seconds * 99
    values = {"min": min(seconds), "p50": cuts[49], "p99": cuts[98], "max": max(seconds)}
    return {name: round(value * 1000, 1) for name, value in values.items()}


def _quantiles(before: dict[float, float], after: dict[float, float]) -> dict[str, float]:
    """p50 and p99, ms, of what came between two scrapes of a cumulative histogram."""
    edges = sorted(after)
    counts = [after[edge] - before.get(edge, 0.0) for edge in edges]
    return {"count": counts[-1], "p50": _quantile(edges, counts, 0.50), "p99": _quantile(edges, counts, 0.99)}


def _quantile(edges: list[float], counts: list[float], share: float) -> float:
    wanted, low, seen = counts[-1] * share, 0.0, 0.0
    for edge, count in zip(edges, counts, strict=True):
        if count >= wanted and count > seen:
            high = edge if edge != float("inf") else low
            return round((low + (high - low) * (wanted - seen) / (count - seen)) * 1000, 2)
        low, seen = edge, count
    return 0.0


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    console = Console()
    for title, key in (("One caller, ms", "one_caller_ms"), ("Stages of the path, ms", "stages_ms")):
        table = Table("", *next(iter(result[key].values())), title=title)
        for name, row in result[key].items():
            table.add_row(name, *map(str, row.values()))
        console.print(table)
    for title, key in (
        (f"Classify, {result['classify_tokens']} tokens", "classify_by_callers"),
        (f"Generate, {NEW_TOKENS} tokens", "generate_by_callers"),
    ):
        table = Table("callers", *next(iter(result[key].values())), title=title)
        for callers, row in result[key].items():
            table.add_row(callers, *map(str, row.values()))
        console.print(table)
    machine = result["machine"]
    console.print(
        f"Ready after {result['start_to_serving_s']} s; peak memory {result['peak_memory_mib']} MiB; "
        f"{machine['cores']} cores of {machine['processor']}, load before {machine['load_before']:.1f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--calls", type=int, default=40, help="calls of each kind by one caller")
    chosen = parser.parse_args()
    result = measure(chosen.calls)
    if chosen.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
