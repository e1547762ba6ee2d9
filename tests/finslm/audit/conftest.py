"""A log in a temporary folder, a clock that ticks a second at each look, and records to put in."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Kind, Record

ORIGIN = "bank.example/finslm"


@pytest.fixture
def open_log(tmp_path: Path) -> Callable[..., AuditLog]:
    """Open (again) the log in ``tmp_path / "log"``."""
    ticks = itertools.count()
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def opener(folder: Path | None = None, interval_s: float = 3600.0) -> AuditLog:
        return AuditLog.open(
            folder or tmp_path / "log",
            origin=ORIGIN,
            checkpoint_interval_s=interval_s,
            clock=lambda: start + timedelta(seconds=next(ticks)),
        )

    return opener


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """The ``n``-th call's INTENT, with fields changed as wanted."""

    def make(n: int = 0, **changes: object) -> Record:
        given: dict[str, object] = {
            "kind": Kind.INTENT,
            "request_id": f"00000000-0000-4000-8000-{n:012x}",
            "principal": "loans",
            "tenant": "default",
            "method": "InferenceService/Generate",
            **changes,
        }
        return Record(**given)  # type: ignore[arg-type]

    return make
