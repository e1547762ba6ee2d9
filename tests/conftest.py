"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data sets beside the checkout. A user's machine lacks it; CI must not."""
    if SHARED.is_dir():
        return SHARED
    if os.environ.get("CI"):
        pytest.fail(f"CI must run the tests that need data, and {SHARED} is not there")
    pytest.skip("needs the data sets beside the checkout")


@pytest.fixture(scope="session")
def names_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pools of names are kept: they take seconds to make, and several tests need them."""
    return tmp_path_factory.mktemp("names")
