"""A month of a bank's log, written once, and its report."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from finslm.compliance import Report, Request, draw


def _load(name: str) -> ModuleType:
    """A module of this folder; tests are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    """How the month is made."""
    return _load("sample_log")


@pytest.fixture(scope="session")
def month(sample: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the month's log. Not to be changed."""
    return sample.write(tmp_path_factory.mktemp("month") / "log", sample.month())


@pytest.fixture(scope="session")
def request_of(sample: ModuleType) -> object:
    """Arguments of the month's report, with changes."""

    def make(**changes: object) -> Request:
        arguments = {
            "from_": sample.START,
            "to": sample.END,
            "drawn_at": sample.DRAWN,
            "drawn_by": "h.lindqvist",
            "system": "Lending assistant",
            "environment": "production",
            **changes,
        }
        return Request(**arguments)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def monthly(month: Path, request_of: object) -> Report:
    """The month's report."""
    return draw(month, request_of())  # type: ignore[operator]
