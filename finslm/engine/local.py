"""The engine in this process: an async face, and one worker thread that owns the model."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

import structlog

from finslm.config import EngineSettings
from finslm.engine.adapter_set import AdapterSet
from finslm.engine.blocks import Namespaces
from finslm.engine.cpu import available_cpus
from finslm.engine.jobs import Classification, Encoding, Generation, Scoring, Tagging
from finslm.engine.labels import ForkPlan, LabelTrie
from finslm.engine.mailbox import Mailbox
from finslm.engine.masks import MaskSource
from finslm.engine.params import check_labels, check_length, check_params
from finslm.engine.scheduler import Scheduler
from finslm.engine.states import Hidden, TextStates, batches
from finslm.engine.steps import Counters, StepLoop
from finslm.engine.tagging import Scores
from finslm.errors import EngineUnavailable, InvalidRequest, PromptTooLong, UnknownAdapter
from finslm.types import Grammar, LabelScore, ModelIdentity, Prompt, SamplingParams, TaggedSpan, TokenChunk
from redaction.operators import PLACEHOLDER
from redaction.text import RedactedText

if TYPE_CHECKING:
    from finslm.engine.grammar import Grammars, Matcher
    from finslm.engine.loading import Parts
    from finslm.engine.runner import PreparedAdapter

T = TypeVar("T")
R = TypeVar("R")

_NICENESS: Final = 5
"""Of the worker and the threads that it starts, which compute."""

_MAX_WINDOWS: Final = 64
"""Of one text to tag: some 12,000 tokens. All other requests wait while its words are put together."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """A moment of the engine, for metrics. Tokens and steps count from the start of the process."""

    running: int
    waiting: int
    steps: int
    prefill_tokens: int
    reused_tokens: int
    decode_tokens: int
    draft_tokens: int
    accepted_tokens: int
    batch_size_last: int
    adapters_loaded: int
    adapter_bytes: int
    adapter_loads: int
    adapter_evictions: int
    cache_used: float
    """Share of the cache's blocks that running requests hold."""


