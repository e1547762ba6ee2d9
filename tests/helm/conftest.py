"""The real Helm and what it renders, once for each values file."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "finslm"

Render = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Helm with arguments; skips where neither the cache nor an index has it."""
    spec = importlib.util.spec_from_file_location("helm_binary", Path(__file__).with_name("helm_binary.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        binary = module.helm_binary()
    except OSError as error:
        pytest.skip(f"no Helm: {error}")
    return lambda *arguments: subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture(scope="session")
def render(helm: Callable[..., subprocess.CompletedProcess[str]]) -> Render:
    """Objects of the chart for ``ci/<name>-values.yaml`` and ``--set`` pairs."""

    @functools.cache
    def objects(name: str = "default", *pairs: str) -> list[dict[str, Any]]:
        sets = [argument for pair in pairs for argument in ("--set", pair)]
        done = helm("template", "r", CHART, "-n", "ai", "-f", CHART / "ci" / f"{name}-values.yaml", *sets)
        assert done.returncode == 0, done.stderr
        return [tree for tree in yaml.safe_load_all(done.stdout) if tree]

    return objects


def values_files() -> list[str]:
    """Names of the values files under ``ci/``."""
    return sorted(path.name.removesuffix("-values.yaml") for path in CHART.glob("ci/*-values.yaml"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for ``values`` every values file."""
    if "values" in metafunc.fixturenames:
        metafunc.parametrize("values", values_files())
