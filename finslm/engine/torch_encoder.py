"""Adapters that classify and tag on an encoder, the second base, with transformers: on a GPU, and to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, final

import torch

from finslm.engine import bases
from finslm.engine.adapters import WEIGHTS_FILE, AdapterCard
from finslm.engine.classifier import LoadedClassifier, load_adapter, pad
from finslm.engine.runner import PreparedAdapter
from finslm.engine.states import Hidden
from finslm.engine.tagger import LoadedTagger, load_tagger
from finslm.engine.tagging import Scores
from finslm.engine.weights import read_tensors
from finslm.errors import ConfigError
from finslm.types import LabelScore


@final
@dataclass(frozen=True, slots=True, weakref_slot=True)
class TorchEncoderAdapter:
    """See :class:`finslm.engine.runner.PreparedAdapter`."""

    key: str
    nbytes: int
    loaded: LoadedClassifier | LoadedTagger = field(repr=False)


@final
class TorchEncoder:
    """See :class:`finslm.engine.two_bases.Encoder`.

    Args:
        folder: model folder.
        pad_id: token that fills short rows.
    """

    def __init__(self, folder: Path, pad_id: int) -> None:
        self._folder, self._pad_id = folder, pad_id
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._classifiers: dict[str, LoadedClassifier] = {}
        self._taggers: dict[str, LoadedTagger] = {}
        self._plain: Any = None

    @property
    def max_positions(self) -> int:
        """The model's own window, tokens."""
        return int(bases.config(self._folder)["max_position_embeddings"])

    def open_reader(self) -> None:
        """Read the encoder itself."""
        if self._plain is None:
            self._plain = cast("Any", bases.backbone(self._folder)).to(self._device).eval()

    @torch.inference_mode()
    def read(self, texts: Sequence[Sequence[int]]) -> list[Hidden]:
        """Last hidden states of each text, without an adapter; one batch."""
        ids, mask = pad(list(map(list, texts)), self._pad_id)
        found = self._plain(input_ids=ids.to(self._device), attention_mask=mask.to(self._device))
        rows = found.last_hidden_state.float().cpu().numpy()
        return [row[: len(own)] for row, own in zip(rows, texts, strict=True)]

    def prepare(self, key: str, folder: Path) -> TorchEncoderAdapter:
        """Read an adapter onto an encoder of its own.

        Raises:
            ConfigError: damaged, trained on other weights, or not one that classifies or tags.
        """
        card, backbone = AdapterCard.read(folder), bases.backbone(self._folder)
        if card.form == "write":
            raise ConfigError(f"adapter {card.name} writes, and an encoder cannot: train it on a decoder")
        if card.max_tokens > (positions := int(backbone.config.max_position_embeddings)):
            raise ConfigError(f"adapter {card.name}: max_tokens {card.max_tokens}, {card.base_model} has {positions}")
        nbytes = sum(tensor.nbytes for tensor in read_tensors(folder / WEIGHTS_FILE).values())
        load = load_tagger if card.form == "tag" else load_adapter
        loaded = load(backbone, folder, base_dir=self._folder)
        cast("Any", loaded.module).to(self._device).eval()
        return TorchEncoderAdapter(key, nbytes, loaded)

    def adopt(self, prepared: PreparedAdapter) -> None:
        """Let steps use it."""
        if not isinstance(prepared, TorchEncoderAdapter):
            raise TypeError("an adapter of another runner")
        if isinstance(prepared.loaded, LoadedTagger):
            self._taggers[prepared.key] = prepared.loaded
        else:
            self._classifiers[prepared.key] = prepared.loaded

    def forget(self, key: str) -> None:
        """Free it."""
        adapters: dict[str, Any] = self._taggers if key in self._taggers else self._classifiers
        del adapters[key]

    def classify(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[list[LabelScore]]:
        """One batch for each adapter among the jobs."""
        results: list[list[LabelScore]] = [[] for _ in jobs]
        for key in dict.fromkeys(key for key, _ in jobs):
            classifier = self._classifiers[key]
            places = [place for place, (other, _) in enumerate(jobs) if other == key]
            rows = classifier.probabilities([list(jobs[place][1]) for place in places], self._pad_id).tolist()
            for place, row in zip(places, rows, strict=True):
                falling = sorted(zip(row, classifier.card.labels, strict=True))[::-1]
                results[place] = [LabelScore(label, share) for share, label in falling]
        return results

    def tag(self, jobs: Sequence[tuple[str, Sequence[int]]]) -> list[Scores]:
        """See :class:`finslm.engine.runner.TagsTokens`; one batch for each adapter among the jobs."""
        results: dict[int, Scores] = {}
        for key in dict.fromkeys(key for key, _ in jobs):
            places = [place for place, (other, _) in enumerate(jobs) if other == key]
            rows = self._taggers[key].logits([list(jobs[place][1]) for place in places], self._pad_id)
            results |= {place: row[1:-1] for place, row in zip(places, rows, strict=True)}
        return [results[place] for place in range(len(jobs))]
