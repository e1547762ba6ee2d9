"""What adapters that are there already say of the rows that a new one is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, final

import torch
from torch import Tensor

from finslm.engine import bases
from finslm.engine.adapters import AdapterCard, encode, fingerprint
from finslm.engine.classifier import load_adapter
from finslm.errors import ConfigError
from finslm.train import batches

_BATCH = 64


@final
@dataclass(frozen=True, slots=True)
class Teacher:
    """An adapter that classifies, and the base it is for."""

    folder: Path
    base_dir: Path

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the adapter, which its base's digest is part of."""
        return fingerprint(self.folder)

    def judge(self, texts: Sequence[str], labels: Sequence[str]) -> Tensor:
        """Log-probabilities [N, L] of texts among ``labels``, at temperature 1; -inf for labels that it does not know.

        Raises:
            ConfigError: it does not classify, or shares fewer than two of the labels.
        """
        card = AdapterCard.read(self.folder)
        places = [card.labels.index(label) if label in card.labels else -1 for label in labels]
        if card.form != "classify" or sum(place >= 0 for place in places) < 2:
            raise ConfigError(f"teacher {card.name}: it must classify, by at least two of the labels in the data")
        tokenizer = bases.tokenizer(self.base_dir)
        classifier = load_adapter(bases.backbone(self.base_dir), self.folder, base_dir=self.base_dir)
        rows = [(encode(tokenizer, text)[: card.max_tokens], 0) for text in texts]
        out = torch.full((len(rows), len(labels)), -torch.inf)
        known = [i for i, place in enumerate(places) if place >= 0]
        for chosen in batches.by_length(rows, _BATCH):
            said = classifier.probabilities([rows[i][0] for i in chosen], cast(int, tokenizer.pad_token_id))
            scores = said.log()[:, [places[i] for i in known]].clamp(min=-30.0)
            out[torch.tensor(chosen)[:, None], torch.tensor(known)] = torch.log_softmax(scores, dim=-1)
        return out


def together(said: Sequence[Tensor]) -> Tensor:
    """The geometric mean of several teachers' judgements [N, L], as log-probabilities; -inf where one knows nothing."""
    return torch.log_softmax(torch.stack(list(said)).mean(0), dim=-1)
