"""Fine-tune a classification adapter: LoRA on every linear layer, and a head, through peft.

A run folder holds the recipe, the data's digests, a checkpoint (written after each epoch and every few minutes;
``--resume`` goes on from the very step), the metrics, the curves and, at the end, the adapter folder that serving
loads. The figures on the test set are those of that folder, loaded the way serving loads it.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from finslm.engine import bases
from finslm.engine.adapters import AdapterCard, encode, weights_sha256
from finslm.engine.classifier import SequenceClassifier, load_adapter, pad
from finslm.errors import ConfigError
from finslm.evaluate.data import Dataset
from finslm.evaluate.datasets import Example
from finslm.train.checkpoints import Checkpoint
from finslm.train.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SORT_WINDOW: Final = 20
"""Batches whose rows are sorted by length together: little padding, still a shuffled order."""
CHECKPOINT_S: Final = 300.0
"""How often a checkpoint is written within an epoch, seconds."""
_BATCH: Final = 64
"""Rows of a batch where nothing is learned."""

Progress = Callable[[int, int, float], None]
"""Called after each step with the step, the number of steps and the mean loss of late."""
Encoded = tuple[list[int], int]
"""A row: its token ids, and the number of its label; -1 for one that is not trained."""


@final
@dataclass
class Run:
    """A fine-tuning run on a base model folder."""

    recipe: Recipe
    dataset: Dataset
    base_dir: Path
    out: Path
    device: str = "cpu"
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        _seed(self.recipe.seed)
        self.out.mkdir(parents=True, exist_ok=True)
        self.tokenizer = bases.tokenizer(self.base_dir)
        self.long_texts = 0
        self.rows = {name: self._encode(getattr(self.dataset, name)) for name in ("train", "dev", "test")}
        self.model = self._new_model().to(self.device)
        training = self.recipe.training
        self.steps = math.ceil(len(self.rows["train"]) / training.batch_size) * training.epochs
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self._parameters("lora_"), "lr": training.learning_rate},
                {"params": self._parameters("score"), "lr": training.head_learning_rate},
            ],
            weight_decay=training.weight_decay,
            betas=(0.9, 0.98),
        )
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.weights = self._label_weights().to(self.device)
        self.checkpoint = Checkpoint(self.out / "checkpoint", self.model, self.optimizer, self.scheduler)
        self.best: dict[str, Tensor] = {}

    def train(self, progress: Progress, *, resume: bool = False) -> None:
        """Train until the last epoch, or until the held-back rows gain nothing more.

        Raises:
            ConfigError: there is nothing to resume, or it is another recipe's.
        """
        at: dict[str, Any] = {"epoch": 0, "step": 0, "seconds": 0.0, "best": {}, "history": [], "losses": []}
        if resume:
            at = self.checkpoint.read(self.recipe.model_dump_json())
            self.history, self.best = at["history"], at["best"]
        elif self.recipe.training.head_start == "linear":
            self._start_head()
        training = self.recipe.training
        begun = saved = time.monotonic()

        def save(**state: Any) -> None:
            kept = {"history": self.history, "best": self.best, "recipe": self.recipe.model_dump_json()}
            self.checkpoint.write(kept | {"seconds": at["seconds"] + time.monotonic() - begun} | state)

        for epoch in range(at["epoch"], training.epochs):
            order = random.getstate()
            done, losses = (at["step"], list(at["losses"])) if epoch == at["epoch"] else (0, [])
            batches = list(self._batches("train", training.batch_size, shuffle=True))
            for number, (ids, mask, labels) in enumerate(batches[done:], done + 1):
                losses.append(self._step(ids, mask, labels))
                progress(epoch * len(batches) + number, self.steps, float(np.mean(losses[-50:])))
                if time.monotonic() - saved > CHECKPOINT_S:
                    save(epoch=epoch, step=number, losses=losses, python_rng=order)
                    saved = time.monotonic()
            logits, truth = self._logits("dev")
            self.history.append(
                {
                    "epoch": epoch + 1,
                    "train_loss": float(np.mean(losses)),
                    "dev_accuracy": float((logits.argmax(-1) == truth).float().mean()),
                    "seconds": at["seconds"] + time.monotonic() - begun,
                }
            )
            stop = self._gains_nothing()
            save(epoch=training.epochs if stop else epoch + 1, step=0, losses=[], python_rng=random.getstate())
            saved = time.monotonic()
            if stop:
                break
        if self.best:
            self.model.load_state_dict(self.best, strict=False)

    def save(self) -> Path:
        """Write the adapter folder: LoRA weights in bfloat16, head in float32, the card."""
        folder = self.out / self.recipe.name
        logits, labels = self._logits("dev")
        training = self.recipe.training
        card = AdapterCard(
            name=self.recipe.name,
            base_model=self.recipe.base_model,
            base_weights_sha256=weights_sha256(self.base_dir),
            task=self.recipe.task,
            labels=self.dataset.labels,
            bidirectional=training.bidirectional,
            temperature=fit_temperature(logits, labels),
            max_tokens=training.max_tokens,
            long_texts=training.long_texts,
            pooled_length=training.pooled_length,
        )
        for name, parameter in self.model.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(torch.bfloat16)
        self.model.peft_config["default"].base_model_name_or_path = self.recipe.base_model
        self.model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
        card.write(folder)
        (self.out / "history.json").write_text(json.dumps(self.history, indent=2) + "\n", "utf-8")
        return folder

    def predict(self, folder: Path, split: str = "test") -> tuple[np.ndarray, np.ndarray]:
        """Probabilities [N, L] and truth [N] (-1: a label that is not trained), as the saved folder is served."""
        backbone = cast("Any", bases.backbone(self.base_dir)).to(self.device)
        classifier = load_adapter(backbone, folder, base_dir=self.base_dir)
        rows = self.rows[split]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
        out = np.zeros((len(rows), len(self.dataset.labels)))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            out[chosen] = classifier.probabilities([rows[i][0] for i in chosen], self._pad_id).double().numpy()
        return out, np.array([label for _, label in rows])

    def _new_model(self) -> Any:
        from peft import LoraConfig, get_peft_model

        lora, training = self.recipe.lora, self.recipe.training
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets),
            modules_to_save=["score"],
        )
        classifier = SequenceClassifier(
            bases.backbone(self.base_dir, dropout=training.dropout),
            len(self.dataset.labels),
            bidirectional=training.bidirectional,
            pooled_length=training.pooled_length,
        )
        return get_peft_model(cast("PreTrainedModel", classifier), config)

    def _encode(self, rows: Sequence[Example]) -> list[Encoded]:
        number = {label: i for i, label in enumerate(self.dataset.labels)}
        limit = self.recipe.training.max_tokens
        encoded = [(encode(self.tokenizer, row.text), number.get(row.label, -1)) for row in rows]
        longest = max(len(ids) for ids, _ in encoded)
        if longest > limit and self.recipe.training.long_texts == "refuse":
            raise ConfigError(
                f"a text has {longest} tokens, the recipe's training.max_tokens is {limit}: "
                "raise it, or set training.long_texts to cut"
            )
        self.long_texts += sum(len(ids) > limit for ids, _ in encoded)
        return [(ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]], label) for ids, label in encoded]

    @property
    def _pad_id(self) -> int:
        return cast(int, self.tokenizer.pad_token_id)

    def _parameters(self, part: str) -> list[nn.Parameter]:
        return [p for name, p in self.model.named_parameters() if p.requires_grad and part in name]

    def _rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / max(1.0, self.recipe.training.warmup_share * self.steps))
        return warm * max(0.02, 0.5 * (1 + math.cos(math.pi * step / self.steps)))

    def _label_weights(self) -> Tensor:
        counts = torch.bincount(torch.tensor([label for _, label in self.rows["train"]])).float()
        return (counts.mean() / counts) ** self.recipe.training.label_balance

    def _batches(self, split: str, size: int, *, shuffle: bool) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        rows = self.rows[split]
        order = list(range(len(rows)))
        if shuffle:
            random.shuffle(order)
        window = size * SORT_WINDOW
        order = [
            i
            for k in range(0, len(order), window)
            for i in sorted(order[k : k + window], key=lambda i: len(rows[i][0]))
        ]
        batches = [order[k : k + size] for k in range(0, len(order), size)]
        if shuffle:
            random.shuffle(batches)
        for chosen in batches:
            ids, mask = pad([rows[i][0] for i in chosen], self._pad_id)
            labels = torch.tensor([rows[i][1] for i in chosen])
            yield ids.to(self.device), mask.to(self.device), labels.to(self.device)

    def _forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        from peft.helpers import disable_input_dtype_casting

        if next(self.model.parameters()).dtype == torch.float32:
            with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.training.precision == "bfloat16"):
                return cast(Tensor, self.model(ids, mask)).float()
        # The adapters train in float32 and compute in bfloat16 beside the frozen bfloat16 base.
        with torch.autocast(self.device, torch.bfloat16), disable_input_dtype_casting(self.model):
            return cast(Tensor, self.model(ids, mask)).float()

    def _step(self, ids: Tensor, mask: Tensor, labels: Tensor) -> float:
        self.model.train()
        smoothing = self.recipe.training.label_smoothing
        loss = functional.cross_entropy(
            self._forward(ids, mask), labels, weight=self.weights, label_smoothing=smoothing
        )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], 1.0)
        self.optimizer.step()
        self.scheduler.step()
        return float(loss.detach())

    @torch.no_grad()
    def _logits(self, split: str) -> tuple[Tensor, Tensor]:
        self.model.eval()
        parts = [(self._forward(i, m), y) for i, m, y in self._batches(split, _BATCH, shuffle=False)]
        return torch.cat([p for p, _ in parts]).cpu(), torch.cat([y for _, y in parts]).cpu()

    @torch.no_grad()
    def _start_head(self) -> None:
        """Fit a logistic regression on the untuned base's features and begin with it."""
        from sklearn.linear_model import LogisticRegression

        self.model.eval()
        classifier = cast(SequenceClassifier, self.model.base_model.model)
        parts = [(classifier.pooled(i, m), y) for i, m, y in self._batches("train", _BATCH, shuffle=False)]
        length = cast(float, self.recipe.training.pooled_length)
        features = (torch.cat([p for p, _ in parts]) / length).cpu().double().numpy()
        fitted = LogisticRegression(C=20, max_iter=1000).fit(features, torch.cat([y for _, y in parts]).cpu().numpy())
        weight, bias = fitted.coef_ / length, fitted.intercept_
        if len(self.dataset.labels) == 2:  # one row, for the second label
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        for name, values in (("weight", weight), ("bias", bias)):
            for parameter in [p for n, p in self.model.named_parameters() if "score" in n and n.endswith(name)]:
                parameter.copy_(torch.tensor(values))

    def _gains_nothing(self) -> bool:
        """Keep the best epoch's weights; whether the last ones were no better for as long as the recipe waits."""
        if (patience := self.recipe.training.patience) is None:
            return False
        accuracies = [epoch["dev_accuracy"] for epoch in self.history]
        best = int(np.argmax(accuracies))
        if best == len(accuracies) - 1:
            self.best = {n: p.detach().clone() for n, p in self.model.named_parameters() if p.requires_grad}
        return len(accuracies) - 1 - best >= patience


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature that minimises negative log-likelihood (Guo et al. 2017), by search over a log grid.

    Args:
        logits: [N, L] float32 of rows the model was not trained on.
        labels: [N] int64.
    """
    grid = torch.logspace(-1, 1, 201)
    losses = torch.stack([functional.cross_entropy(logits / t, labels) for t in grid])
    return round(float(grid[losses.argmin()]), 4)


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
