"""Whose labels a correction may name: those of the adapters that are served."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from finslm.engine.adapters import AdapterCard
from finslm.errors import UnknownAdapter
from finslm.models.registry import InstalledModel, Registry
from finslm.served import Served
from finslm.tasks import TASKS
from finslm.types import ModelIdentity


def test_the_labels_are_those_on_the_card_of_the_served_adapter(tmp_path: Path) -> None:
    folder = Path(str(resources.files("finslm.models") / "shipped" / "intent"))
    names = sorted({task.adapter for task in TASKS if task.adapter is not None})
    adapters = [InstalledModel(folder, ModelIdentity(name, "a" * 64), "adapter", "Apache-2.0", "", 1) for name in names]
    served = Served(Registry(tmp_path), [], adapters, [])
    assert served.labels("intent") == AdapterCard.read(folder).labels
    assert {"card_arrival", "out_of_scope"} <= set(served.labels("intent"))
    with pytest.raises(UnknownAdapter):
        served.labels("nobody")
