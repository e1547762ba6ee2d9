"""The seam between the pipeline and whatever runs the model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Protocol

from finslm.engine.states import TextStates
from finslm.types import Grammar, LabelScore, ModelIdentity, Prompt, SamplingParams, TaggedSpan, TokenChunk
from redaction.text import RedactedText


class Engine(Protocol):
    """Runs one base model and the adapters on it, many requests at once.

    An engine takes only a :class:`~finslm.types.Prompt`, and a Prompt is made only of redacted
    text. Closing the iterator of :meth:`generate` (or cancelling the task that awaits) frees the
    request's slot before the next step.
    """

    @property
    def model(self) -> ModelIdentity:
        """The base model being served."""
        ...

    @property
    def adapters(self) -> Sequence[ModelIdentity]:
        """The classification adapters that are loaded."""
        ...

    def generate(
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
        """Yield the answer piece by piece; the last chunk carries a finish reason.

        Args:
            prompt: what to answer.
            params: how tokens are chosen.
            grammar: what the answer, prefill included, must look like as a whole; None: anything goes.
            placeholders: those that the request was issued: the answer holds them whole and no others; None: it is
                not held to any, for text that was not redacted.
            adapter: which adapter writes; empty: the base alone.
            tenant: for whom: tenants that wait get equal shares, and none reads what another left in the cache.
            priority: requests with a higher one start first.
            deadline: ``time.monotonic()`` value after which the request is dropped, queued or not.

        Raises:
            InvalidRequest: the grammar is not accepted, is too complex, or does not allow the prefill.
            TruncatedOutput: the answer ended before it was whole under the grammar.
            InvalidOutput: the model leaves no token that the grammar allows.
            UnknownAdapter: no such adapter that writes is loaded.
            PromptTooLong: the prompt and ``params.max_tokens`` exceed the model's window.
            Overloaded: the queue is full.
            DeadlineExceeded: ``deadline`` passed.
            EngineUnavailable: the engine is not started, is closing, or its step loop has failed.
        """
        ...

    async def classify(
        self, prompt: Prompt, adapter: str, *, tenant: str = "", priority: int = 0, deadline: float | None = None
    ) -> tuple[Sequence[LabelScore], int]:
        """Score all labels of ``adapter`` in one prefill.

        Returns:
            The labels by falling probability, and the number of prompt tokens read.

        Raises:
            UnknownAdapter: no such adapter that classifies is loaded.
            PromptTooLong, Overloaded, DeadlineExceeded, EngineUnavailable: as for :meth:`generate`.
        """
        ...

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
        """Find where the values of some fields stand in a text; it may be longer than the model's window.

        Args:
            prompt: the text, one message.
            adapter: one that tags.
            fields: those to look for, as the adapter's labels name them.
            tenant, priority, deadline: as for :meth:`generate`.

        Returns:
            What may be values, in the order of the text, offsets are its code points; spans may overlap, and a field
            may have several (see :mod:`finslm.tasks.choosing`). And the tokens read.

        Raises:
            UnknownAdapter: no such adapter that tags is loaded.
            ConfigError: the adapter does not know one of the fields.
            Overloaded, DeadlineExceeded, EngineUnavailable: as for :meth:`generate`.
        """
        ...

    async def read(
        self,
        texts: Sequence[RedactedText],
        *,
        tenant: str = "",
        priority: int = 0,
        deadline: float | None = None,
    ) -> tuple[Sequence[TextStates], int]:
        """Read texts with the encoder itself, without an adapter; of a long one only the beginning.

        Args:
            texts: at least one.
            tenant, priority, deadline: as for :meth:`generate`.

        Returns:
            What it makes of each, in their order; and the tokens read.

        Raises:
            UnknownAdapter: no encoder is served that reads.
            Overloaded, DeadlineExceeded, EngineUnavailable: as for :meth:`generate`.
        """
        ...

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
        """Say how likely the answer to a prompt is to be each of some labels, and nothing after it.

        Args:
            prompt: what to answer; its prefill stands before the label.
            labels: what the answer may be, all different.
            adapter, tenant, priority, deadline: as for :meth:`generate`.

        Returns:
            The labels by falling probability (softmax over them), with ``logprob``; and the tokens read, those of
            the labels included.

        Raises:
            InvalidRequest: fewer than two labels, or two that are the same to the model.
            UnknownAdapter, PromptTooLong, Overloaded, DeadlineExceeded, EngineUnavailable: as for :meth:`generate`.
        """
        ...

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the rendered prompt."""
        ...

    async def start(self) -> None:
        """Load the weights and start the step loop. Opens no connection."""
        ...

    async def close(self) -> None:
        """Finish nothing new, end the step loop, fail what is still queued with EngineUnavailable."""
        ...
