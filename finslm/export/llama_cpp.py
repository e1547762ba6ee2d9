"""llama.cpp itself on an exported file, where ``llama-cpp-python`` is installed: tokens, embeddings, logits."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from safetensors.numpy import load_file

from finslm.engine.adapters import AdapterCard
from finslm.engine.weights import Floats
from finslm.errors import ConfigError
from finslm.export.agreement import softmax
from finslm.export.folder import HEAD_FILE

MODULE: Final = "llama_cpp"
WINDOW: Final = 512
"""Tokens of a probe and what is written after it; an embedding in both directions needs all of them in one step."""


def installed() -> bool:
    """Whether it can be asked."""
    return importlib.util.find_spec(MODULE) is not None


@final
class LlamaCpp:
    """See :class:`finslm.export.original.Answers`.

    Args:
        file: the GGUF.
        card: of the adapter that is in it.
    """

    def __init__(self, file: Path, card: AdapterCard) -> None:
        self._api: Any = importlib.import_module(MODULE)
        self._card = card
        self._head = load_file(file.parent / HEAD_FILE) if card.labels else {}
        more = {"embedding": True} if card.labels else {"logits_all": True}
        try:
            self._model = self._api.Llama(
                str(file), n_ctx=WINDOW, n_batch=WINDOW, n_ubatch=WINDOW, n_threads=2, verbose=False, **more
            )
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"llama.cpp does not load {file.name}: {error}") from error

    def tokens(self, text: str) -> list[int]:
        """As llama.cpp reads a text, without control tokens in it; of an encoder, between its own two marks."""
        return list(self._model.tokenize(text.encode(), add_bos=True, special=False))

    def __call__(self, ids: Sequence[int]) -> Floats:
        """Compute one text."""
        if not self._card.labels:
            self._model.reset()
            self._model.eval(list(ids))
            return np.array(self._model.scores[: len(ids)], np.float32)
        pooled = self._embedding(list(ids))
        if (length := self._card.pooled_length) is not None:
            pooled = np.asarray(pooled / np.linalg.norm(pooled) * length, np.float32)
        logits = self._head["weight"] @ pooled + self._head["bias"]
        return softmax(np.asarray(logits / self._card.temperature, np.float32))

    def close(self) -> None:
        """Free it."""
        self._model.close()

    def _embedding(self, ids: list[int]) -> Floats:
        """Mean of the last hidden states, not brought to any length; [hidden]."""
        api, context = self._api, self._model.ctx
        memory = api.llama_get_memory(context)
        if memory is not None:
            api.llama_memory_clear(memory, True)  # noqa: FBT003 - C's
        batch = api.llama_batch_init(len(ids), 0, 1)
        try:
            batch.n_tokens = len(ids)
            for place, token in enumerate(ids):
                batch.token[place], batch.pos[place], batch.logits[place] = token, place, True
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
            if (code := api.llama_decode(context, batch)) != 0:
                raise ConfigError(f"llama.cpp could not compute a probe of {len(ids)} tokens: status {code}")
            found = api.llama_get_embeddings_seq(context, 0)
            return np.array(found[: self._model.n_embd()], np.float32)
        finally:
            api.llama_batch_free(batch)