class LocalEngine:
    """Serves one model folder and its classification adapters; see :class:`finslm.engine.base.Engine`.

    Args:
        model_dir: folder with ``config.json``, ``model.safetensors`` and the tokenizer.
        identity: what the records say was served.
        adapters: adapter folder and identity by name.
        settings: runner, batch, queue, threads, number format, limits.
        clock: seconds, monotonic; deadlines are in its time.
        encoder_dir: model folder of the second base, which classification adapters may sit on; None: there is none.
    """

    def __init__(
        self,
        model_dir: Path,
        identity: ModelIdentity,
        adapters: Mapping[str, tuple[Path, ModelIdentity]],
        settings: EngineSettings,
        clock: Callable[[], float] = time.monotonic,
        encoder_dir: Path | None = None,
    ) -> None:
        self._encoder_dir = encoder_dir
        self._model_dir, self._identity, self._settings, self._clock = model_dir, identity, settings, clock
        self._first_adapters = dict(adapters)
        self._adapters: AdapterSet | None = None
        self._scheduler: Scheduler | None = None
        self._counters = Counters()
        self._namespaces = Namespaces()
        self._parts: Parts | None = None
        self._state = "not started"
        self._started = False
        self._loaded: Future[Parts] = Future()
        self._worker: threading.Thread | None = None
        # One thread: transformers' tokenizer objects may not be used by two at once.
        self._tokenizing = ThreadPoolExecutor(1, thread_name_prefix="finslm-tokenize")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="finslm-adapters")
        # Another one: a hostile grammar takes up to a second, and nobody without a grammar is to wait for it.
        self._compiling = ThreadPoolExecutor(1, thread_name_prefix="finslm-grammar")

    @property
    def model(self) -> ModelIdentity:
        """The base model."""
        return self._identity

    @property
    def adapters(self) -> Sequence[ModelIdentity]:
        """The adapters, in the order given."""
        if self._adapters is None:
            return tuple(identity for _, identity in self._first_adapters.values())
        return self._adapters.identities

    @property
    def healthy(self) -> bool:
        """Whether requests are served: started, not closing, step loop alive."""
        return self._state == "serving"

    def statistics(self) -> EngineStatistics:
        """Counters of this moment."""
        pool = self._parts.pool if self._parts else None
        return EngineStatistics(
            running=self._scheduler.running if self._scheduler else 0,
            waiting=self._scheduler.waiting if self._scheduler else 0,
            steps=self._counters.steps,
            prefill_tokens=self._counters.prefill_tokens,
            reused_tokens=self._counters.reused_tokens,
            decode_tokens=self._counters.decode_tokens,
            draft_tokens=self._counters.draft_tokens,
            accepted_tokens=self._counters.accepted_tokens,
            batch_size_last=self._counters.batch_size_last,
            adapters_loaded=self._adapters.loaded if self._adapters else 0,
            adapter_bytes=self._adapters.nbytes if self._adapters else 0,
            adapter_loads=self._adapters.loads if self._adapters else 0,
            adapter_evictions=self._adapters.evictions if self._adapters else 0,
            cache_used=1 - pool.available / pool.count if pool else 0.0,
        )

    async def generate(
        self,
        prompt: Prompt,
        params: SamplingParams,
        *,
        grammar: Grammar | None = None,
        placeholders: Collection[str] | None = None,
        adapter: str = "",
        tenant: str = "",
        priority: int = 0,
        deadline: float | None = None,
    ) -> AsyncGenerator[TokenChunk, None]:
        """Yield the answer; see :meth:`finslm.engine.base.Engine.generate`.

        Raises:
            InvalidRequest: a sampling parameter is out of its range.
        """
        parts, scheduler, adapters = self._serving()
        check_params(params, self._settings.max_new_tokens, parts.runner.vocabulary)
        bound = await adapters.bind(adapter, "write")
        try:
            scheduler.check_room(deadline)
            tokens, lead_tokens = await self._run_tokenizer(parts.encoder.encode, prompt)
            check_length(len(tokens), params.max_tokens, parts.window)
            lead = tokens[len(tokens) - lead_tokens :]
            masks: list[MaskSource] = []
            if placeholders is not None:
                shown = {found for message in prompt.messages for found in PLACEHOLDER.findall(message.text.value)}
                binding = partial(parts.placeholders.source, lead=lead, tenant=tenant, shown=shown)
                masks.append(await self._run_tokenizer(binding, placeholders))
            if grammar is not None:
                masks.append(await self._compile(parts.grammars, grammar, lead, tenant))
            mailbox = Mailbox(deadline, self._clock)
            job = Generation(
                tokens=tokens,
                deliver=mailbox.put,
                deadline=deadline,
                tenant=tenant,
                priority=priority,
                params=params,
                lead=prompt.prefill.value,
                lead_tokens=lead_tokens,
                adapter=bound.key,
                masks=masks,
                root=self._namespaces.root(tenant, self._identity.digest, bound.identity.digest),
            )
            scheduler.submit(job)
            try:
                while True:
                    chunk = cast(TokenChunk, await mailbox.get())
                    yield chunk
                    if chunk.finish_reason is not None:
                        return
            finally:
                scheduler.cancel(job)
        finally:
            adapters.release(bound)

    async def classify(
        self, prompt: Prompt, adapter: str, *, tenant: str = "", priority: int = 0, deadline: float | None = None
    ) -> tuple[Sequence[LabelScore], int]:
        """Score the labels of ``adapter``; see :meth:`finslm.engine.base.Engine.classify`.

        The prompt is one user message, tokenised as in training: without a chat template.

        Raises:
            InvalidRequest: the prompt is not one message without prefill.
        """
        parts, scheduler, adapters = self._serving()
        if len(prompt.messages) != 1 or len(prompt.prefill):
            raise InvalidRequest(f"a text to classify is one message, without prefill; got {len(prompt.messages)}")
        both = await adapters.bind_with_partner(adapter)
        jobs, said = list[Classification](), list[Mailbox]()
        try:
            scheduler.check_room(deadline)
            for bound in both:
                encoding = partial(parts.encode_to_classify, bound.card)
                tokens = await self._run_tokenizer(encoding, prompt.messages[0].text)
                check_length(len(tokens), 0, bound.card.max_tokens)
                said.append(Mailbox(deadline, self._clock))
                jobs.append(
                    Classification(
                        tokens=tokens,
                        deliver=said[-1].put,
                        deadline=deadline,
                        tenant=tenant,
                        priority=priority,
                        adapter=bound.key,
                    )
                )
            for job in jobs:
                scheduler.submit(job)
            own, *others = [cast("Sequence[LabelScore]", await mailbox.get()) for mailbox in said]
            partner = both[0].card.partner
            return (own if partner is None else partner.together(own, others[0])), len(jobs[0].tokens)
        finally:
            for job in jobs:
                scheduler.cancel(job)
            for bound in both:
                adapters.release(bound)

    async def tag(
        self,
        prompt: Prompt,
        adapter: str,
        fields: Collection[str],
        *,
        tenant: str = "",
        priority: int = 0,
        deadline: float | None = None,
    ) -> tuple[Sequence[TaggedSpan], int]:
        """Find the values of fields; see :meth:`finslm.engine.base.Engine.tag`.

        Raises:
            InvalidRequest: the prompt is not one message without prefill.
        """
        parts, scheduler, adapters = self._serving()
        if len(prompt.messages) != 1 or len(prompt.prefill):
            raise InvalidRequest(f"a text to tag is one message, without prefill; got {len(prompt.messages)}")
        bound = await adapters.bind(adapter, "tag")
        try:
            scheduler.check_room(deadline)
            read = await self._run_tokenizer(partial(parts.read_to_tag, bound.card), prompt.messages[0].text)
            if (count := len(read.windows)) > _MAX_WINDOWS:
                raise PromptTooLong(
                    f"the text is read in {count} windows, the limit is {_MAX_WINDOWS}: send it in parts"
                )
            scores = []
            for window in read.windows:  # one after the other: a long text takes no more room than a short one
                mailbox = Mailbox(deadline, self._clock)
                job = Tagging(
                    tokens=window,
                    deliver=mailbox.put,
                    deadline=deadline,
                    tenant=tenant,
                    priority=priority,
                    adapter=bound.key,
                )
                scheduler.submit(job)
                try:
                    scores.append(cast("Scores", await mailbox.get()))
                finally:
                    scheduler.cancel(job)
            found = await self._run_tokenizer(partial(read.spans, fields=fields), scores)
            return found, sum(map(len, read.windows))
        finally:
            adapters.release(bound)

    async def read(
        self,
        texts: Sequence[RedactedText],
        *,
        tenant: str = "",
        priority: int = 0,
        deadline: float | None = None,
    ) -> tuple[Sequence[TextStates], int]:
        """Read texts with the encoder itself; see :meth:`finslm.engine.base.Engine.read`."""
        parts, scheduler, _ = self._serving()
        if (encode := parts.encode_to_read) is None:
            raise UnknownAdapter("no encoder is served that reads texts: the operator sets engine.encoder and .ranker")
        scheduler.check_room(deadline)
        rows = await self._run_tokenizer(lambda each: [encode(text) for text in each], texts)
        hidden: dict[int, Hidden] = {}
        for batch in batches(rows, self._settings.read_tokens):  # one after the other: a document is no burst of calls
            mailbox = Mailbox(deadline, self._clock)
            own = [rows[place] for place in batch]
            job = Encoding(
                tokens=[token for row in own for token in row],
                texts=own,
                deliver=mailbox.put,
                deadline=deadline,
                tenant=tenant,
                priority=priority,
                adapter="",
            )
            scheduler.submit(job)
            try:
                hidden |= zip(batch, cast("Sequence[Hidden]", await mailbox.get()), strict=True)
            finally:
                scheduler.cancel(job)
        states = [TextStates(row, hidden[place]) for place, row in enumerate(rows)]
        return states, sum(map(len, rows))

    async def score(
        self,
        prompt: Prompt,
        labels: Sequence[RedactedText],
        *,
        adapter: str = "",
        tenant: str = "",
        priority: int = 0,
        deadline: float | None = None,
    ) -> tuple[Sequence[LabelScore], int]:
        """Score labels of the caller's; see :meth:`finslm.engine.base.Engine.score`."""
        parts, scheduler, adapters = self._serving()
        check_labels(labels)
        bound = await adapters.bind(adapter, "write")
        try:
            scheduler.check_room(deadline)
            tokens, _ = await self._run_tokenizer(parts.encoder.encode, prompt)
            trie = await self._run_tokenizer(lambda texts: _trie(parts, texts), labels)
            mailbox = Mailbox(deadline, self._clock)
            job = Scoring(
                tokens=tokens,
                deliver=mailbox.put,
                deadline=deadline,
                tenant=tenant,
                priority=priority,
                adapter=bound.key,
                root=self._namespaces.root(tenant, self._identity.digest, bound.identity.digest),
                trie=trie,
                forks=ForkPlan(
                    trie,
                    prompt=len(tokens),
                    block_tokens=parts.pool.block_tokens,
                    window=parts.window,
                    step_tokens=self._settings.read_tokens,
                ),
            )
            scheduler.submit(job)
            try:
                return cast("Sequence[LabelScore]", await mailbox.get()), job.size
            finally:
                scheduler.cancel(job)
        finally:
            adapters.release(bound)

    async def set_adapters(self, adapters: Mapping[str, tuple[Path, ModelIdentity]]) -> None:
        """Serve these adapters from now on, under traffic; all of them, or none of the changes.

        A request keeps the version it was admitted with. Weights go when their last request has ended.

        Args:
            adapters: adapter folder and identity by name; one with the identity it had stays as it is.

        Raises:
            ConfigError: an adapter cannot be used.
            EngineUnavailable: not started, or ended.
        """
        await self._serving()[2].replace(adapters)

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the prompt as :meth:`generate` reads it.

        Raises:
            EngineUnavailable: not started: the tokenizer is not loaded yet.
        """
        return len(self._serving()[0].encoder.encode(prompt)[0])

    def begin(self) -> None:
        """Begin to load the weights, on the worker thread; :meth:`start` waits for them, :meth:`abandon` gives up.

        Raises:
            EngineUnavailable: begun before.
        """
        if self._state != "not started":
            raise EngineUnavailable(f"the engine is {self._state}: make a new one")
        self._state = "starting"
        self._loaded.set_running_or_notify_cancel()  # whoever stops waiting does not stop the worker from answering
        self._worker = threading.Thread(target=self._work, args=(self._loaded,), name="finslm-engine", daemon=True)
        self._worker.start()

    def abandon(self) -> None:
        """Give up before :meth:`start`: waits for what was begun: a thread cannot be stopped halfway."""
        self._state = "closed"
        if self._worker is not None:
            if self._loaded.exception() is None and self._scheduler is not None:
                self._scheduler.close()
            self._worker.join()
        for pool in (self._tokenizing, self._compiling, self._reading):
            pool.shutdown(wait=False, cancel_futures=True)

    async def start(self) -> None:
        """Load the weights, unless that has begun, and start the step loop.

        Raises:
            ConfigError: the model folder or an adapter cannot be used.
            EngineUnavailable: started before.
        """
        if self._started or self._state not in {"not started", "starting"}:
            raise EngineUnavailable(f"the engine is {self._state}: make a new one")
        self._started = True
        if self._state == "not started":
            self.begin()
        try:
            parts = self._parts = await asyncio.wrap_future(self._loaded)
            budget = self._settings.adapter_mib << 20
            self._adapters = AdapterSet(parts.runner, budget, self._read_adapter, self._between_steps)
            await self._adapters.replace(self._first_adapters)
        except BaseException:
            self._state = "failed"
            if self._scheduler is not None:
                self._scheduler.close()
            raise
        if self._state == "starting":
            self._state = "serving"

    async def close(self) -> None:
        """End the step loop after the step in progress; what is not answered fails with EngineUnavailable."""
        if self._state != "failed":
            self._state = "closed"
        if self._scheduler is not None:
            self._scheduler.close()
        if self._worker is not None:
            await asyncio.to_thread(self._worker.join)
        for pool in (self._tokenizing, self._compiling, self._reading):
            pool.shutdown(wait=False, cancel_futures=True)

    def _serving(self) -> tuple[Parts, Scheduler, AdapterSet]:
        if self._state != "serving" or self._parts is None or self._scheduler is None or self._adapters is None:
            raise EngineUnavailable(f"the engine is {self._state}")
        return self._parts, self._scheduler, self._adapters

    async def _read_adapter(self, work: Callable[[], PreparedAdapter]) -> PreparedAdapter:
        return await asyncio.get_running_loop().run_in_executor(self._reading, work)

    async def _between_steps(self, work: Callable[[], None]) -> None:
        if self._scheduler is None:
            raise EngineUnavailable(f"the engine is {self._state}")
        await asyncio.wrap_future(self._scheduler.between_steps(work))

    async def _run_tokenizer(self, work: Callable[[T], R], item: T) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._tokenizing, work, item)

    async def _compile(self, grammars: Grammars, grammar: Grammar, lead: Sequence[int], tenant: str) -> Matcher:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._compiling, grammars.matcher, grammar, lead, tenant)

    def _load(self) -> Parts:
        from finslm.engine.loading import load_parts  # imports what computes, which other engines do not need

        folders = [folder for folder, _ in self._first_adapters.values()]
        threads = self._settings.threads or available_cpus()
        return load_parts(self._model_dir, folders, self._settings, threads, self._encoder_dir)

    def _work(self, loaded: Future[Parts]) -> None:
        """The worker thread: load, serve, and on the way out leave nobody waiting."""
        settings = self._settings
        if sys.platform == "linux":
            # Who answers a call, refuses one or redacts is not to wait for a processor that computes a step.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        try:
            parts = self._load()
        except Exception as error:  # noqa: BLE001 - goes to the caller of start(), as it is
            loaded.set_exception(error)
            return
        scheduler = Scheduler(settings.max_batch, settings.max_queue, parts.pool, settings.read_tokens, self._clock)
        loop = StepLoop(
            scheduler,
            parts.runner,
            parts.pool,
            parts.encoder.decode,
            parts.encoder.control_ids,
            self._counters,
            settings.draft_tokens,
        )
        self._scheduler = scheduler
        if self._state == "closed":  # while it was loading
            scheduler.close()
        loaded.set_result(parts)
        try:
            loop.run()
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may be left waiting
            self._state = "failed"
            # Not the message: a library's message may quote what it choked on.
            where = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("engine_failed", error_type=type(error).__name__, where=f"{where.name}:{where.lineno}")
        finally:
            scheduler.close()
            for job in scheduler.drain():
                job.deliver(EngineUnavailable(f"the engine is {self._state}: the answer was not finished"))


def _trie(parts: Parts, labels: Sequence[RedactedText]) -> LabelTrie:
    encoder = parts.encoder
    return LabelTrie([label.value for label in labels], [encoder.encode_answer(t) for t in labels], encoder.end_id)
