"""``finslm doctor`` says what would stop the service, and what to do."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from finslm.cli import doctor
from finslm.config import AccessSettings, EngineSettings, ModelsSettings, ServerSettings, Settings

app = typer.Typer()
app.command()(doctor.doctor)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [n for n in os.environ if n.startswith("FINSLM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FINSLM_MODELS__DIR", str(tmp_path / "models"))
    monkeypatch.setenv("FINSLM_AUDIT__DIR", str(tmp_path / "audit"))
    monkeypatch.setenv("FINSLM_SERVER__PORT", "0")
    monkeypatch.setenv("FINSLM_ADMIN__PORT", "0")
    return tmp_path


def test_missing_models_fail_with_the_command_that_installs_them(environment: Path) -> None:
    done = CliRunner().invoke(app, ["--json"])
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["ok"] is False
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["model smollm2-135m-instruct"]["verdict"] == "FAIL"
    model = checks["model smollm2-135m-instruct"]
    assert "finslm models pull" in model["found"] + model["advice"]
    assert checks["settings"]["verdict"] == "OK"
    assert checks["audit log sync"]["verdict"] in ("OK", "WARN")
    assert list(environment.iterdir()) == []  # it looked, and left nothing behind


def test_the_table_is_for_people(environment: Path) -> None:
    done = CliRunner().invoke(app, [])
    assert "what to do" in done.stdout
    assert done.exit_code == 1


def test_a_wrong_setting_is_one_failed_line(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINSLM_TYPO", "1")
    checks = list(doctor.examine())
    assert (checks[-1].name, checks[-1].verdict) == ("settings", "FAIL")
    assert "FINSLM_TYPO" in checks[-1].found


def test_a_taken_port_fails() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert doctor.check_port("gRPC port", "127.0.0.1", port).verdict == "FAIL"
    assert doctor.check_port("gRPC port", "127.0.0.1", port).verdict == "OK"


def test_an_address_of_another_machine_fails() -> None:
    assert doctor.check_port("gRPC port", "192.0.2.1", 50051).verdict == "FAIL"


def test_proxies_are_named_and_their_values_are_not_shown() -> None:
    check = doctor.check_egress_variables({"HTTPS_PROXY": "http://user:secret@proxy", "HF_TOKEN": "secret"})
    assert check.verdict == "WARN"
    assert "HTTPS_PROXY, HF_TOKEN" in check.found
    assert "secret" not in check.found + check.advice


@pytest.mark.parametrize(
    ("flags", "verdict"), [("fpu avx512_bf16 avx512_vnni", "OK"), ("fpu amx_bf16", "OK"), ("fpu avx2", "WARN")]
)
def test_processors_without_bfloat16_are_warned_of(tmp_path: Path, flags: str, verdict: str) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor: 0\nflags\t\t: {flags}\n")
    assert doctor.check_processor_features(cpuinfo).verdict == verdict


@pytest.mark.parametrize(("gib", "verdict"), [(1, "FAIL"), (2, "WARN"), (8, "OK")])
def test_memory_has_a_floor(gib: int, verdict: str) -> None:
    assert doctor.check_memory(gib << 30).verdict == verdict


def test_the_memory_limit_of_the_cgroup_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert doctor.memory_limit_bytes(tmp_path) == 1 << 30
    (tmp_path / "memory.max").write_text("max\n")
    assert doctor.memory_limit_bytes(tmp_path) > 1 << 30


def test_more_threads_than_processors_are_warned_of() -> None:
    assert doctor.check_cores(EngineSettings(threads=4096)).verdict == "WARN"
    assert doctor.check_cores(EngineSettings()).verdict == "OK"


def test_a_clock_before_the_last_record_fails(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x")
    written = (tmp_path / "log").stat().st_mtime
    assert doctor.check_clock(tmp_path, written + 5).verdict == "OK"
    assert doctor.check_clock(tmp_path, written - 3600).verdict == "FAIL"
    assert doctor.check_clock(tmp_path / "absent", 0.0).verdict == "FAIL"


def test_a_network_address_without_tokens_fails() -> None:
    open_to_all = Settings(server=ServerSettings(host="0.0.0.0"))
    assert doctor.check_access(open_to_all).verdict == "FAIL"
    lost = Settings(access=AccessSettings(tokens_file=Path("/nowhere/tokens.yaml")))
    assert doctor.check_access(lost).verdict == "FAIL"
    assert doctor.check_access(Settings()).verdict == "OK"


def test_a_folder_that_cannot_be_written_fails() -> None:
    assert doctor.check_sync(Path("/proc")).verdict == "FAIL"


def test_a_damaged_model_fails(tmp_path: Path) -> None:
    (tmp_path / "smollm2-135m-instruct").mkdir()
    checks = {c.name: c for c in doctor.check_models(Settings(models=ModelsSettings(dir=tmp_path)))}
    assert checks["model smollm2-135m-instruct"].verdict == "FAIL"
    assert "finslm-manifest.json" in checks["model smollm2-135m-instruct"].found
