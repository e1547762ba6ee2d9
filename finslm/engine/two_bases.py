"""A runner of two bases: a decoder, which writes and classifies, and an encoder, which classifies and tags.

Scheduler, queue and adapters are the same for both: which base an adapter sits on is written on its card.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

from finslm.engine.adapters import AdapterCard, weights_sha256
from finslm.engine.runner import PreparedAdapter, Runner
from finslm.engine.states import Hidden
from finslm.engine.tagging import Scores
from finslm.types import LabelScore


class Encoder(Protocol):
    """What a runner on an encoder does; see the methods of :class:`finslm.engine.runner.Runner`."""

    def classify(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[list[LabelScore]]:
        """Labels, by falling probability, of each adapter's key and text."""
        ...

    def tag(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[Scores]:
        """Logits of the tokens of each adapter's key and window."""
        ...

    def prepare(self, key: str, folder: Path) -> PreparedAdapter:
        """Read an adapter, on any thread."""
        ...

    def adopt(self, prepared: PreparedAdapter) -> None:
        """Let steps use it."""
        ...

    def forget(self, key: str) -> None:
        """Free it."""
        ...

    @property
    def max_positions(self) -> int:
        """The model's own window, tokens."""
        ...

    def open_reader(self) -> None:
        """Make ready what :meth:`read` needs."""
        ...

    def read(self, texts: Sequence[Sequence[int]]) -> list[Hidden]:
        """Last hidden states of each text, without an adapter."""
        ...


@final
@dataclass(frozen=True, slots=True, weakref_slot=True)
class _OnEncoder:
    """An adapter that the encoder prepared."""

    key: str
    prepared: PreparedAdapter

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.prepared.nbytes


@final
class TwoBases:
    """See :class:`finslm.engine.runner.Runner`.

    Args:
        decoder: the base that writes.
        folder: model folder of the encoder.
        load: reads the encoder, when it is first needed.
    """

    def __init__(self, decoder: Runner, folder: Path, load: Callable[[Path], Encoder]) -> None:
        self._decoder, self._folder, self._load = decoder, folder, load
        self._encoder: Encoder | None = None
        self._loading = threading.Lock()
        self._on_encoder: set[str] = set()
        self.max_positions, self.vocabulary = decoder.max_positions, decoder.vocabulary
        self.block_tokens, self.block_bytes = decoder.block_tokens, decoder.block_bytes
        self.reserve, self.copy, self.step = decoder.reserve, decoder.copy, decoder.step

    def classify(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[list[LabelScore]]:
        """Each text by the base of its adapter."""
        results: list[list[LabelScore]] = [[] for _ in jobs]
        for runner, on_encoder in ((self._encoder, True), (self._decoder, False)):
            places = [place for place, (key, _) in enumerate(jobs) if (key in self._on_encoder) is on_encoder]
            if places and runner is not None:
                for place, scores in zip(places, runner.classify([jobs[place] for place in places]), strict=True):
                    results[place] = scores
        return results

    def tag(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[Scores]:
        """See :class:`finslm.engine.runner.TagsTokens`; only the encoder does."""
        if self._encoder is None:
            raise AssertionError("adopt() comes before the first step with it")
        return self._encoder.tag(jobs)

    def open_reader(self) -> int:
        """Make ready to read texts without an adapter.

        Returns:
            The encoder's own window, tokens.
        """
        encoder = self._opened()
        encoder.open_reader()
        return encoder.max_positions

    def read(self, texts: Sequence[Sequence[int]]) -> list[Hidden]:
        """See :class:`finslm.engine.runner.ReadsTexts`; only the encoder does."""
        if self._encoder is None:
            raise AssertionError("open_reader() comes before the first text")
        return self._encoder.read(texts)

    def prepare(self, key: str, folder: Path) -> PreparedAdapter:
        """Read an adapter by the runner of its base."""
        if AdapterCard.read(folder).base_weights_sha256 != weights_sha256(self._folder):
            return self._decoder.prepare(key, folder)  # which refuses it if it is not of its own either
        return _OnEncoder(key, self._opened().prepare(key, folder))

    def _opened(self) -> Encoder:
        with self._loading:
            if self._encoder is None:
                self._encoder = self._load(self._folder)
            return self._encoder

    def adopt(self, prepared: PreparedAdapter) -> None:
        """Let steps use it."""
        if not isinstance(prepared, _OnEncoder):
            self._decoder.adopt(prepared)
        elif self._encoder is not None:
            self._encoder.adopt(prepared.prepared)
            self._on_encoder.add(prepared.key)

    def forget(self, key: str) -> None:
        """Free it."""
        if key not in self._on_encoder:
            self._decoder.forget(key)
        elif self._encoder is not None:
            self._on_encoder.remove(key)
            self._encoder.forget(key)
