"""Fine-tune a tagging adapter: LoRA on every linear layer of an encoder, and a head on each token, through peft.

A run folder holds the recipe, the documents, a checkpoint (``--resume`` goes on from the very step), the metrics, the
curves and, at the end, the adapter folder that serving loads.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from finslm.engine import bases
from finslm.engine.adapters import AdapterCard, weights_sha256
from finslm.engine.classifier import pad
from finslm.engine.tagger import TokenTagger, load_tagger
from finslm.engine.tagging import MARKS, OUTSIDE, Reading, ReadToTag, Scores, in_windows, marked, read, windows
from finslm.train import adapter_folder, dropout, memory
from finslm.train.averaging import WeightAverage
from finslm.train.batches import SORT_WINDOW
from finslm.train.checkpoints import Checkpoint
from finslm.train.documents.dataset import DocumentSet, Row
from finslm.train.documents.generate import KINDS
from finslm.train.finetune import CHECKPOINT_S, Progress
from finslm.train.tagging_recipe import TaggingRecipe
from finslm.types import TaggedSpan

if TYPE_CHECKING:
    from transformers import PreTrainedModel

IGNORED: Final = -100
"""Label of a token that is not learned from."""
_BATCH: Final = 32
"""Windows of a batch where nothing is learned."""

LABELS: Final = (
    OUTSIDE,
    *(f"{part}-{kind.task}.{name}" for kind in KINDS.values() for name in kind.fields for part in "BI"),
)


def fields_of(kind: str) -> list[str]:
    """What the labels call the fields of a kind of document."""
    return [f"{KINDS[kind].task}.{name}" for name in KINDS[kind].fields]


@final
@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a document to learn from.

    Args:
        ids: token ids, marks at the ends included.
        labels: number of each token's label, or IGNORED.
        kind: number of the document's kind.
    """

    ids: list[int]
    labels: list[int]
    kind: int


