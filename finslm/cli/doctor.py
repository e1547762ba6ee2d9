"""``finslm doctor``: will this machine serve, and if not, what to do."""

from __future__ import annotations

import json
import locale
import os
import platform
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal, Optional

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from finslm.access.principals import build_authenticator
from finslm.config import EngineSettings, Settings, load
from finslm.engine.cpu import CGROUP_ROOT, available_cpus
from finslm.errors import ConfigError, FinslmError
from finslm.models.approval import Approval

Verdict = Literal["OK", "WARN", "FAIL"]

MEMORY_FAIL_BYTES, MEMORY_WARN_BYTES = 3 << 29, 3 << 30
"""Less than 1.5 GiB does not hold the default model and the detectors; below 3 GiB a full batch may not fit."""
DISK_FAIL_BYTES, DISK_WARN_BYTES = 1 << 28, 5 << 30
"""Free room below which the audit log is about to stop the service (it fails closed), or soon will."""
SYNC_WARN_S = 0.010
"""Median of write and fdatasync above which the log, which every call waits for twice, is felt by callers."""
SYNC_PROBES = 20
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
DETECTION_MODELS = ("finance-names",)
PACKAGES = ("torch", "transformers", "onnxruntime", "spacy", "presidio-analyzer", "grpcio", "protobuf", "cryptography")
EGRESS_VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "grpc_proxy"),
    *("HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OTEL_EXPORTER_OTLP_ENDPOINT", "SENTRY_DSN"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; ``advice`` says what to do when the verdict is not OK."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def doctor(
    config: Annotated[Optional[Path], typer.Option(help="Settings, YAML; FINSLM_* variables go before it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check this machine before serving; ends with 1 when something would stop the service."""
    checks = list(examine(config))
    failed = any(check.verdict == "FAIL" for check in checks)
    if as_json:
        typer.echo(json.dumps({"ok": not failed, "checks": [asdict(check) for check in checks]}, ensure_ascii=False))
    else:
        _show(checks)
    raise typer.Exit(1 if failed else 0)


def examine(config: Path | None = None) -> Iterator[Check]:
    """Yield every check. Changes nothing; the audit folder gets one scratch file, removed at once."""
    yield check_python()
    yield from check_packages()
    yield check_processor_features(Path("/proc/cpuinfo"))
    yield check_memory(memory_limit_bytes())
    yield check_text_encoding()
    yield check_egress_variables(os.environ)
    try:
        settings = load(config)
    except FinslmError as error:
        yield Check("settings", "FAIL", str(error), "correct the setting; the checks below it were not made")
        return
    yield Check("settings", "OK", "read and valid")
    yield check_cores(settings.engine)
    yield check_access(settings)
    yield check_disk("disk for models", settings.models.dir)
    yield check_disk("disk for the audit log", settings.audit.dir)
    yield check_sync(settings.audit.dir)
    yield check_clock(settings.audit.dir, time.time())
    yield from check_models(settings)
    yield check_port("gRPC port", settings.server.host, settings.server.port)
    yield check_port("metrics port", settings.admin.host, settings.admin.port)


def check_python() -> Check:
    """Python 3.11 or newer."""
    found = f"{platform.python_implementation()} {platform.python_version()}"
    good = sys.version_info >= (3, 11)
    return Check("Python", "OK" if good else "FAIL", found, "" if good else "install Python 3.11 or newer")


def check_packages() -> Iterator[Check]:
    """The libraries that serving imports are installed."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Check("packages", "FAIL", f"missing: {', '.join(missing)}", "install finslm with its dependencies")
    else:
        yield Check("packages", "OK", ", ".join(found))


def check_processor_features(cpuinfo: Path) -> Check:
    """Instructions for bfloat16 (weights in half the memory) and VNNI (int8)."""
    name = "processor"
    if not cpuinfo.is_file():
        return Check(name, "WARN", f"{platform.machine()}, features unknown", "compare engine.dtype values by hand")
    lines = cpuinfo.read_text("utf-8", errors="replace").splitlines()
    flags = set(next((line for line in lines if line.lower().startswith(("flags", "features"))), "").lower().split())
    fast = sorted(flags & {"avx512_bf16", "amx_bf16", "bf16"})
    vnni = sorted(flags & {"avx512_vnni", "avx_vnni", "amx_int8", "i8mm"})
    found = f"{platform.machine()}: {', '.join([*fast, *vnni]) or 'neither bfloat16 nor VNNI'}"
    if fast:
        return Check(name, "OK", found)
    return Check(name, "WARN", found, "it works in float32, slower; choose a node type with AVX512-BF16 or AMX")


def check_cores(engine: EngineSettings) -> Check:
    """Threads of a step do not exceed the processors that the affinity mask and the cgroup allow."""
    usable, present = available_cpus(), os.cpu_count() or 1
    found = f"{usable} usable of {present}; engine.threads {engine.threads or 'automatic'}"
    if engine.threads > usable:
        return Check("processors", "WARN", found, f"set engine.threads to 0 or {usable}: more are throttled")
    return Check("processors", "OK", found)


def memory_limit_bytes(root: Path = CGROUP_ROOT) -> int:
    """Memory this process may use: the machine's, or the cgroup's limit where that is lower."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    files = (root / "memory.max", root / "memory" / "memory.limit_in_bytes")
    texts = (file.read_text("ascii").strip() for file in files if file.is_file())
    return min([*limits, *(int(text) for text in texts if text.isdigit())])


def check_memory(limit: int) -> Check:
    """Enough memory for the model, the detectors and a batch."""
    found = f"{limit / (1 << 30):.1f} GiB"
    if limit >= MEMORY_WARN_BYTES:
        return Check("memory", "OK", found)
    advice = f"give it {MEMORY_WARN_BYTES >> 30} GiB or more (resources.limits.memory in the chart)"
    return Check("memory", "WARN" if limit >= MEMORY_FAIL_BYTES else "FAIL", found, advice)


def check_text_encoding() -> Check:
    """Files and streams are read as UTF-8."""
    found = f"{locale.getencoding()}, file names {sys.getfilesystemencoding()}"
    good = {locale.getencoding().lower(), sys.getfilesystemencoding().lower()} <= {"utf-8", "utf8"}
    return Check("locale", "OK" if good else "WARN", found, "" if good else "set LC_ALL=C.UTF-8 or PYTHONUTF8=1")


def check_egress_variables(environment: Mapping[str, str]) -> Check:
    """No variable that would make a library talk to the outside. Only names are shown."""
    names = [name for name in EGRESS_VARIABLES if environment.get(name)]
    if not names:
        return Check("egress variables", "OK", "none set")
    advice = "serving needs none of them: unset them for it (finslm models pull may use them)"
    return Check("egress variables", "WARN", f"set: {', '.join(names)}", advice)


def check_access(settings: Settings) -> Check:
    """The token file can be used, and a reachable address has one."""
    try:
        build_authenticator(settings.access, settings.server.host)
    except FinslmError as error:
        return Check("access", "FAIL", str(error), "see access.tokens_file in the settings reference")
    return Check("access", "OK", "bearer tokens" if settings.access.tokens_file else "loopback only, no tokens")


def check_disk(name: str, path: Path) -> Check:
    """Free room on the volume of ``path`` (of its nearest folder that exists)."""
    place = nearest_folder(path)
    free = shutil.disk_usage(place).free
    found = f"{free / (1 << 30):.1f} GiB free in {place}"
    if free >= DISK_WARN_BYTES:
        return Check(name, "OK", found)
    return Check(name, "WARN" if free >= DISK_FAIL_BYTES else "FAIL", found, "make room or enlarge the volume")


def check_sync(path: Path) -> Check:
    """Time of one append with fdatasync, the price of durability that every call pays."""
    name, place = "audit log sync", nearest_folder(path)
    try:
        seconds = sync_latencies(place)
    except OSError as error:
        advice = "the service's user must be able to write there"
        return Check(name, "FAIL", f"{place}: {error.strerror}", advice)
    median = statistics.median(seconds)
    found = f"median {median * 1e3:.2f} ms, worst of {len(seconds)} {max(seconds) * 1e3:.2f} ms in {place}"
    if median <= SYNC_WARN_S:
        return Check(name, "OK", found)
    return Check(name, "WARN", found, "put audit.dir on a local SSD or a faster storage class")


def sync_latencies(folder: Path) -> list[float]:
    """Append 512 bytes and fdatasync, again and again, in an unnamed scratch file; seconds each.

    Raises:
        OSError: the folder cannot be written to.
    """
    seconds = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(SYNC_PROBES):
            start = time.perf_counter()
            file.write(bytes(512))
            os.fdatasync(file.fileno())
            seconds.append(time.perf_counter() - start)
    return seconds


def check_clock(audit_dir: Path, now: float) -> Check:
    """The clock is not before this program, nor before the last write to the audit log."""
    written = max((p.stat().st_mtime for p in audit_dir.glob("*")), default=0.0) if audit_dir.is_dir() else 0.0
    found = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    if now < EARLIEST.timestamp() or now < written - 1.0:
        return Check("clock", "FAIL", f"{found}, which is in the past", "set the clock (NTP): records carry its time")
    return Check("clock", "OK", found)


def check_models(settings: Settings) -> Iterator[Check]:
    """Every model that serving loads is installed, and its files have the hashes they were installed with."""
    try:
        approval = Approval.open(settings.models)
    except ConfigError as error:
        yield Check("models", "FAIL", str(error), "see docs/models.md")
        return
    for name in (settings.engine.model, *settings.engine.adapters, *DETECTION_MODELS):
        try:
            model = approval.admit(name)
        except (FinslmError, OSError) as error:
            yield Check(f"model {name}", "FAIL", str(error), "missing ones: finslm models pull")
        else:
            found = f"intact, {model.size_bytes / (1 << 20):.0f} MiB, digest {model.identity.digest[:12]}"
            yield Check(f"model {name}", "OK", found)


def check_port(name: str, host: str, port: int) -> Check:
    """Nobody listens on the port yet, and the address is this machine's."""
    found = f"{host}:{port}"
    if port == 0:
        return Check(name, "OK", f"{found}: the system chooses")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        advice = "stop what listens there, or choose another host or port in the settings"
        return Check(name, "FAIL", f"{found}: {error.strerror}", advice)
    return Check(name, "OK", f"{found} is free")


def nearest_folder(path: Path) -> Path:
    """``path``, or the nearest folder above it that exists."""
    place = path.absolute()
    return next(folder for folder in (place, *place.parents) if folder.is_dir())


def _show(checks: Iterable[Check]) -> None:
    table = Table("check", "verdict", "found", "what to do")
    colours: Mapping[Verdict, str] = {"OK": "green", "WARN": "yellow", "FAIL": "red"}
    for check in checks:
        verdict = f"[{colours[check.verdict]}]{check.verdict}[/]"
        table.add_row(check.name, verdict, escape(check.found), escape(check.advice))
    Console().print(table)
