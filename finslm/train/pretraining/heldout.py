"""How well held-out documents are foreseen, in measures that do and do not depend on the tokenizer."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from finslm.train.pretraining.network import next_token_logits, products
from finslm.train.pretraining.packing import IGNORED, consecutive

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM


@final
@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of held-out documents.

    ``loss`` is nats a token and ``perplexity`` its exponential: comparable with the same tokenizer only.
    ``bits_per_byte`` is what it would take to write the documents down with this model, over their bytes (UTF-8): the
    measure that compares tokenizers too. End tokens are paid for, and are no bytes.
    """

    loss: float
    perplexity: float
    bits_per_byte: float
    tokens: int

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


@torch.no_grad()
def score(
    network: LlamaForCausalLM,
    stream: NDArray[np.uint32],
    *,
    text_bytes: int,
    window: int,
    batch_windows: int,
    apart: int | None,
    precision: str,
    device: str = "cpu",
) -> HeldOut:
    """Score every token of a stream once; at the beginning of a window nothing before it is seen.

    Args:
        text_bytes: bytes of the documents, UTF-8.
        apart: the end token, where documents do not see one another.
    """
    was_training = network.training
    network.train(mode=False)
    nats = 0.0
    for ids, targets in consecutive(stream, window, batch_windows):
        with products(precision, device):
            logits = next_token_logits(network, ids.to(device), apart=apart)
        flat = logits.flatten(0, 1).float()
        nats += float(
            functional.cross_entropy(flat, targets.to(device).flatten(), ignore_index=IGNORED, reduction="sum")
        )
    network.train(was_training)
    tokens = len(stream) - 1
    loss = nats / tokens
    perplexity = math.exp(min(loss, 700.0))
    return HeldOut(loss, perplexity, nats / math.log(2) / text_bytes, tokens)
