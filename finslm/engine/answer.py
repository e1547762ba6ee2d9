"""One running answer: its sampler, its text so far, and when it ends."""

from __future__ import annotations

from collections.abc import Callable

from finslm.engine.detokenizer import Detokenizer, StopStrings
from finslm.engine.jobs import Generation
from finslm.engine.lookup import Lookup
from finslm.engine.sampler import Sampler
from finslm.types import FinishReason, TokenChunk


class Answer:
    """Takes tokens, gives chunks.

    Args:
        job: what was asked.
        decode: ids to text.
        end_ids: tokens that end an answer; they are not counted as part of it.
    """

    def __init__(self, job: Generation, decode: Callable[[list[int]], str], end_ids: frozenset[int]) -> None:
        self.job = job
        self.sampler = Sampler(job.params, job.tokens)
        self.last_token = -1
        """The token to feed in the next step."""
        self._end_ids = end_ids
        self._lookup = Lookup(job.tokens, job.size)
        context = list(job.tokens[len(job.tokens) - job.lead_tokens :])
        self._detokenizer = Detokenizer(decode, context)
        self._stops = StopStrings(job.params.stop)
        self._unsent = job.lead  # the prefill is part of the answer and goes out with its first chunk
        self._produced = self._uncounted = 0

    def accept(self, token: int) -> TokenChunk | None:
        """Take the chosen token; return a chunk when there is something to send."""
        if token in self._end_ids:
            return self._chunk(self._stops.flush(), FinishReason.STOP)
        self.last_token = token
        self._lookup.add(token)
        self._produced += 1
        self._uncounted += 1
        text, stopped = self._stops.feed(self._detokenizer.feed(token))
        if stopped:
            return self._chunk(text, FinishReason.STOP)
        if self._produced >= self.job.params.max_tokens:
            # A half character at the end is left out: it is no text.
            return self._chunk(text + self._stops.flush(), FinishReason.LENGTH)
        return self._chunk(text, None) if text else None

    def draft(self, most: int) -> list[int]:
        """Guess up to ``most`` of the tokens after :attr:`last_token`."""
        return self._lookup.draft(most)

    def _chunk(self, text: str, reason: FinishReason | None) -> TokenChunk:
        chunk = TokenChunk(self._unsent + text, self._uncounted, reason)
        self._unsent, self._uncounted = "", 0
        return chunk