@final
@dataclass
class TaggingRun:
    """A fine-tuning run on a base model folder."""

    recipe: TaggingRecipe
    documents: DocumentSet
    base_dir: Path
    out: Path
    workers: int = 1
    """Threads; each computes the gradients of its part of a batch, which are added in order."""
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        random.seed(self.recipe.seed)
        np.random.seed(self.recipe.seed)
        torch.manual_seed(self.recipe.seed)
        self.out.mkdir(parents=True, exist_ok=True)
        self.tokenizer = bases.tokenizer(self.base_dir)
        self.rows = {
            name: [w for row in getattr(self.documents, name) for w in self._windows(row)] for name in ("train", "dev")
        }
        self.model = self._new_model()
        training = self.recipe.training
        self._an_epoch = math.ceil(len(self.rows["train"]) / training.batch_size)
        self.steps = self._an_epoch * training.epochs
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self._parameters("lora_"), "lr": training.learning_rate},
                {"params": self._parameters("score"), "lr": training.head_learning_rate},
            ],
            weight_decay=training.weight_decay,
            betas=(0.9, 0.98),
        )
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.checkpoint = Checkpoint(self.out / "checkpoint", self.model, self.optimizer, self.scheduler)
        self.average = WeightAverage(self.model, training.weight_average)
        number = {label: place for place, label in enumerate(LABELS)}
        self._threads = ThreadPoolExecutor(self.workers, initializer=torch.set_num_threads, initargs=(1,))
        self.barred = torch.ones(len(KINDS), len(LABELS), dtype=torch.bool)
        for place, kind in enumerate(KINDS):
            own = [OUTSIDE, *(f"{part}-{name}" for name in fields_of(kind) for part in "BI")]
            self.barred[place, [number[label] for label in own]] = False

    @property
    def identity(self) -> str:
        """What a checkpoint must have been written for: this recipe, these documents and this base."""
        made = " ".join(digest for _, digest in sorted(self.documents.sha256.items()))
        return f"{self.recipe.model_dump_json()} on documents {made}, base {weights_sha256(self.base_dir)}"

    def train(self, progress: Progress, *, resume: bool = False) -> None:
        """Train to the last epoch.

        Raises:
            ConfigError: there is nothing to resume, or it is another recipe's or of other documents.
        """
        at: dict[str, Any] = {"epoch": 0, "step": 0, "seconds": 0.0, "history": [], "losses": []}
        if resume:
            at = self.checkpoint.read(self.identity)
            self.history = at["history"]
            self.average.restore(at["average"], at["epoch"] * self._an_epoch + at["step"])
        training = self.recipe.training
        begun = saved = time.monotonic()

        def save(**state: Any) -> None:
            kept = {"history": self.history, "recipe": self.identity, "average": self.average.state()}
            self.checkpoint.write(kept | {"seconds": at["seconds"] + time.monotonic() - begun} | state)

        for epoch in range(at["epoch"], training.epochs):
            order = random.getstate()
            done, losses = (at["step"], list(at["losses"])) if epoch == at["epoch"] else (0, [])
            batches = list(self._batches(self.rows["train"], training.batch_size))
            for number, batch in enumerate(batches[done:], done + 1):
                losses.append(self._step(batch))
                progress(epoch * len(batches) + number, self.steps, float(np.mean(losses[-50:])))
                if time.monotonic() - saved > CHECKPOINT_S:
                    save(epoch=epoch, step=number, losses=losses, python_rng=order)
                    saved = time.monotonic()
            seconds = at["seconds"] + time.monotonic() - begun
            means = {"train_loss": float(np.mean(losses)), "seconds": seconds}
            with self.average.in_place():
                self.history.append({"epoch": epoch + 1, **means, "dev_loss": self._loss()})
            save(epoch=epoch + 1, step=0, losses=[], python_rng=random.getstate())
            saved = time.monotonic()
        self.average.put()

    def save(self) -> Path:
        """Write the adapter folder: LoRA weights in bfloat16, head in float32, the card."""
        training = self.recipe.training
        card = AdapterCard(
            name=self.recipe.name,
            base_model=self.recipe.base_model,
            base_weights_sha256=weights_sha256(self.base_dir),
            task=", ".join(kind.task for kind in KINDS.values()),
            labels=LABELS,
            bidirectional=True,
            temperature=1.0,
            max_tokens=training.max_tokens,
            head="tag",
            overlap=training.overlap,
        )
        folder = adapter_folder.write(self.model, card, out=self.out)
        (self.out / "history.json").write_text(json.dumps(self.history, indent=2) + "\n", "utf-8")
        return folder

    def _new_model(self) -> Any:
        from peft import LoraConfig, get_peft_model

        lora = self.recipe.lora
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets),
            modules_to_save=["score"],
        )
        training = self.recipe.training
        backbone = bases.backbone(self.base_dir, dropout=training.dropout, attention_dropout=training.attention_dropout)
        model = get_peft_model(cast("PreTrainedModel", TokenTagger(backbone, len(LABELS))), config)
        dropout.per_thread(model)
        return model

    def _windows(self, row: Row) -> list[Window]:
        training, kind = self.recipe.training, list(KINDS).index(row.kind)
        reading = read(self.tokenizer, row.text)
        labels = unit_labels(reading, row)
        return [
            Window(
                marked(self.tokenizer, reading.ids[start:end]),
                [IGNORED, *(labels[unit] for unit in reading.units[start:end]), IGNORED],
                kind,
            )
            for start, end in windows(reading, training.max_tokens - MARKS, training.overlap)
        ]

    def _parameters(self, part: str) -> list[nn.Parameter]:
        return [p for name, p in self.model.named_parameters() if p.requires_grad and part in name]

    def _rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / max(1.0, self.recipe.training.warmup_share * self.steps))
        return warm * max(0.02, 0.5 * (1 + math.cos(math.pi * step / self.steps)))

    def _batches(self, rows: Sequence[Window], size: int) -> Iterator[list[Window]]:
        """Shuffled, with windows of like length together."""
        order = list(range(len(rows)))
        random.shuffle(order)
        reach = size * SORT_WINDOW
        order = [
            place
            for first in range(0, len(order), reach)
            for place in sorted(order[first : first + reach], key=lambda place: len(rows[place].ids))
        ]
        batches = [order[first : first + size] for first in range(0, len(order), size)]
        random.shuffle(batches)
        for chosen in batches:
            yield [rows[place] for place in chosen]

    @property
    def _trained(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def _losses(self, batch: Sequence[Window]) -> Tensor:
        """Sum of the cross-entropy of a batch's tokens, among the labels of each document's kind."""
        ids, mask = pad([window.ids for window in batch], cast(int, self.tokenizer.pad_token_id))
        labels = torch.full(ids.shape, IGNORED)
        for number, window in enumerate(batch):
            labels[number, : len(window.labels)] = torch.tensor(window.labels)
        barred = self.barred[[window.kind for window in batch]][:, None, :]
        # Said here and not around the step: autocasting is a thread's own.
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.training.precision == "bfloat16"):
            logits = self.model(ids, mask)
        logits = logits.float().masked_fill(barred, -1e4)
        return functional.cross_entropy(
            logits.flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
        )

    def _gradients(self, part: int, batch: Sequence[Window]) -> tuple[float, tuple[Tensor, ...]]:
        """Sum of the losses of a batch's tokens, and of their gradients."""
        with torch.enable_grad():
            dropout.seed_thread(self.recipe.seed, self.scheduler.last_epoch, part)
            loss = self._losses(batch)
            return float(loss.detach()), torch.autograd.grad(loss, self._trained)

    def _step(self, batch: Sequence[Window]) -> float:
        self.model.train()
        tokens = sum(len(window.ids) - MARKS for window in batch)
        parts = [batch[first :: self.workers] for first in range(min(self.workers, len(batch)))]
        results = list(self._threads.map(self._gradients, range(len(parts)), parts))
        for number, parameter in enumerate(self._trained):
            parameter.grad = torch.stack([gradients[number] for _, gradients in results]).sum(0) / tokens
        nn.utils.clip_grad_norm_(self._trained, 1.0)
        self.optimizer.step()
        self.scheduler.step()
        self.average.update()
        memory.now_and_then()
        return sum(loss for loss, _ in results) / tokens

    @torch.no_grad()
    def losses(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """Mean cross-entropy of the tokens of each document, [N] nats."""
        self.model.eval()
        found = []
        for windows_ in map(self._windows, rows):
            tokens = sum(len(window.ids) - MARKS for window in windows_)
            found.append(float(self._losses(windows_)) / max(1, tokens))
        return np.array(found)

    @torch.no_grad()
    def _loss(self) -> float:
        self.model.eval()
        rows = sorted(self.rows["dev"], key=lambda window: len(window.ids))
        batches = [rows[first : first + _BATCH] for first in range(0, len(rows), _BATCH)]
        tokens = sum(len(window.ids) - MARKS for window in rows)
        return sum(float(self._losses(batch)) for batch in batches) / tokens


def unit_labels(reading: Reading, row: Row) -> list[int]:
    """Number of each unit's label. A unit belongs to the first field that it has a character of."""
    number = {label: place for place, label in enumerate(LABELS)}
    labels, spans, begun = [], list(row.spans), -1
    for start, end in reading.spans:
        place = next((n for n, (first, last, _) in enumerate(spans) if first < end and start < last), None)
        part = "I" if place == begun else "B"
        labels.append(number[OUTSIDE if place is None else f"{part}-{row.task}.{spans[place][2]}"])
        begun = begun if place is None else place
    return labels


@final
class Tagger:
    """A saved adapter, loaded as serving loads it."""

    def __init__(self, folder: Path, base_dir: Path) -> None:
        self._tagger = load_tagger(bases.backbone(base_dir), folder, base_dir=base_dir)
        self._tokenizer = bases.tokenizer(base_dir)
        self.card = self._tagger.card

    def logits(self, text: str) -> tuple[ReadToTag, list[Scores]]:
        """How a text is read, and what the network says of its tokens."""
        reading = in_windows(self._tokenizer, text, self.card)
        logits = self._tagger.logits(reading.windows, cast(int, self._tokenizer.pad_token_id))
        return reading, [each[1:-1] for each in logits]

    def spans(self, kind: str, text: str) -> list[TaggedSpan]:
        """What may be the fields of a document."""
        reading, logits = self.logits(text)
        return reading.spans(logits, fields_of(kind))
