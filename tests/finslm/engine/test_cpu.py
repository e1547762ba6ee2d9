"""The number of threads respects the container's quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from finslm.engine.cpu import available_cpus, computes_in_bfloat16

HERE = len(os.sched_getaffinity(0))


def cgroup_v2(tmp_path: Path, limits: dict[str, str]) -> tuple[Path, Path]:
    root, own = tmp_path / "cgroup", tmp_path / "self"
    for group, limit in limits.items():
        (root / group).mkdir(parents=True, exist_ok=True)
        (root / group / "cpu.max").write_text(limit + "\n")
    own.write_text("0::/pod/app\n")
    return root, own


def test_without_a_quota_the_affinity_mask_counts(tmp_path: Path) -> None:
    assert available_cpus(*cgroup_v2(tmp_path, {"pod/app": "max 100000"})) == HERE


@pytest.mark.parametrize("group", ["pod/app", "pod", ""])
def test_a_quota_anywhere_above_the_process_counts(tmp_path: Path, group: str) -> None:
    assert available_cpus(*cgroup_v2(tmp_path, {"pod/app": "max 100000", group: "100000 100000"})) == 1


def test_a_fraction_is_rounded_down_but_never_to_zero(tmp_path: Path) -> None:
    assert available_cpus(*cgroup_v2(tmp_path, {"pod/app": "50000 100000"})) == 1


def test_cgroup_v1_quotas_count(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_cpus(tmp_path, tmp_path / "none") == 1


@pytest.mark.parametrize(("flags", "expected"), [("sse avx512_bf16", True), ("sse avx2", False)])
def test_bfloat16_is_used_where_the_processor_computes_in_it(tmp_path: Path, flags: str, expected: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    assert computes_in_bfloat16(cpuinfo) is expected


def test_an_unreadable_processor_description_means_no(tmp_path: Path) -> None:
    assert computes_in_bfloat16(tmp_path / "none") is False
