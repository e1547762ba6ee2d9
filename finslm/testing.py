"""Parts for tests: a fake engine and a tiny real model. Never on a real path.

Both pass, with the real engine, the same contract test; use :class:`EchoEngine` to test code that
calls an engine, and :func:`write_tiny_model` where the real engine should run in milliseconds.
"""

from __future__ import annotations

import asyncio
import math
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from finslm.config import EngineSettings
from finslm.engine.labels import normalised
from finslm.engine.params import check_labels, check_length, check_params
from finslm.engine.states import TextStates
from finslm.errors import DeadlineExceeded, EngineUnavailable, FinslmError, Overloaded, UnknownAdapter
from finslm.types import (
    FinishReason,
    Grammar,
    LabelScore,
    ModelIdentity,
    Prompt,
    SamplingParams,
    TaggedSpan,
    TokenChunk,
)
from redaction.text import RedactedText

TINY_WINDOW = 512
"""Positions of the tiny model, tokens."""


class EchoEngine:
    """Answers with the given pieces, or with the last message, word by word. A word is a token.

    Args:
        chunks: the answer; None echoes the prompt's last message.
        labels: labels of each adapter that classifies; scores fall evenly in this order.
        tags: of each adapter that tags, what it takes for the value of a field wherever it stands.
        writers: adapters that write; all of them write as it does without one.
        settings: its limits hold as for a real engine.
        step_s: time for one piece, seconds.
        failure: raised by every request once started, in place of an answer.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        chunks: Sequence[str] | None = None,
        labels: Mapping[str, Sequence[str]] | None = None,
        settings: EngineSettings | None = None,
        step_s: float = 0.0,
        failure: FinslmError | None = None,
        clock: Callable[[], float] = time.monotonic,
        tags: Mapping[str, Mapping[str, str]] | None = None,
        writers: Sequence[str] = (),
    ) -> None:
        self._writers = tuple(writers)
        self._chunks, self._labels, self._tags = chunks, dict(labels or {}), dict(tags or {})
        self._settings, self._step_s, self._failure, self._clock = settings or EngineSettings(), step_s, failure, clock
        self._slots = asyncio.Semaphore(self._settings.max_batch)
        self._waiting = 0
        self._serving = False
        self._closed = asyncio.Event()

    @property
    def model(self) -> ModelIdentity:
        """A made-up identity."""
        return ModelIdentity("echo", "0" * 64)

    @property
    def adapters(self) -> Sequence[ModelIdentity]:
        """Made-up identities for the adapters given."""
        return tuple(ModelIdentity(name, "1" * 64) for name in (*self._labels, *self._tags, *self._writers))

    @property
    def healthy(self) -> bool:
        """Started and not closed."""
        return self._serving

    @property
    def waiting(self) -> int:
        """Requests without a slot."""
        return self._waiting

    async def generate(
        self,
        prompt: Prompt,
        params: SamplingParams,
        *,
        grammar: Grammar | None = None,  # noqa: ARG002 - its pieces are what they are
        placeholders: Collection[str] | None = None,  # noqa: ARG002
        adapter: str = "",  # noqa: ARG002 - it serves whoever comes, one by one, and adapts nothing
        tenant: str = "",  # noqa: ARG002
        priority: int = 0,  # noqa: ARG002
        deadline: float | None = None,
    ) -> AsyncGenerator[TokenChunk, None]:
        """Yield the pieces, cut at ``params.max_tokens``."""
        self._check_serving()
        check_params(params, self._settings.max_new_tokens)
        check_length(self.count_tokens(prompt), params.max_tokens, self._settings.max_context_tokens)
        words = prompt.messages[-1].text.value.split(" ") if self._chunks is None else self._chunks
        pieces = [word if self._chunks is not None or not n else f" {word}" for n, word in enumerate(words)]
        lead = prompt.prefill.value
        async with self._slot(deadline):
            for count, piece in enumerate(pieces[: params.max_tokens]):
                await self._pause(self._step_s, deadline)
                yield TokenChunk((lead if count == 0 else "") + piece, 1)
            yield TokenChunk("", 0, FinishReason.LENGTH if len(pieces) > params.max_tokens else FinishReason.STOP)

    async def classify(
        self,
        prompt: Prompt,
        adapter: str,
        *,
        tenant: str = "",  # noqa: ARG002
        priority: int = 0,  # noqa: ARG002
        deadline: float | None = None,
    ) -> tuple[Sequence[LabelScore], int]:
        """Score the labels: falling evenly, in the order given."""
        self._check_serving()
        if adapter not in self._labels:
            raise UnknownAdapter(f"no such adapter is loaded; loaded: {', '.join(sorted(self._labels)) or 'none'}")
        tokens = self.count_tokens(prompt)
        check_length(tokens, 0, self._settings.max_context_tokens)
        async with self._slot(deadline):
            await self._pause(self._step_s, deadline)
            labels = self._labels[adapter]
            total = len(labels) * (len(labels) + 1) / 2
            return [LabelScore(label, (len(labels) - n) / total) for n, label in enumerate(labels)], tokens

    async def tag(
        self,
        prompt: Prompt,
        adapter: str,
        fields: Collection[str],
        *,
        tenant: str = "",  # noqa: ARG002
        priority: int = 0,  # noqa: ARG002
        deadline: float | None = None,
    ) -> tuple[Sequence[TaggedSpan], int]:
        """Find the words given for each field, the first time that they stand in the text; the score is .5."""
        self._check_serving()
        if adapter not in self._tags:
            raise UnknownAdapter(f"no such adapter is loaded; loaded: {', '.join(sorted(self._tags)) or 'none'}")
        text = prompt.messages[-1].text.value
        async with self._slot(deadline):
            await self._pause(self._step_s, deadline)
        words = {name: word for name, word in self._tags[adapter].items() if name in fields and word in text}
        spans = [TaggedSpan(text.index(word), text.index(word) + len(word), name, 0.5) for name, word in words.items()]
        return sorted(spans, key=lambda span: span.start), self.count_tokens(prompt)

    async def read(
        self,
        texts: Sequence[RedactedText],
        *,
        tenant: str = "",  # noqa: ARG002
        priority: int = 0,  # noqa: ARG002
        deadline: float | None = None,
    ) -> tuple[Sequence[TextStates], int]:
        """A word is a token, and its hidden state a vector of its own: the same words, the same states."""
        self._check_serving()
        async with self._slot(deadline):
            await self._pause(self._step_s, deadline)
        states = [_states(text.value.lower().split()) for text in texts]
        return states, sum(len(each.ids) for each in states)

    async def score(
        self,
        prompt: Prompt,
        labels: Sequence[RedactedText],
        *,
        adapter: str = "",  # noqa: ARG002
        tenant: str = "",  # noqa: ARG002
        priority: int = 0,  # noqa: ARG002
        deadline: float | None = None,
    ) -> tuple[Sequence[LabelScore], int]:
        """Score the labels: by how many of their words the last message has, one more for each."""
        self._check_serving()
        check_labels(labels)
        tokens = self.count_tokens(prompt) + sum(len(label.value.split()) for label in labels)
        check_length(tokens, 0, self._settings.max_context_tokens)
        words = set(prompt.messages[-1].text.value.split())
        async with self._slot(deadline):
            await self._pause(self._step_s, deadline)
        return normalised({t.value: math.log(1 + len(words & set(t.value.split()))) for t in labels}), tokens

    def count_tokens(self, prompt: Prompt) -> int:
        """Words of all messages and the prefill."""
        return sum(len(text.value.split()) for text in (*(m.text for m in prompt.messages), prompt.prefill))

    async def start(self) -> None:
        """Serve."""
        self._serving = True

    async def close(self) -> None:
        """Fail what waits or runs."""
        self._serving = False
        self._closed.set()

    def _check_serving(self) -> None:
        if not self._serving:
            raise EngineUnavailable("the engine is not serving")
        if self._failure is not None:
            raise self._failure

    @asynccontextmanager
    async def _slot(self, deadline: float | None) -> AsyncIterator[None]:
        if self._slots.locked() and self._waiting >= self._settings.max_queue:
            raise Overloaded(f"{self._waiting} requests are waiting: try again later", retry_after_s=1.0)
        self._waiting += 1
        try:
            await self._or_end(self._slots.acquire(), deadline)
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def _pause(self, seconds: float, deadline: float | None) -> None:
        await self._or_end(asyncio.sleep(seconds), deadline)

    async def _or_end(self, work: Any, deadline: float | None) -> None:
        """Wait for ``work`` unless the deadline or the engine's end comes first."""
        left = None if deadline is None else max(0.0, deadline - self._clock())
        task, closed = asyncio.ensure_future(work), asyncio.ensure_future(self._closed.wait())
        try:
            done, _ = await asyncio.wait({task, closed}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            if not task.done():
                task.cancel()
        if self._closed.is_set():
            raise EngineUnavailable("the engine is closed: the answer was not finished")
        if not done or (deadline is not None and self._clock() >= deadline):
            raise DeadlineExceeded("the deadline passed before the answer was complete: allow more time")


def _states(words: Sequence[str]) -> TextStates:
    """States of words and the marks at both ends, drawn by the words' own checksums."""
    ids = [zlib.crc32(word.encode()) for word in ("[CLS]", *words, "[SEP]")]
    drawn = [np.random.default_rng(number).standard_normal(64) for number in ids]
    return TextStates(ids, np.array(drawn, np.float32))


def write_tiny_model(folder: Path, seed: int = 0) -> Path:
    """Write a model folder of the served kind: a random Llama of 0.5 MB with a byte tokenizer and chat template.

    Returns:
        ``folder``. The same seed gives the same weights. Greedy answers never end by themselves.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate([*control, *letters])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, bos_token=control[1], eos_token=control[2], pad_token=control[2],
        unk_token=control[0], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    fast.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    fast.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(control) + len(letters), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=TINY_WINDOW,
            initializer_range=0.3, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2,
        )  # fmt: skip
        model = LlamaForCausalLM(config)
        with torch.no_grad():
            model.model.embed_tokens.weight[: len(control)] = 0.0  # tied: logit 0, never the largest
        model.save_pretrained(folder)
    return folder


def write_tiny_encoder(folder: Path, seed: int = 3) -> Path:
    """Write a model folder of the second kind: a random BERT of 0.1 MB whose tokenizer knows letters, digits and marks.

    Returns:
        ``folder``. The same seed gives the same weights.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789<>_.,:|¶"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    marks = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    numbers = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token=marks["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(folder)  # type: ignore[no-untyped-call]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=64,
        )  # fmt: skip
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder
