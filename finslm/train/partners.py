"""An adapter that answers together with one that is there already: what both say, and its card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from finslm.engine.adapters import AdapterCard, check_partner
from finslm.engine.partner import Partner, Probabilities
from finslm.evaluate.metrics import Labels, score
from finslm.train.calibration import fit_temperature
from finslm.train.finetune import Run
from finslm.train.teachers import Teacher


@final
@dataclass(frozen=True, slots=True)
class Companion:
    """The adapter that is there, and the weight of the new one's own answer."""

    name: str
    adapter: Teacher
    weight: float

    def check(self, run: Run) -> None:
        """Before hours of training: whether the two can answer together.

        Raises:
            ConfigError: they cannot.
        """
        check_partner(run.card(), AdapterCard.read(self.adapter.folder))

    def join(self, run: Run, folder: Path) -> None:
        """Write it on the new adapter's card, with the temperature that the held-back rows ask for."""
        self.check(run)
        own, truth = run.predict(folder, "dev")
        partner = Partner(self.name, self.adapter.digest, self.weight, 1.0)
        mean = torch.from_numpy(partner.pooled(own, self._judged(run, "dev"))).log().clamp(min=-30.0)
        partner = replace(partner, temperature=fit_temperature(mean, torch.from_numpy(truth)))
        replace(AdapterCard.read(folder), partner=partner).write(folder)

    def _judged(self, run: Run, split: str) -> Probabilities:
        texts = [row.text for row in getattr(run.dataset, split)]
        judged: Probabilities = self.adapter.judge(texts, run.dataset.labels).double().exp().numpy()
        return judged

    def pooled(self, run: Run, folder: Path, split: str, own: Probabilities) -> Probabilities:
        """What both say of a split's rows, as they are served together."""
        partner = AdapterCard.read(folder).partner
        if partner is None:
            raise AssertionError("join() comes before this")
        return partner.pooled(own, self._judged(run, split))


def facts(folder: Path, own: Probabilities, truth: Labels) -> dict[str, Any] | None:
    """For the metrics: who answers beside it, and how it does alone; None of one that answers alone."""
    partner = AdapterCard.read(folder).partner
    if partner is None:
        return None
    inside = np.flatnonzero(truth >= 0)
    return {
        "adapter": partner.adapter,
        "sha256": partner.sha256,
        "weight": partner.weight,
        "temperature": partner.temperature,
        "alone": score(own[inside].argmax(-1), truth[inside]).as_dict(),
    }
