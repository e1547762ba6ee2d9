"""What processor share this process has, and whether it computes in bfloat16."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
"""x86 flags with which oneDNN multiplies bfloat16 matrices natively; without them it is slower than float32."""


def available_cpus(root: Path = CGROUP_ROOT, own_cgroup: Path = Path("/proc/self/cgroup")) -> int:
    """Whole processors this process may use: its affinity mask, cut by the cgroup's CPU quota; at least 1.

    A fractional quota is rounded down: a thread more than the quota allows is throttled by the
    kernel and makes every step wait (kernel.org, cgroup-v2, "cpu.max"; cgroup-v1, "cfs_quota_us").
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [*_v2_quotas(root, own_cgroup), *_v1_quotas(root / "cpu")]
    return max(1, int(min([float(cpus), *quotas])))


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model name, or its architecture where that cannot be read."""
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def computes_in_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions for bfloat16 matrices; False where that cannot be read."""
    if not cpuinfo.is_file():
        return False
    flags = next((line for line in cpuinfo.read_text("utf-8").splitlines() if line.startswith("flags")), "")
    return not BF16_FLAGS.isdisjoint(flags.split())


def _v2_quotas(root: Path, own_cgroup: Path) -> list[float]:
    """``cpu.max`` of the process's group and all groups above it: each of them limits."""
    entries = own_cgroup.read_text("utf-8").splitlines() if own_cgroup.is_file() else []
    inside = next((line.removeprefix("0::").strip("/") for line in entries if line.startswith("0::")), "")
    quotas = []
    for group in (root / inside, *(root / inside).parents):
        file = group / "cpu.max"
        if file.is_file():
            quota, _, period = file.read_text("utf-8").strip().partition(" ")
            if quota != "max":
                quotas.append(int(quota) / int(period or 100_000))
        if group == root:
            break
    return quotas


def _v1_quotas(controller: Path) -> list[float]:
    quota_file, period_file = controller / "cpu.cfs_quota_us", controller / "cpu.cfs_period_us"
    if not (quota_file.is_file() and period_file.is_file()):
        return []
    quota = int(quota_file.read_text("utf-8"))
    return [quota / int(period_file.read_text("utf-8"))] if quota > 0 else []
