"""What an adapter that writes gives away: can somebody who has it tell which rows it was trained on?"""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from finslm.train.privacy import membership
from finslm.train.privacy.audit import AT_MOST
from finslm.train.writing.encoding import RowEncoder
from finslm.train.writing.rows import Row
from finslm.train.writing.sft import WritingRun

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def audit(run: WritingRun, folder: Path) -> dict[str, Any] | None:
    """Membership inference by the loss on a row's answer, for each kind of text and for all of them.

    Rows trained on are told from such as they are that the run never saw, where the recipe makes them, so that only
    what stands in them can give it away; else from the test rows. A kind has the same share of both sides: else its
    being hard, or easy, would pass for what the adapter remembers.

    Args:
        folder: the adapter that was saved.

    Returns:
        What ``metrics.json`` has; None where no kind has rows on both sides that are short enough to be read.
    """
    rows = run.rows
    sides = {
        kind: [scores for side in drawn if len(scores := -losses(run, folder, side))]
        for kind, drawn in _sides(rows.train, rows.unseen or rows.test, run.recipe.seed).items()
    }
    kinds = {kind: scores for kind, scores in sides.items() if len(scores) == 2}
    if not kinds:
        return None
    members, others = (np.concatenate(side) for side in zip(*kinds.values(), strict=True))
    found = {"loss_threshold": membership.attack(members, others).as_dict(), "calibrated": None}
    if len(kinds) > 1:
        found["by_kind"] = {kind: membership.attack(*scores).as_dict() for kind, scores in kinds.items()}
    return {
        "membership": found,
        "exposure": [],
        "others": "made in the same way" if rows.unseen else "test rows",
    }


def _sides(train: Sequence[Row], others: Sequence[Row], seed: int) -> dict[str, tuple[list[Row], list[Row]]]:
    """Of each kind, rows trained on and others: as many of the first to one of the second for every kind."""
    chance = random.Random(f"sides {seed}")  # noqa: S311 - repeatable draws, not a secret
    # A row that stands in training several times is one member.
    members, rest = (
        {kind: [row for row in side if row.group == kind] for kind in sorted({row.group for row in side})}
        for side in (dict.fromkeys(train), dict.fromkeys(others))
    )
    kinds = sorted(members.keys() & rest.keys())
    if not kinds:
        return {}
    to_one = min(len(members[kind]) / len(rest[kind]) for kind in kinds)
    count = sum(len(rest[kind]) for kind in kinds)
    shares = [min(1.0, AT_MOST / count), min(1.0, AT_MOST / (count * to_one)) * to_one]
    return {
        kind: (
            chance.sample(members[kind], max(1, int(shares[1] * len(rest[kind])))),
            chance.sample(rest[kind], max(1, int(shares[0] * len(rest[kind])))),
        )
        for kind in kinds
    }


@torch.no_grad()
def losses(run: WritingRun, folder: Path, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Mean cross-entropy of the tokens of each row's answer, [N] nats; rows too long to train on are left out."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(
        run.base_dir, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16
    )
    with warnings.catch_warnings():
        # peft asks transformers by a name that a later version of it will not have
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        model = PeftModel.from_pretrained(cast("PreTrainedModel", base), str(folder), autocast_adapter_dtype=False)
    model.eval()
    encoded, _ = RowEncoder(run.base_dir, run.recipe.training).fitting(rows)
    found = []
    for row in encoded:
        ids, answer = torch.tensor([row["input_ids"]]), torch.tensor(row["completion_mask"]).bool()
        decoder = cast("Any", model.base_model).model
        hidden = decoder.model(input_ids=ids, use_cache=False).last_hidden_state[0, :-1][answer[1:]]
        logits = decoder.lm_head(hidden)  # of the answer's tokens alone
        found.append(float(functional.cross_entropy(logits.float(), ids[0, 1:][answer[1:]])))
    return np.array(found)
