"""One running answer: its sampler, its text so far, and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from finslm.engine.detokenizer import Detokenizer, StopStrings
from finslm.engine.jobs import Generation
from finslm.engine.lookup import Lookup
from finslm.engine.masks import combined
from finslm.engine.sampler import Failure, Mask, Sampler
from finslm.errors import EngineUnavailable, FinslmError, InvalidOutput, TruncatedOutput
from finslm.types import FinishReason, TokenChunk

NOT_FINITE: Final = "the model gave numbers that are not finite for this request"
NOTHING: Final[Mask] = np.zeros(0, np.uint32)


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
        self._text = job.lead
        self._refused: FinslmError | None = None
        self._produced = self._uncounted = 0

    def mask(self) -> Mask | None:
        """Which tokens may be next; None for all, and nothing where that cannot be said: see :meth:`failure`."""
        try:
            return combined(self.job.masks)
        except FinslmError as error:
            self._refused = error
            return NOTHING

    def failure(self) -> FinslmError:
        """Why there was no next token."""
        if self._refused is not None:
            return self._refused
        if self.sampler.failure is Failure.NOTHING_ALLOWED:
            return InvalidOutput("no token that the grammar allows is possible for the model here: change the grammar")
        return EngineUnavailable(NOT_FINITE)

    def accept(self, token: int) -> TokenChunk | None:
        """Take the chosen token; return a chunk when there is something to send.

        Raises:
            TruncatedOutput: the answer has ended and is not whole under its grammar; what was not sent stays here.
        """
        if token in self._end_ids:
            return self._end(self._stops.flush(), FinishReason.STOP)
        for source in self.job.masks:
            source.take(token)
        self.last_token = token
        self._lookup.add(token)
        self._produced += 1
        self._uncounted += 1
        text, stopped = self._stops.feed(self._detokenizer.feed(token))
        if stopped:
            return self._end(text, FinishReason.STOP)
        if any(source.complete for source in self.job.masks):
            return self._end(text + self._stops.flush(), FinishReason.STOP)
        if self._produced >= self.job.params.max_tokens:
            # A half character at the end is left out: it is no text.
            return self._end(text + self._stops.flush(), FinishReason.LENGTH)
        return self._chunk(text, None) if text else None

    def draft(self, most: int) -> list[int]:
        """Guess up to ``most`` of the tokens after :attr:`last_token`."""
        return self._lookup.draft(most)

    def _end(self, text: str, reason: FinishReason) -> TokenChunk:
        """The last chunk. What is judged is the text that the caller gets, which a stop string may have cut."""
        if not all(source.accepts(self._text + text) for source in self.job.masks):
            raise TruncatedOutput(
                f"the answer ended after {self._produced} tokens and is not whole under its grammar: raise max_tokens, "
                "drop stop strings that the grammar can write, or let the grammar ask for less (maxLength, maxItems)"
            )
        return self._chunk(text, reason)

    def _chunk(self, text: str, reason: FinishReason | None) -> TokenChunk:
        chunk = TokenChunk(self._unsent + text, self._uncounted, reason)
        self._text += text
        self._unsent, self._uncounted = "", 0
        return chunk
