"""Training of the name classifier: one pass over shards of labelled text, in checkpoints.

``python -m finslm.train.names.fit --base DIR --shards DIR --out DIR`` takes about an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

from finslm.train.names.model import IGNORED, LABELS, NameTagger, Shape, restored
from finslm.train.names.shards import Row, load
from redaction.ner.encoding import FEATURES

log = logging.getLogger(__name__)

_PIECES = 4096
"""Word pieces in one step."""


def batches(shard: Sequence[Row], rng: np.random.Generator) -> Iterator[list[Row]]:
    """Rows of like length together, in random order, about :data:`_PIECES` pieces each."""
    order = sorted(rng.permutation(len(shard)), key=lambda n: len(shard[n].ids) + rng.uniform(0, 4))
    groups: list[list[Row]] = [[]]
    for number in order:
        row = shard[number]
        if groups[-1] and (len(groups[-1]) + 1) * (len(row.ids) + 2) > _PIECES:
            groups.append([])
        groups[-1].append(row)
    yield from (groups[n] for n in rng.permutation(len(groups)))


def tensors(rows: Sequence[Row], marks: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ids, features, mask and labels [B, T] of rows, between the two marks."""
    width = max(len(row.ids) for row in rows) + 2
    ids, features, mask = (np.zeros((len(rows), width), np.int64) for _ in range(3))
    labels = np.full((len(rows), width), IGNORED, np.int64)
    for n, row in enumerate(rows):
        size = len(row.ids)
        ids[n, : size + 2] = [marks[0], *row.ids, marks[1]]
        features[n, : size + 2] = [FEATURES, *row.features, FEATURES]
        mask[n, : size + 2] = 1
        labels[n, 1 : size + 1] = row.labels
    return torch.from_numpy(ids), torch.from_numpy(features), torch.from_numpy(mask), torch.from_numpy(labels)


def marks_of(tokenizer: Tokenizer) -> tuple[int, int]:
    """Numbers of the marks before the first piece and behind the last."""
    return int(tokenizer.token_to_id("[CLS]") or 0), int(tokenizer.token_to_id("[SEP]") or 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    Args:
        shards: files, each gone over once; one that does not exist yet is waited for, so that text can be made beside.
        peak: the highest learning rate.
        seed: of the order and of the dropout.
        teacher: whose answers count as much as the labels (Hinton et al., "Distilling the Knowledge in a Neural
            Network", 2015).
    """

    shards: Sequence[Path]
    peak: float
    seed: int
    teacher: NameTagger | None = None


def fit(model: NameTagger, plan: Plan, marks: tuple[int, int], save: Callable[[], None]) -> None:
    """Train; ``save`` is called after every shard, ``marks`` are those of :func:`marks_of`."""
    rng = np.random.default_rng(plan.seed)
    torch.manual_seed(plan.seed)
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=plan.peak, betas=(0.9, 0.98), fused=True)
    done, total = 0.0, float(len(plan.shards))
    model.train()
    for path in plan.shards:
        while not path.exists():
            time.sleep(2)
        steps = list(batches(load(path), rng))
        losses, pieces, began = [], 0, time.monotonic()
        for batch in steps:
            for group in optimizer.param_groups:
                group["lr"] = plan.peak * _schedule(done / total)
            inputs = tensors(batch, marks)
            loss = _loss(model, plan.teacher, *inputs)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
            pieces += int(inputs[2].sum())
            done += 1 / len(steps)
        save()
        speed = pieces / (time.monotonic() - began)
        log.info(
            "%s: loss %.4f, %.0f pieces/s, learning rate %.2g", path.name, float(np.mean(losses)), speed, group["lr"]
        )


def _loss(
    model: NameTagger, teacher: NameTagger | None, ids: Tensor, features: Tensor, mask: Tensor, labels: Tensor
) -> Tensor:
    """Mean over the pieces of the cross entropy, and of the divergence from the teacher's answers, half each."""
    with torch.autocast("cpu", torch.bfloat16):
        scores = model(ids, features, mask).float()
    loss = cross_entropy(scores.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
    if teacher is None:
        return loss
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        answers = teacher(ids, features, mask).float()
    seen = mask.bool()
    distance = kl_div(scores[seen].log_softmax(-1), answers[seen].softmax(-1), reduction="batchmean")
    return (loss + distance) / 2


def write(out: Path, model: NameTagger, shape: Shape) -> None:
    """Write the network and its shape to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), out / "model.pt")
    (out / "config.json").write_text(json.dumps({**shape._asdict(), "labels": LABELS}, indent=1) + "\n", "utf-8")


def _schedule(progress: float) -> float:
    """Warm up over the first 3 %, then fall to nothing along a half cosine."""
    return min(1.0, progress / 0.03) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--shards", type=Path, required=True, help="folder of shard-NNN.npz")
    parser.add_argument("--count", type=int, required=True, help="how many shards there are or will be")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--neurons", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--start", type=Path, help="folder of an earlier run, or of narrow: its network is trained on")
    parser.add_argument("--teacher", type=Path, help="folder of an earlier run whose answers are learned too")
    parser.add_argument("--peak", type=float, default=5e-4, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    marks = marks_of(Tokenizer.from_file(str(chosen.base / "tokenizer.json")))
    shape = Shape(chosen.layers, chosen.neurons, chosen.heads)
    if chosen.start:
        model, shape = restored(chosen.base, chosen.start)
    else:
        model = NameTagger(chosen.base, shape)
    teacher = restored(chosen.base, chosen.teacher)[0].eval() if chosen.teacher else None
    paths = [chosen.shards / f"shard-{number:03}.npz" for number in range(chosen.count)]
    plan = Plan(paths, chosen.peak, chosen.seed, teacher)
    fit(model, plan, marks, lambda: write(chosen.out, model, shape))


if __name__ == "__main__":
    main()
