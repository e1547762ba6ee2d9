"""OpenVINO reports its use to an outside host when it is imported. Ours does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROBE = """
import importlib, sys
dialled = []
sys.addaudithook(lambda event, args: dialled.append(event) if event in WATCHED else None)
WATCHED = {"socket.connect", "socket.getaddrinfo", "urllib.Request"}
importlib.import_module(sys.argv[1])
import threading
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(20)
loaded = sys.modules.get("openvino_telemetry") is not None
print(int(loaded), len(dialled))
"""


def _loaded_and_files(module: str, home: Path) -> tuple[bool, bool]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, module], env=env, check=True, capture_output=True, text=True, timeout=120
    )
    loaded, dialled = map(int, done.stdout.split())
    return bool(loaded or dialled), any(home.rglob("openvino*"))


def test_importing_the_runner_tells_nobody(tmp_path: Path) -> None:
    stock, ours = tmp_path / "stock", tmp_path / "ours"
    stock.mkdir()
    ours.mkdir()
    assert _loaded_and_files("openvino", stock)[0], "the positive control: left alone, its telemetry is loaded"
    assert _loaded_and_files("finslm.engine.ov_runner", ours) == (False, False)


def test_after_a_stock_import_the_runner_refuses(tmp_path: Path) -> None:
    code = "import openvino\nimport finslm.engine.ov_runner"
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "its telemetry is running" in done.stderr
