"""Fine-tune a classification adapter: LoRA on every linear layer, and a head, through peft.

A run folder holds the recipe, the data's digests, a checkpoint (written after each epoch and every few minutes;
``--resume`` goes on from the very step), the metrics, the curves and, at the end, the adapter folder that serving
loads. The figures on the test set are those of that folder, loaded the way serving loads it.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from finslm.engine import bases
from finslm.engine.adapters import AdapterCard, weights_sha256
from finslm.engine.classifier import SequenceClassifier, load_adapter
from finslm.evaluate.data import SPLITS, Dataset
from finslm.evaluate.datasets import Example
from finslm.train import adapter_folder, batches, head, memory
from finslm.train.averaging import WeightAverage
from finslm.train.batches import Encoded, Encoder
from finslm.train.calibration import fit_temperature, private_temperature
from finslm.train.checkpoints import Checkpoint
from finslm.train.objective import Objective
from finslm.train.privacy.accounting import NoisePlan, plan
from finslm.train.privacy.noise import KeyedStream
from finslm.train.recipe import Recipe
from finslm.train.stepping import PlainSteps, PrivateSteps, Stepper
from finslm.train.teachers import Teacher, together

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["CHECKPOINT_S", "Progress", "Run", "fit_temperature"]

CHECKPOINT_S: Final = 300.0
"""How often a checkpoint is written within an epoch, seconds, if nothing else is said."""
_BATCH: Final = 64
"""Rows of a batch where nothing is learned."""

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
    checkpoint_s: float = CHECKPOINT_S
    history: list[dict[str, float]] = field(default_factory=list)
    teachers: tuple[Teacher, ...] = ()
    """Those that the recipe names, in its order."""

    def __post_init__(self) -> None:
        _seed(self.recipe.seed)
        self.out.mkdir(parents=True, exist_ok=True)
        training = self.recipe.training
        self.encoder = Encoder(
            bases.tokenizer(self.base_dir), self.dataset.labels, training.max_tokens, training.long_texts
        )
        self.rows = {name: self.encoder.rows(getattr(self.dataset, name)) for name in SPLITS}
        self.long_texts = sum(self.encoder.long(getattr(self.dataset, name)) for name in SPLITS)
        self.model = self._new_model().to(self.device)
        weights = self._label_weights().to(self.device)
        self.objective = Objective(training, self.encoder, weights, self.device, self.recipe.teachers, self._judged())
        self.plan = self._noise_plan()
        self.stepper = self._new_stepper()
        self.steps = self.stepper.steps_an_epoch * training.epochs
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
        self.best: dict[str, Tensor] = {}

    @property
    def identity(self) -> str:
        """What a checkpoint must have been written for: this recipe, these rows, this base and these teachers."""
        taught = "".join(f", taught by {teacher.digest}" for teacher in self.teachers)
        base = weights_sha256(self.base_dir)
        # Without what is left at its default: a field that a later version adds changes no run. A partner changes none.
        recipe = self.recipe.model_dump_json(exclude={"partner"}, exclude_defaults=True)
        return f"{recipe} on rows {self.dataset.digest}, base {base}{taught}"

    def train(self, progress: Progress, *, resume: bool = False) -> None:
        """Train until the last epoch, or until the held-back rows gain nothing more.

        Raises:
            ConfigError: there is nothing to resume, or it is another recipe's or of other rows.
        """
        at: dict[str, Any] = {"epoch": 0, "step": 0, "seconds": 0.0, "best": {}, "history": [], "losses": []}
        epochs, an_epoch = self.recipe.training.epochs, self.stepper.steps_an_epoch
        if resume:
            at = self.checkpoint.read(self.identity)
            self.history, self.best = at["history"], at["best"]
            self.stepper.restore(at)
            self.average.restore(at["average"], at["epoch"] * an_epoch + at["step"])
        elif self.recipe.training.head_start == "linear":
            self._start_head()
        begun = saved = time.monotonic()

        def save(**state: Any) -> None:
            kept = {"history": self.history, "best": self.best, "recipe": self.identity}
            kept["average"] = self.average.state()
            kept |= self.stepper.state(state["epoch"] * an_epoch + state["step"])
            self.checkpoint.write(kept | {"seconds": at["seconds"] + time.monotonic() - begun} | state)

        for epoch in range(at["epoch"], epochs):
            order = random.getstate()
            done, losses = (at["step"], list(at["losses"])) if epoch == at["epoch"] else (0, [])
            for number, chosen in enumerate(self.stepper.epoch(epoch)[done:], done + 1):
                step = epoch * an_epoch + number
                losses.append(self._step(step - 1, [self.rows["train"][i] for i in chosen]))
                progress(step, self.steps, float(np.mean(losses[-50:])))
                if time.monotonic() - saved > self.checkpoint_s:
                    save(epoch=epoch, step=number, losses=losses, python_rng=order)
                    saved = time.monotonic()
            with self.average.in_place():
                self._remember(epoch, losses, at["seconds"] + time.monotonic() - begun)
                stop = self._gains_nothing()
            save(epoch=epochs if stop else epoch + 1, step=0, losses=[], python_rng=random.getstate())
            saved = time.monotonic()
            if stop:
                break
        self.average.put()
        if self.best:
            self.model.load_state_dict(self.best, strict=False)

    @property
    def seconds(self) -> float:
        """In training, those before an interruption too."""
        return self.history[-1]["seconds"] if self.history else 0.0

    def temperature(self) -> float:
        """Chosen on the held-back rows; with a guarantee, by a mechanism that keeps it for them too."""
        logits, labels = self.logits("dev")
        if self.recipe.privacy is None:
            return fit_temperature(logits, labels)
        return private_temperature(logits, labels, self.recipe.privacy.epsilon, self._stream())

    def save(self) -> Path:
        """Write the adapter folder: LoRA weights in bfloat16, head in float32, the card.

        Raises:
            ConfigError: no room, or the run folder cannot be written; what was there is still there.
        """
        return adapter_folder.write(self.model, self.card(self.temperature()), out=self.out)

    def card(self, temperature: float = 1.0) -> AdapterCard:
        """What serving will know of the adapter."""
        recipe, training = self.recipe, self.recipe.training
        return AdapterCard(
            name=recipe.name,
            base_model=recipe.base_model,
            base_weights_sha256=weights_sha256(self.base_dir),
            task=recipe.task,
            labels=self.dataset.labels,
            bidirectional=training.bidirectional,
            temperature=temperature,
            max_tokens=training.max_tokens,
            long_texts=training.long_texts,
            pooled_length=training.pooled_length,
        )

    def forget(self) -> None:
        """Delete the checkpoint of a private run: whoever has its key can take the noise out of the weights."""
        if self.recipe.privacy is not None:
            self.checkpoint.delete()

    def predict(self, folder: Path, split: str = "test") -> tuple[np.ndarray, np.ndarray]:
        """Probabilities [N, L] and truth [N] (-1: a label that is not trained), as the saved folder is served."""
        rows = self.rows[split]
        backbone = cast("Any", bases.backbone(self.base_dir)).to(self.device)
        classifier = load_adapter(backbone, folder, base_dir=self.base_dir)
        out = np.zeros((len(rows), len(self.dataset.labels)))
        for chosen in batches.by_length(rows, _BATCH):
            pad_id = cast(int, self.encoder.tokenizer.pad_token_id)
            out[chosen] = classifier.probabilities([rows[i][0] for i in chosen], pad_id).double().numpy()
        return out, np.array([label for _, label in rows])

    def logits(self, split: str) -> tuple[Tensor, Tensor]:
        """[N, L] of a split's rows by the model in memory, and the numbers of their labels [N]."""
        return self._logits(self.rows[split])

    def losses(self, rows: Sequence[Example]) -> np.ndarray:
        """[N] cross-entropies of rows' labels by the model in memory, at the temperature of the held-back rows.

        In float64 and not from the probabilities that are served: those are so near to 1 that they are all the same.
        """
        logits, labels = self._logits(self.encoder.rows(rows))
        return functional.cross_entropy(logits.double() / self.temperature(), labels, reduction="none").numpy()

    def _new_model(self) -> Any:
        from peft import LoraConfig, get_peft_model

        lora, training = self.recipe.lora, self.recipe.training
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets),
            layers_to_transform=None if lora.layers is None else list(lora.layers),
            modules_to_save=["score"],
        )
        classifier = SequenceClassifier(
            bases.backbone(self.base_dir, dropout=training.dropout, attention_dropout=training.attention_dropout),
            len(self.dataset.labels),
            bidirectional=training.bidirectional,
            pooled_length=training.pooled_length,
        )
        return get_peft_model(cast("PreTrainedModel", classifier), config)

    def _noise_plan(self) -> NoisePlan | None:
        if (asked := self.recipe.privacy) is None:
            return None
        rows, training = len(self.rows["train"]), self.recipe.training
        steps = max(1, round(rows / training.batch_size)) * training.epochs
        return plan(asked.epsilon, asked.delta, asked.max_grad_norm, rows=rows, batch=training.batch_size, steps=steps)

    def _new_stepper(self) -> Stepper:
        training, rows = self.recipe.training, self.rows["train"]
        if self.plan is None:
            return PlainSteps(self.model, rows, training.batch_size, self._losses)
        secret = self.recipe.privacy is not None and self.recipe.privacy.noise == "secret"
        stream = KeyedStream.secret() if secret else KeyedStream.seeded(self.recipe.seed)
        return PrivateSteps(self.model, rows, self.plan, self._losses, epochs=training.epochs, stream=stream)

    def _stream(self) -> KeyedStream:
        return cast(PrivateSteps, self.stepper).stream

    def _parameters(self, part: str) -> list[nn.Parameter]:
        return [p for name, p in self.model.named_parameters() if p.requires_grad and part in name]

    def _rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / max(1.0, self.recipe.training.warmup_share * self.steps))
        return warm * max(0.02, 0.5 * (1 + math.cos(math.pi * step / self.steps)))

    def _label_weights(self) -> Tensor:
        numbers = torch.tensor([label for _, label in self.rows["train"]])
        counts = torch.bincount(numbers, minlength=len(self.dataset.labels)).float().clamp(min=1)
        return (counts.mean() / counts) ** self.recipe.training.label_balance

    def _judged(self) -> dict[tuple[int, ...], Tensor]:
        if not self.teachers:
            return {}
        texts = [row.text for row in self.dataset.train]
        said = together([teacher.judge(texts, self.dataset.labels) for teacher in self.teachers])
        return {tuple(tokens): each for (tokens, _), each in zip(self.rows["train"], said, strict=True)}

    def _forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        from peft.helpers import disable_input_dtype_casting

        if next(self.model.parameters()).dtype == torch.float32:
            with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.training.precision == "bfloat16"):
                return cast(Tensor, self.model(ids, mask)).float()
        # The adapters train in float32 and compute in bfloat16 beside the frozen bfloat16 base.
        with torch.autocast(self.device, torch.bfloat16), disable_input_dtype_casting(self.model):
            return cast(Tensor, self.model(ids, mask)).float()

    def _losses(self, rows: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
        return self.objective.losses(self._forward, rows)

    def _step(self, step: int, rows: Sequence[Encoded]) -> float:
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.stepper.gradient(step, rows)
        self.optimizer.step()
        self.scheduler.step()
        self.average.update()
        memory.now_and_then()
        return loss

    @torch.no_grad()
    def _logits(self, rows: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
        """[N, L] float32 and [N], in the rows' order."""
        self.model.eval()
        out = torch.zeros(len(rows), len(self.dataset.labels))
        for chosen in batches.by_length(rows, _BATCH):
            ids, mask, _ = self.encoder.tensors([rows[i] for i in chosen], self.device)
            out[chosen] = self._forward(ids, mask).cpu()
        return out, torch.tensor([label for _, label in rows])

    @torch.no_grad()
    def _start_head(self) -> None:
        """Fit a logistic regression on the untuned base's features and begin with it."""
        self.model.eval()
        classifier = cast(SequenceClassifier, self.model.base_model.model)
        rows = self.rows["train"]
        parts = [
            self.encoder.tensors([rows[i] for i in chosen], self.device) for chosen in batches.by_length(rows, _BATCH)
        ]
        with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.training.precision == "bfloat16"):
            features = torch.cat([classifier.pooled(ids, mask).float() for ids, mask, _ in parts])
        length = cast(float, self.recipe.training.pooled_length)
        labels = torch.cat([labels for _, _, labels in parts])
        weight, bias = head.fit(features, labels, len(self.dataset.labels), length)
        head.begin_with(self.model.named_parameters(), weight, bias)

    def _remember(self, epoch: int, losses: Sequence[float], seconds: float) -> None:
        logits, truth = self.logits("dev")
        accuracy = float((logits.argmax(-1) == truth).float().mean())
        means = {"train_loss": float(np.mean(losses)), "dev_accuracy": accuracy}
        self.history.append({"epoch": epoch + 1, **means, "seconds": seconds})

    def _gains_nothing(self) -> bool:
        """Keep the best epoch's weights; whether the last ones were no better for as long as the recipe waits."""
        if (patience := self.recipe.training.patience) is None:
            return False
        accuracies = [epoch["dev_accuracy"] for epoch in self.history]
        best = int(np.argmax(accuracies))
        if best == len(accuracies) - 1:
            self.best = {n: p.detach().clone() for n, p in self.model.named_parameters() if p.requires_grad}
        return len(accuracies) - 1 - best >= patience


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
