"""What is served right now: the models as ModelService shows them, and the adapters, which can change under traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import final

from finslm.config import Settings
from finslm.engine.adapters import AdapterCard
from finslm.engine.local import LocalEngine
from finslm.errors import ConfigError, UnknownAdapter
from finslm.models.approval import Approval, check_follows
from finslm.models.registry import InstalledModel
from finslm.tasks import TASKS
from finslm.types import ModelView

Change = tuple[str, str, str]
"""Name of an adapter, its digest before and after; ``none`` where it was not served."""


@final
class Served:
    """The models of this process.

    Args:
        approval: where they are, and which of them may be served.
        bases, detectors, rankers: fixed until the next start.
        adapters: served first.
    """

    def __init__(
        self,
        approval: Approval,
        bases: Sequence[InstalledModel],
        adapters: Sequence[InstalledModel],
        detectors: Sequence[InstalledModel],
        rankers: Sequence[InstalledModel] = (),
    ) -> None:
        check_adapters([adapter.identity.name for adapter in adapters])
        self.approval, self._bases = approval, tuple(bases)
        self._adapters, self._detectors, self._rankers = tuple(adapters), tuple(detectors), tuple(rankers)
        self._changing = asyncio.Lock()

    def views(self) -> Sequence[ModelView]:
        """Everything that is served, as callers see it."""
        entries = self.approval.registry.catalogue.models
        kinds = (
            ("base", self._bases),
            ("adapter", self._adapters),
            ("detector", self._detectors),
            ("ranker", self._rankers),
        )
        return tuple(
            ModelView(
                model.identity,
                kind,
                entries[model.identity.name].description if model.identity.name in entries else "",
                model.licence,
            )
            for kind, models in kinds
            for model in models
        )

    def labels(self, adapter: str) -> Sequence[str]:
        """The labels of an adapter that is served.

        Raises:
            UnknownAdapter: it is not.
        """
        for model in self._adapters:
            if model.identity.name == adapter:
                return _labels_of(model.path, model.identity.digest)
        raise UnknownAdapter("the task's adapter is not served")

    async def reload(self, engine: LocalEngine, settings: Callable[[], Settings]) -> list[Change]:
        """Read ``engine.adapters`` and the stage log again, verify the folders, and serve them; nothing else changes.

        Returns:
            What changed.

        Raises:
            FinslmError: a setting, a folder or an adapter cannot be used; what was served goes on being served.
        """
        async with self._changing:
            chosen = await asyncio.to_thread(settings)
            # What was decided holds from here on, also if an adapter then cannot be served: it is not to be taken back.
            self.approval = await asyncio.to_thread(self._decided, chosen)
            found = await asyncio.to_thread(self._resolve, chosen)
            await engine.set_adapters({model.identity.name: (model.path, model.identity) for model in found})
            before = {model.identity.name: model.identity.digest for model in self._adapters}
            after = {model.identity.name: model.identity.digest for model in found}
            self._adapters = tuple(found)
        names = sorted(before.keys() | after.keys())
        changes = ((name, before.get(name, "none"), after.get(name, "none")) for name in names)
        return [change for change in changes if change[1] != change[2]]

    def _decided(self, settings: Settings) -> Approval:
        """The stage log as it is now, which may only have grown, held against the approvers of now."""
        approval = Approval.open(settings.models, self.approval.registry)
        check_follows(approval.log, self.approval.log.head)
        return approval

    def _resolve(self, settings: Settings) -> list[InstalledModel]:
        found = [self.approval.admit(name) for name in settings.engine.adapters]
        check_adapters([model.identity.name for model in found])
        return found


@lru_cache(maxsize=64)
def _labels_of(folder: Path, _digest: str) -> Sequence[str]:
    """From the folder's card, read once for each digest."""
    return AdapterCard.read(folder).labels


def check_adapters(names: Sequence[str]) -> None:
    """Every task's adapter must be there, not be found missing by a caller.

    Raises:
        ConfigError: one is missing, or two are versions of one adapter.
    """
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise ConfigError(f"engine.adapters names {twice[0]} more than once: one version of it can be served")
    for task in TASKS:
        if task.adapter is not None and task.adapter not in names:
            raise ConfigError(f"task {task.name} needs adapter {task.adapter}: add it to engine.adapters")
