"""Log-perplexity of texts under a language model: the loss that its exposure and membership attacks rank by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from finslm.engine.classifier import pad


@torch.no_grad()
def log_perplexities(model: Any, rows: Sequence[list[int]], pad_id: int, *, batch: int = 32) -> NDArray[np.float64]:
    """[N] sums of the nats that each next token of a text takes (Carlini et al. 2019, definition 1).

    Args:
        model: causal, from transformers; its logits are read.
        rows: [N] token ids, at least two each.
        pad_id: any token.
        batch: rows that are computed together.
    """
    model.eval()
    device = next(model.parameters()).device
    found = []
    for start in range(0, len(rows), batch):
        ids, mask = (each.to(device) for each in pad(list(rows[start : start + batch]), pad_id))
        logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        losses = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
        found.append((losses * mask[:, 1:]).sum(1).double().cpu().numpy())
    return np.concatenate(found)
