"""What is counted while an answer is made: tokens, time, why it ended, and facts that its text has not."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import final

from finslm.audit.calls import Entry
from finslm.engine.base import Engine
from finslm.grounding import unsupported
from finslm.telemetry.metrics import Metrics
from finslm.types import Fact, FinishReason, GenerateResult, Prompt, TokenChunk, Usage
from redaction import RawText, Redacted
from redaction.guard import StreamGuard


@final
class Draft:
    """The draft of one call.

    Args:
        source: what the answer's facts are looked up in; None: they are not, and the draft holds no text.
    """

    def __init__(
        self,
        entry: Entry,
        engine: Engine,
        prompt: Prompt,
        guard: StreamGuard,
        metrics: Metrics,
        source: RawText | None = None,
    ) -> None:
        entry.answer_counts = self._counts
        self._guard, self._source = guard, source
        self._said: list[str] = []
        self._unsupported: list[Fact] = []
        self._entry, self._engine, self._metrics = entry, engine, metrics
        self._started = self._first = time.perf_counter()
        self._entry.usage = Usage(prompt_tokens=engine.count_tokens(prompt))
        self._entry.output_chars = 0

    def count(self, chunk: TokenChunk) -> None:
        """Tokens, and why it ended."""
        now = time.perf_counter()
        if self.usage().completion_tokens == 0:
            self._first = now
            self._metrics.observe_first_token(self._engine.model.name, now - self._started)
            self._metrics.observe_stage("first_token", now - self._started)
        if chunk.finish_reason is not None:
            self._metrics.observe_stage("decode", now - self._first)
        written = self.usage().completion_tokens + chunk.token_count
        self._entry.usage = replace(self.usage(), completion_tokens=written)
        self._entry.finish_reason = chunk.finish_reason or self._entry.finish_reason

    def sent(self, piece: str) -> None:
        """Characters on their way to the caller."""
        self._entry.output_chars = (self._entry.output_chars or 0) + len(piece)
        if self._source is not None:
            self._said.append(piece)

    def block(self) -> None:
        """The guard has withheld the rest."""
        self._entry.finish_reason = FinishReason.BLOCKED

    def usage(self) -> Usage:
        """Tokens so far."""
        return self._entry.usage or Usage()

    async def result(self, redacted: Redacted) -> GenerateResult:
        """The summary of a stream."""
        reason = self._entry.finish_reason or FinishReason.STOP
        if self._source is not None and reason is not FinishReason.BLOCKED:
            # In a thread: a long text takes a while, and others wait for the event loop.
            self._unsupported = await asyncio.to_thread(unsupported, self._source.value, "".join(self._said))
        for kind, count in Counter(fact.kind for fact in self._unsupported).items():
            self._metrics.count_answer("grounding", kind, "reported", count)
        model, adapter = self._engine.model, self._entry.adapter
        return GenerateResult("", reason, self.usage(), model, redacted.entity_counts, adapter, self._unsupported)

    def _counts(self) -> dict[str, int]:
        """What the guard did to the answer, and what was reported of it."""
        found = Counter(f"grounding.{fact.kind}.reported" for fact in self._unsupported)
        return {f"{each.kind}.{each.type}.{each.action}": each.count for each in self._guard.report} | found
