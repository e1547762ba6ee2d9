"""Another implementation verifies what we write: golang.org/x/mod/sumdb on an export, a receipt, old checkpoints."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Kind, Record
from finslm.audit.export import export_bundle

GOPATH = Path("/usr/share/gocode")
"""Where Debian's package golang-golang-x-mod-dev puts its source."""
ORIGIN = "bank.example/finslm"
RECORDS = 700


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, compiled."""
    if shutil.which("go") is None or not (GOPATH / "src/golang.org/x/mod/sumdb").is_dir():
        if os.environ.get("CI"):
            pytest.fail("CI has golang-go and golang-golang-x-mod-dev")
        pytest.skip("needs Debian's golang-go and golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    env = os.environ | {"GOPATH": str(GOPATH), "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(folder / "cache")}
    source = Path(__file__).with_name("verify.go")
    subprocess.run(["go", "build", "-o", str(folder / "verify"), str(source)], env=env, check=True, timeout=240)
    return folder / "verify"


@pytest.fixture
async def exported(tmp_path: Path) -> tuple[Path, list[str]]:
    """A log with an old checkpoint, a receipt from its middle, and its export; arguments for the program."""
    log = AuditLog.open(tmp_path / "log", origin=ORIGIN, checkpoint_interval_s=3600)
    call = {"request_id": "00000000-0000-4000-8000-000000000001", "method": "A/B"}
    for n in range(RECORDS):
        if n == 300:
            (tmp_path / "old").write_text(log.checkpoint())
        kind = {"kind": Kind.OUTCOME, "status": "OK", **call} if n == 400 else {"kind": Kind.EVENT, "event": f"E_{n}"}
        receipt = await log.append(Record(**kind))
        if n == 400:
            (tmp_path / "receipt").write_text(receipt.proof)
            leaf = receipt.leaf_hash
    await log.close()
    export_bundle(tmp_path / "log", tmp_path / "bundle")
    at = (tmp_path / name for name in ("bundle", "bundle/log.vkey", "receipt"))
    return tmp_path, [*map(str, at), leaf, str(tmp_path / "old")]


def run(verifier: Path, args: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(verifier), *args], capture_output=True, text=True, timeout=60)


def test_it_verifies(verifier: Path, exported: tuple[Path, list[str]]) -> None:
    """Signature, every record, the receipt, and that the log extends the old checkpoint."""
    done = run(verifier, exported[1])
    assert (done.returncode, done.stdout) == (0, f"verified {RECORDS} of {RECORDS} records\n"), done.stderr


Change = Callable[[Path], object]


def flip(name: str, at: int) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        raw = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])

    return change


@pytest.mark.parametrize(
    "change",
    [
        flip("bundle/checkpoint", 30),
        flip("bundle/tile/entries/001", 500),
        flip("bundle/tile/0/002.p/188", 40),
        flip("receipt", 60),
        flip("old", 40),
    ],
)
def test_it_refuses_what_was_changed(change: Change, verifier: Path, exported: tuple[Path, list[str]]) -> None:
    """So that its yes is worth something."""
    change(exported[0])
    assert run(verifier, exported[1]).returncode == 1
