"""The short form of ``python -m benchmarks.audit_faults``: some instances of each file system call of the writer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.audit_faults import inject_faults, kill_at_random


@pytest.mark.timeout(300)
def test_faults_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """EIO, ENOSPC and SIGKILL at the first, a middle and the last instance of each."""
    if shutil.which("strace") is None or subprocess.run(["strace", "-q", "true"], capture_output=True).returncode:
        if os.environ.get("CI"):
            pytest.fail("CI has strace and may trace")
        pytest.skip("needs strace and the right to trace")
    tally = inject_faults(tmp_path, each=3)
    assert tally.runs > 90
    assert tally.answers > 100
    assert tally.ok, tally


@pytest.mark.timeout(120)
def test_a_writer_that_is_killed_under_load(tmp_path: Path) -> None:
    tally = kill_at_random(tmp_path, 15)
    assert tally.acknowledged > 15
    assert tally.ok, tally
