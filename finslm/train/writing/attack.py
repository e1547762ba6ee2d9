"""What an adapter that writes gives away: can somebody who has it tell which rows it was trained on?"""

from __future__ import annotations

import random
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
    """Membership inference by the loss on a row's answer.

    Rows trained on are told from such as they are that the run never saw, where the recipe makes them, so that only
    what stands in them can give it away; else from the test rows.

    Args:
        folder: the adapter that was saved.

    Returns:
        What ``metrics.json`` has; None where all the others are too long to be read.
    """
    chance = random.Random(f"sides {run.recipe.seed}")  # noqa: S311 - repeatable draws, not a secret
    rows = run.rows
    sides = [chance.sample(list(side), min(AT_MOST, len(side))) for side in (rows.train, rows.unseen or rows.test)]
    members, others = (losses(run, folder, side) for side in sides)
    if not len(others):
        return None
    return {
        "membership": {"loss_threshold": membership.attack(-members, -others).as_dict(), "calibrated": None},
        "exposure": [],
        "others": "made in the same way" if rows.unseen else "test rows",
    }


@torch.no_grad()
def losses(run: WritingRun, folder: Path, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Mean cross-entropy of the tokens of each row's answer, [N] nats; rows too long to train on are left out."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(
        run.base_dir, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16
    )
    model = PeftModel.from_pretrained(cast("PreTrainedModel", base), str(folder), autocast_adapter_dtype=False)
    model.eval()
    encoded, _ = RowEncoder(run.base_dir, run.recipe.training).fitting(rows)
    found = []
    for row in encoded:
        ids, answer = torch.tensor([row["input_ids"]]), torch.tensor(row["completion_mask"]).bool()
        logits = model(input_ids=ids).logits[0, :-1][answer[1:]]
        found.append(float(functional.cross_entropy(logits.float(), ids[0, 1:][answer[1:]])))
    return np.array(found)
