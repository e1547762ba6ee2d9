"""What is counted while an answer is made: tokens, characters, time, and why it ended."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import final

from finslm.audit.calls import Entry
from finslm.engine.base import Engine
from finslm.telemetry.metrics import Metrics
from finslm.types import FinishReason, GenerateResult, Prompt, TokenChunk, Usage
from redaction import Redacted
from redaction.guard import StreamGuard


@final
class Draft:
    """The draft of one call. It holds no text."""

    def __init__(self, entry: Entry, engine: Engine, prompt: Prompt, guard: StreamGuard, metrics: Metrics) -> None:
        entry.answer_counts = lambda: {f"{each.kind}.{each.type}.{each.action}": each.count for each in guard.report}
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

    def block(self) -> None:
        """The guard has withheld the rest."""
        self._entry.finish_reason = FinishReason.BLOCKED

    def usage(self) -> Usage:
        """Tokens so far."""
        return self._entry.usage or Usage()

    def result(self, redacted: Redacted) -> GenerateResult:
        """The summary of a stream."""
        reason = self._entry.finish_reason or FinishReason.STOP
        return GenerateResult("", reason, self.usage(), self._engine.model, redacted.entity_counts)
