"""Which adapters requests may name, which of them are in memory, and when one may go."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import final

import structlog

from finslm.engine.adapters import AdapterCard, check_partner, fingerprint
from finslm.engine.runner import PreparedAdapter, Runner
from finslm.errors import ConfigError, EngineUnavailable, FinslmError, Overloaded, UnknownAdapter
from finslm.types import ModelIdentity

_log = structlog.get_logger(__name__)

RETRY_S = 1.0
"""When to come back while every adapter in memory is in use, seconds."""


@final
@dataclass(slots=True, eq=False)
class Bound:
    """One version of an adapter; a request keeps the one it got, whatever replaces it meanwhile.

    Args:
        key: what the runner knows it by, another one each time.
        seal: fingerprint of its files; others are never read under its identity.
        nbytes: memory it takes; 0 while it is not in memory.
        size: memory it takes when it is, once it was read.
        users: requests that have it.
        replaced: no new request gets it.
    """

    key: str
    identity: ModelIdentity
    folder: Path
    card: AdapterCard
    seal: str
    nbytes: int = 0
    size: int = 0
    users: int = 0
    replaced: bool = False
    loading: asyncio.Task[None] | None = field(default=None, repr=False)


@final
class AdapterSet:
    """Used on the event loop only.

    Args:
        runner: computes with them.
        budget_bytes: memory for adapters; the longest unused goes first, one in use never.
        off_loop: runs a function on a thread of its own.
        between_steps: runs a function on the worker thread, between two steps.
    """

    def __init__(
        self,
        runner: Runner,
        budget_bytes: int,
        off_loop: Callable[[Callable[[], PreparedAdapter]], Awaitable[PreparedAdapter]],
        between_steps: Callable[[Callable[[], None]], Awaitable[None]],
    ) -> None:
        self._runner, self._budget = runner, budget_bytes
        self._off_loop, self._between_steps = off_loop, between_steps
        nothing = AdapterCard("", "", "", "", (), bidirectional=False, temperature=1.0, max_tokens=0)
        self._base = Bound("", ModelIdentity("", ""), Path(), nothing, "")
        self._current: dict[str, Bound] = {}
        self._loaded: OrderedDict[Bound, None] = OrderedDict()
        """The one longest unused first."""
        self._keys = count()
        self._changing = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()
        self.loads = self.evictions = 0

    @property
    def identities(self) -> Sequence[ModelIdentity]:
        """What requests may name, in the order given."""
        return tuple(bound.identity for bound in self._current.values())

    @property
    def nbytes(self) -> int:
        """Memory of those that are loaded."""
        return sum(bound.nbytes for bound in self._loaded)

    @property
    def loaded(self) -> int:
        """How many are in memory, replaced ones that are still in use among them."""
        return len(self._loaded)

    async def replace(self, adapters: Mapping[str, tuple[Path, ModelIdentity]]) -> None:
        """Serve these from now on: all of them, or, when one cannot be used, those there were.

        Requests that have a version that goes keep it to their end.

        Raises:
            ConfigError: an adapter cannot be used, is larger than the budget, or lacks its partner.
        """
        async with self._changing:
            following: dict[str, Bound] = {}
            new: list[Bound] = []
            try:
                for name, (folder, identity) in adapters.items():
                    known = self._current.get(name)
                    if known is not None and known.identity == identity:
                        following[name] = known
                        continue
                    card, seal = AdapterCard.read(folder), fingerprint(folder)
                    bound = Bound(f"a{next(self._keys)}", identity, folder, card, seal)
                    new.append(bound)
                    following[name] = bound
                    await self._load(bound, must=False)
                for bound in following.values():
                    self._check_partner(bound, following)
            except BaseException:
                for bound in new:
                    self._retire(bound)
                raise
            gone = [bound for bound in self._current.values() if bound not in following.values()]
            self._current = following
            for bound in gone:
                self._retire(bound)

    async def bind(self, name: str, form: str) -> Bound:
        """Give a request the version of now, in memory until :meth:`release`; no name to write is the base alone.

        Args:
            form: what it has to do, see :attr:`finslm.engine.adapters.AdapterCard.form`.

        Raises:
            UnknownAdapter: there is none of that name that does this.
            Overloaded: it has to be loaded, and all that are loaded are in use.
            EngineUnavailable: it has to be loaded again, and its folder is not what it was.
        """
        if not name and form == "write":
            return self._base
        bound = self._current.get(name)
        if bound is None or bound.card.form != form:
            known = sorted(n for n, b in self._current.items() if b.card.form == form)
            raise UnknownAdapter(f"no such adapter that can {form} is served; served: {', '.join(known) or 'none'}")
        bound.users += 1
        try:
            while not bound.nbytes:
                if bound.loading is None:
                    bound.loading = asyncio.create_task(self._load_again(bound))
                    bound.loading.add_done_callback(_noticed)
                await asyncio.shield(bound.loading)  # who stops waiting does not stop it for the others
        except BaseException:
            self.release(bound)
            raise
        self._loaded.move_to_end(bound)
        return bound

    def _check_partner(self, bound: Bound, served: Mapping[str, Bound]) -> None:
        """The adapter that another answers together with must be served, in the version that it was trained with."""
        if (partner := bound.card.partner) is None:
            return
        name, other = bound.identity.name, served.get(partner.adapter)
        if other is None or other.seal != partner.sha256:
            raise ConfigError(
                f"adapter {name} answers together with {partner.adapter} {partner.sha256[:12]}…, which is not served: "
                "add it to engine.adapters, in that version"
            )
        check_partner(bound.card, other.card)
        if bound.size + other.size > self._budget:
            both = (bound.size + other.size) / 2**20
            raise ConfigError(
                f"adapters {name} and {partner.adapter}, which answer together, take {both:.0f} MiB, more than "
                f"engine.adapter_mib ({self._budget >> 20}): allow more"
            )

    async def bind_with_partner(self, name: str) -> list[Bound]:
        """As :meth:`bind` of one that classifies, and the one that it answers together with, where it has one.

        Raises:
            EngineUnavailable: the partner was replaced by another version in this moment.
        """
        own = await self.bind(name, "classify")
        try:
            if own.card.partner is None:
                return [own]
            other = await self.bind(own.card.partner.adapter, "classify")
        except BaseException:
            self.release(own)
            raise
        if other.seal != own.card.partner.sha256:
            self.release(other)
            self.release(own)
            raise EngineUnavailable(f"adapter {name} was replaced at this moment: try again")
        return [own, other]

    def release(self, bound: Bound) -> None:
        """The request has ended, or was given up."""
        bound.users -= 1
        if bound.replaced:
            self._retire(bound)

    async def settle(self) -> None:
        """Wait until what has to go is gone."""
        await asyncio.gather(*self._leaving)

    async def _load_again(self, bound: Bound) -> None:
        try:
            async with self._changing:
                if not bound.nbytes:
                    await self._load(bound, must=True)
        except ConfigError as error:
            _log.error("adapter_not_loaded", adapter=bound.identity.name, reason=str(error))
            raise EngineUnavailable(
                f"adapter {bound.identity.name} could not be read again: the operator finds the reason in the log"
            ) from error
        finally:
            bound.loading = None
            if bound.replaced:
                self._retire(bound)

    async def _load(self, bound: Bound, *, must: bool) -> None:
        prepared = await self._off_loop(lambda: self._prepare(bound))
        bound.size = prepared.nbytes
        if prepared.nbytes > self._budget:
            raise ConfigError(
                f"adapter {bound.identity.name} takes {prepared.nbytes / 2**20:.0f} MiB, more than engine.adapter_mib "
                f"({self._budget >> 20}): allow more"
            )
        idle = [other for other in self._loaded if not other.users]
        while self.nbytes + prepared.nbytes > self._budget:
            if not idle:
                if must:
                    raise Overloaded(
                        "all adapters in memory are in use, and this one is not there: try again later, or raise "
                        "engine.adapter_mib",
                        retry_after_s=RETRY_S,
                    )
                return  # when a request asks for it
            self.evictions += 1
            self._take_out(idle.pop(0))
        await self._between_steps(lambda: self._runner.adopt(prepared))
        bound.nbytes = prepared.nbytes
        self._loaded[bound] = None
        self.loads += 1

    def _prepare(self, bound: Bound) -> PreparedAdapter:
        prepared = self._runner.prepare(bound.key, bound.folder)
        if fingerprint(bound.folder) != bound.seal:  # looked at last: a change while it was read is seen too
            raise ConfigError(f"adapter folder {bound.folder} is not what it was: reload the adapters (SIGHUP)")
        return prepared

    def _retire(self, bound: Bound) -> None:
        bound.replaced = True
        if not bound.users and bound.nbytes:
            self._take_out(bound)

    def _take_out(self, bound: Bound) -> None:
        """Forget it after the step in progress, which may still compute for a request that was given up."""
        bound.nbytes = 0
        self._loaded.pop(bound, None)
        task = asyncio.ensure_future(self._forget(bound.key))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _forget(self, key: str) -> None:
        with suppress(FinslmError):  # a closed engine has forgotten everything
            await self._between_steps(lambda: self._runner.forget(key))


def _noticed(task: asyncio.Task[None]) -> None:
    """Whoever waits is told; when nobody does any more, the next one tries again."""
    if not task.cancelled():
        task.exception()
