"""Fine-tune a classification adapter: LoRA on every linear layer, and a head, through peft.

A run folder holds the recipe, the data's digests, a checkpoint after each epoch (``--resume`` goes
on from it), the metrics, the curves and, at the end, the adapter folder that serving loads. The
figures on the test set are those of that folder, loaded the way serving loads it.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from finslm.engine.adapters import AdapterCard, encode, weights_sha256
from finslm.engine.classifier import SequenceClassifier, load_adapter, pad
from finslm.errors import ConfigError
from finslm.train.data import Dataset, Row
from finslm.train.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SORT_WINDOW = 20
"""Batches whose rows are sorted by length together: little padding, still a shuffled order."""

Progress = Callable[[int, int, float], None]
"""Called after each step with the step, the number of steps and the mean loss of late."""


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
        self.tokenizer = _tokenizer(self.base_dir)
        self.model = self._new_model().to(self.device)
        self.rows = {name: self._encode(getattr(self.dataset, name)) for name in ("train", "dev", "test")}
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
        self.epoch = 0

    def train(self, progress: Progress, *, resume: bool = False) -> None:
        """Train until the last epoch; a checkpoint is written after each one."""
        if resume:
            self._restore()
        started = time.monotonic()
        step = self.scheduler.last_epoch
        while self.epoch < self.recipe.training.epochs:
            losses: list[float] = []
            for ids, mask, labels in self._batches("train", self.recipe.training.batch_size, shuffle=True):
                losses.append(self._step(ids, mask, labels))
                step += 1
                progress(step, self.steps, float(np.mean(losses[-50:])))
            self.epoch += 1
            logits, labels = self._logits("dev")
            accuracy = float((logits.argmax(-1) == labels).float().mean())
            self.history.append(
                {
                    "epoch": self.epoch,
                    "train_loss": float(np.mean(losses)),
                    "dev_accuracy": accuracy,
                    "seconds": time.monotonic() - started,
                }
            )
            self._checkpoint()

    def save(self) -> Path:
        """Write the adapter folder: LoRA weights in bfloat16, head in float32, the card."""
        folder = self.out / self.recipe.name
        logits, labels = self._logits("dev")
        card = AdapterCard(
            name=self.recipe.name,
            base_model=self.recipe.base_model,
            base_weights_sha256=weights_sha256(self.base_dir),
            task=self.recipe.task,
            labels=self.dataset.labels,
            bidirectional=self.recipe.training.bidirectional,
            temperature=fit_temperature(logits, labels),
            max_tokens=self.recipe.training.max_tokens,
        )
        for name, parameter in self.model.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(torch.bfloat16)
        self.model.peft_config["default"].base_model_name_or_path = self.recipe.base_model
        self.model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
        card.write(folder)
        (self.out / "history.json").write_text(json.dumps(self.history, indent=2) + "\n", "utf-8")
        return folder

    def predict(self, folder: Path, split: str = "test", batch_size: int = 64) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities [N, L] and truth [N] of a split, from the saved folder loaded as serving does."""
        backbone = cast("Any", _backbone(self.base_dir)).to(self.device)
        classifier = load_adapter(backbone, folder, base_dir=self.base_dir)
        rows = self.rows[split]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
        out = np.zeros((len(rows), len(self.dataset.labels)))
        pad_id = cast(int, self.tokenizer.pad_token_id)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            out[chosen] = classifier.probabilities([rows[i][0] for i in chosen], pad_id).double().numpy()
        return out, np.array([label for _, label in rows])

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
        classifier = SequenceClassifier(
            _backbone(self.base_dir),
            len(self.dataset.labels),
            bidirectional=self.recipe.training.bidirectional,
        )
        return get_peft_model(cast("PreTrainedModel", classifier), config)

    def _encode(self, rows: Sequence[Row]) -> list[tuple[list[int], int]]:
        number = {label: i for i, label in enumerate(self.dataset.labels)}
        limit = self.recipe.training.max_tokens
        encoded = [(encode(self.tokenizer, row.text), number[row.label]) for row in rows]
        if (longest := max(len(ids) for ids, _ in encoded)) > limit:
            raise ConfigError(f"a text has {longest} tokens, the recipe's max_tokens is {limit}: raise it")
        return encoded

    def _parameters(self, part: str) -> list[nn.Parameter]:
        return [p for name, p in self.model.named_parameters() if p.requires_grad and part in name]

    def _rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / max(1.0, self.recipe.training.warmup_share * self.steps))
        return warm * max(0.02, 0.5 * (1 + math.cos(math.pi * step / self.steps)))

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
            ids, mask = pad([rows[i][0] for i in chosen], cast(int, self.tokenizer.pad_token_id))
            labels = torch.tensor([rows[i][1] for i in chosen])
            yield ids.to(self.device), mask.to(self.device), labels.to(self.device)

    def _forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        from peft.helpers import disable_input_dtype_casting

        # The adapters train in float32 and compute in bfloat16 beside the frozen bfloat16 base.
        with torch.autocast(self.device, torch.bfloat16), disable_input_dtype_casting(self.model):
            return cast(Tensor, self.model(ids, mask)).float()

    def _step(self, ids: Tensor, mask: Tensor, labels: Tensor) -> float:
        self.model.train()
        smoothing = self.recipe.training.label_smoothing
        loss = functional.cross_entropy(self._forward(ids, mask), labels, label_smoothing=smoothing)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], 1.0)
        self.optimizer.step()
        self.scheduler.step()
        return float(loss.detach())

    @torch.no_grad()
    def _logits(self, split: str) -> tuple[Tensor, Tensor]:
        self.model.eval()
        parts = [(self._forward(i, m), y) for i, m, y in self._batches(split, 64, shuffle=False)]
        return torch.cat([p for p, _ in parts]).cpu(), torch.cat([y for _, y in parts]).cpu()

    def _checkpoint(self) -> None:
        """Write the checkpoint beside the last one, then put it in its place: a crash leaves one whole."""
        state = {
            "model": {n: p for n, p in self.model.named_parameters() if p.requires_grad},
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "history": self.history,
            "epoch": self.epoch,
            "torch_rng": torch.get_rng_state(),
            "python_rng": random.getstate(),
        }
        torch.save(state, self.out / "checkpoint.new")
        (self.out / "checkpoint.new").replace(self.out / "checkpoint")

    def _restore(self) -> None:
        try:
            state = torch.load(self.out / "checkpoint", weights_only=True)
        except FileNotFoundError:
            raise ConfigError(f"{self.out} holds no checkpoint to resume from; start without --resume") from None
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                parameter.data.copy_(state["model"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.history, self.epoch = state["history"], state["epoch"]
        torch.set_rng_state(state["torch_rng"])
        version, numbers, gauss = state["python_rng"]
        random.setstate((version, tuple(numbers), gauss))


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


def _backbone(base_dir: Path) -> PreTrainedModel:
    from transformers import AutoModel

    return cast(
        "PreTrainedModel",
        AutoModel.from_pretrained(base_dir, dtype=torch.bfloat16, local_files_only=True, use_safetensors=True),
    )


def _tokenizer(base_dir: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(str(base_dir), local_files_only=True))
