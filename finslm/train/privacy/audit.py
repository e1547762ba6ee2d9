"""What a trained adapter gives away, measured after each training.

The adapter that ships is never trained on planted texts. A twin is: the same recipe on some of the rows, with canaries
among them. The rows that it was not given are unknown to it, so it is also the reference of the calibrated attack on
the adapter itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, final

from finslm.evaluate.data import Dataset
from finslm.evaluate.datasets import Example
from finslm.train.privacy import exposure, membership
from finslm.train.privacy.exposure import Canaries, Exposure
from finslm.train.privacy.membership import Attack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finslm.train.finetune import Progress, Run

AT_MOST: Final = 2000
"""Rows of each side that an attack is scored on."""
CONTROL: Final = 0
"""Number of times that the control's canaries were trained on."""


@final
@dataclass(frozen=True, slots=True)
class Audit:
    """Figures of one adapter."""

    threshold: Attack
    """By loss (Yeom et al. 2018)."""
    calibrated: Attack | None
    """By loss beside the twin's (Watson et al. 2022); None without a twin."""
    exposures: tuple[Exposure, ...]
    """Of the twin's canaries, by how often they were trained on; 0: not at all. Empty without a twin."""
    twin_rows: int

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "membership": {
                "loss_threshold": self.threshold.as_dict(),
                "calibrated": None if self.calibrated is None else self.calibrated.as_dict(),
            },
            "exposure": [each.as_dict() for each in self.exposures],
            "twin_rows": self.twin_rows,
        }


def audit(run: Run, progress: Progress, *, with_twin: bool, resume: bool) -> Audit:
    """Attack an adapter by somebody who has it: by its exact losses, which nobody sees who only asks the service.

    Args:
        run: that made it; it has been saved.
        progress: of the twin's training.
        with_twin: train a twin, for exposure and the calibrated attack.
        resume: go on with a twin that was interrupted.

    Raises:
        ConfigError: the twin's checkpoint cannot be used.
    """
    given = _drawn(run)
    members, others = _sides(run, given)
    ours = [run.losses(side) for side in (members, others)]
    threshold = membership.attack(-ours[0], -ours[1])
    if not with_twin:
        return Audit(threshold, None, (), 0)
    canaries = _canaries(run)
    twin = _twin(run, [run.dataset.train[i] for i in given], canaries)
    twin.train(progress, resume=resume and twin.checkpoint.exists)
    theirs = [twin.losses(side) for side in (members, others)]
    calibrated = membership.attack(*(reference - own for reference, own in zip(theirs, ours, strict=True)))
    exposures = _exposures(twin, canaries)
    twin.forget()
    return Audit(threshold, calibrated, exposures, len(given))


def _drawn(run: Run) -> list[int]:
    """Training rows that the twin is given, in their order."""
    rows = len(run.dataset.train)
    count = min(run.recipe.audit.rows, rows // 2)
    chance = random.Random(f"twin {run.recipe.seed}")  # noqa: S311 - repeatable draws, not a secret
    return sorted(chance.sample(range(rows), count))


def _sides(run: Run, given: Sequence[int]) -> tuple[list[Example], list[Example]]:
    """Rows that the adapter was trained on, but not the twin; and test rows that neither was."""
    dataset, left = run.dataset, frozenset(given)
    members = [row for i, row in enumerate(dataset.train) if i not in left]
    others = [row for i, row in enumerate(dataset.test) if i not in dataset.seen and row.label in dataset.labels]
    chance = random.Random(f"sides {run.recipe.seed}")  # noqa: S311 - repeatable draws, not a secret
    members, others = (chance.sample(side, min(AT_MOST, len(side))) for side in (members, others))
    return members, others


def _canaries(run: Run) -> Canaries:
    asked = run.recipe.audit
    return exposure.make(
        run.dataset.labels, (*asked.repeats, CONTROL), asked.canaries, asked.reference, run.recipe.seed
    )


def _twin(run: Run, rows: Sequence[Example], canaries: Canaries) -> Run:
    dataset: Dataset = replace(run.dataset, train=[*rows, *canaries.rows])
    recipe = run.recipe
    if recipe.privacy is not None:
        # The same share of the rows in each step, so that a row gets as much noise as in the adapter's own training.
        size = max(1, round(recipe.training.batch_size * len(dataset.train) / len(run.dataset.train)))
        recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"batch_size": size})})
    return replace(run, recipe=recipe, dataset=dataset, out=run.out / "twin", history=[])


def _exposures(twin: Run, canaries: Canaries) -> tuple[Exposure, ...]:
    reference = twin.losses(canaries.reference)
    return tuple(
        exposure.summed_up(times, twin.losses(rows), reference) for times, rows in sorted(canaries.planted.items())
    )
