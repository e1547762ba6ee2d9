"""The ways that are compared: what is trained, what the head sees, which way attention looks."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.scaling.tasks import Task
from finslm.engine import bases
from finslm.engine.adapters import encode
from finslm.engine.classifier import SequenceClassifier, is_encoder, pad

MOST_TOKENS: Final = 64
"""Of a text the first so many are read."""
BATCH: Final = 32
ENCODER: Final = "all-minilm-l6-v2"
DECODER: Final = "smollm2-135m-instruct"


@dataclass(frozen=True)
class Way:
    """One way to tune a classifier."""

    base: str
    rank: int | None
    """Of LoRA on every linear layer; 0: the base stays as it is, None: every parameter is trained."""
    pooling: Literal["mean", "first", "last"] = "mean"
    bidirectional: bool = True

    @property
    def trained(self) -> str:
        """In words."""
        return "all" if self.rank is None else f"LoRA, rank {self.rank}" if self.rank else "the head alone"

    @property
    def rates(self) -> tuple[float, ...]:
        """Peak learning rates that are tried; held-back rows choose."""
        if self.rank is None:
            return (5e-5, 2e-4)
        return (5e-4, 2e-3) if self.rank else (1e-2, 5e-2)


def ways() -> Iterator[Way]:
    """All of them: one thing differs from the first of each base at a time."""
    first = Way(ENCODER, 64)
    yield first
    yield from (replace(first, rank=rank) for rank in (16, 4, 0, None))
    yield replace(first, pooling="first")
    first = Way(DECODER, 16)
    yield first
    yield from (replace(first, rank=rank) for rank in (0, None))
    yield replace(first, bidirectional=False)
    yield replace(first, bidirectional=False, pooling="last")


class PooledClassifier(SequenceClassifier):
    """With the state of the first or of the last token where the mean is not asked for."""

    def __init__(self, backbone: Any, num_labels: int, way: Way) -> None:
        super().__init__(backbone, num_labels, bidirectional=way.bidirectional or is_encoder(backbone))
        self.pooling = way.pooling

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What the head sees, [B, hidden] float32."""
        hidden, rows = self.hidden(input_ids, attention_mask), torch.arange(len(input_ids))
        if self.pooling == "first":
            return hidden[:, 0]
        return self.mean(hidden, attention_mask) if self.pooling == "mean" else hidden[rows, attention_mask.sum(1) - 1]


@dataclass(frozen=True)
class Tuned:
    """A classifier that was trained, and what it took."""

    model: Any
    tokenizer: Any
    parameters: int
    seconds: float

    @torch.no_grad()
    def predicted(self, texts: Sequence[str]) -> list[int]:
        """Numbers of the most likely labels."""
        self.model.eval()
        rows = [encode(self.tokenizer, text)[:MOST_TOKENS] for text in texts]
        found = [0] * len(rows)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            for i, label in zip(chosen, _logits(self, [rows[i] for i in chosen]).argmax(-1).tolist(), strict=True):
                found[i] = label
        return found


def tune(way: Way, base_dir: Path, task: Task, rate: float, seed: int) -> Tuned:
    """Train a classifier on the task's rows: AdamW, warmed up and falling in a line; same rows, same order."""
    torch.manual_seed(seed)
    chance = random.Random(seed)
    model = _new(way, base_dir, len(task.labels))
    trained = [p for p in model.parameters() if p.requires_grad]
    tuned = Tuned(model, bases.tokenizer(base_dir), sum(p.numel() for p in trained), 0.0)
    rows = [encode(tuned.tokenizer, row.text)[:MOST_TOKENS] for row in task.train]
    truth = torch.from_numpy(task.truth(task.train))
    optimizer = torch.optim.AdamW(_groups(model, rate), weight_decay=0.01)
    steps = -(-len(rows) // BATCH) * task.epochs
    warm = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, max(0.0, (steps - step) / (steps - warm or 1)))
    )
    begun = time.perf_counter()
    model.train()
    for _ in range(task.epochs):
        order = list(range(len(rows)))
        chance.shuffle(order)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            loss = functional.cross_entropy(_logits(tuned, [rows[i] for i in chosen]), truth[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
    return replace(tuned, seconds=time.perf_counter() - begun)


def _new(way: Way, base_dir: Path, labels: int) -> Any:
    from peft import LoraConfig, get_peft_model

    backbone = bases.backbone(base_dir)
    classifier = PooledClassifier(backbone, labels, way)
    if way.rank is None:
        return classifier.float()
    if not way.rank:
        backbone.requires_grad_(False)
        return classifier
    linear = [
        name for name, part in classifier.named_modules() if isinstance(part, nn.Linear) and name.startswith("backbone")
    ]
    config = LoraConfig(r=way.rank, lora_alpha=2 * way.rank, target_modules=linear, modules_to_save=["score"])
    return get_peft_model(cast("Any", classifier), config)


def _groups(model: Any, rate: float) -> list[dict[str, Any]]:
    """The head begins from nothing and learns faster than what the base knows."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for name, p in named if "score" not in name], "lr": rate},
        {"params": [p for name, p in named if "score" in name], "lr": max(rate, 5e-3)},
    ]


def _logits(tuned: Tuned, rows: list[list[int]]) -> Tensor:
    from peft.helpers import disable_input_dtype_casting

    ids, mask = pad(rows, tuned.tokenizer.pad_token_id)
    kind = {p.dtype for p in tuned.model.parameters()}
    if torch.bfloat16 not in kind:
        return cast(Tensor, tuned.model(ids, mask)).float()
    with torch.autocast("cpu", torch.bfloat16), disable_input_dtype_casting(tuned.model):
        return cast(Tensor, tuned.model(ids, mask)).float()
