"""The training itself: TRL's supervised fine-tuning of a LoRA adapter, the loss on the answers alone.

TRL packs rows into sequences of one length by best-fit decreasing (Ding et al. 2024, arXiv:2404.10830); positions start
anew with each row, and transformers keeps rows of a pack from seeing each other by them.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import torch
from torch import Tensor
from torch.nn import functional
from transformers import TrainerCallback

from finslm.engine import bases
from finslm.engine.adapters import AdapterCard, weights_sha256
from finslm.engine.classifier import ENCODERS
from finslm.errors import ConfigError
from finslm.train import adapter_folder, memory
from finslm.train.finetune import Progress
from finslm.train.pretraining.interruption import Interrupted, Stop, stop_on_signals
from finslm.train.writing.encoding import RowEncoder
from finslm.train.writing.recipe import WritingRecipe
from finslm.train.writing.rows import RowSet

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

_CHECKPOINTS: Final = "checkpoints"
_IDENTITY: Final = "checkpoints.json"
"""What the checkpoints are of."""
_WRITTEN_LAST: Final = "trainer_state.json"
"""Of a checkpoint that is whole."""
_IGNORED: Final = -100
"""Stands where nothing is to be predicted."""
_BEST: Final = "best.pt"


@final
@dataclass
class WritingRun:
    """A run on a base model folder.

    Args:
        rows: to train on, and to choose the epoch by.
        out: run folder.
        checkpoint_s: how often a checkpoint is written, seconds.
    """

    recipe: WritingRecipe
    rows: RowSet
    base_dir: Path
    out: Path
    checkpoint_s: float
    history: list[dict[str, float]] = field(default_factory=list)
    step_losses: list[float] = field(default_factory=list)
    """Loss on the answers of each step."""
    too_long: int = 0
    """Rows that were left out for it."""
    seconds: float = 0.0
    """In training, those before an interruption too."""

    @property
    def identity(self) -> str:
        """What a checkpoint must have been written for: this recipe, these rows and this base."""
        base = weights_sha256(self.base_dir)
        return f"{self.recipe.model_dump_json()} on rows {self.rows.digest}, base {base}"

    def train(self, progress: Progress, *, resume: bool = False) -> Path:
        """Train to the last epoch, or until the held-back rows gain nothing more, and write the adapter folder.

        Raises:
            ConfigError: the base writes nothing, a row is too long, there is nothing to resume, or no room.
            Interrupted: by SIGINT or SIGTERM; the checkpoint is written.
        """
        if bases.model_type(self.base_dir) in ENCODERS:
            raise ConfigError(f"model folder {self.base_dir}: an encoder writes nothing; a decoder is wanted")
        begin = None
        if resume:
            begin = self._checkpoint()
        else:
            self._begin_anew()
        with stop_on_signals() as stop:
            watch = _Watch(self, progress, stop)
            trainer = self._trainer(watch)
            try:
                trainer.train(resume_from_checkpoint=begin)
            except (OSError, RuntimeError) as error:
                # torch and safetensors report a full disk in errors of their own
                raise ConfigError(f"{self.out}: {error}; mend that and go on with --resume") from error
        state = trainer.state
        if stop.signal is not None:
            raise Interrupted(stop.signal, f"step {state.global_step} of {state.max_steps}")
        self.history, self.seconds = _history(state.log_history), watch.seconds
        self.step_losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        if (best := self.out / _BEST).exists():
            trainer.model.load_state_dict(torch.load(best, weights_only=True), strict=False)
        return self._save(trainer.model)

    def _trainer(self, watch: _Watch) -> Any:
        from datasets import Dataset, disable_progress_bars
        from transformers import PrinterCallback

        disable_progress_bars()
        encoder = RowEncoder(self.base_dir, self.recipe.training)
        (train, long), (dev, _) = (encoder.encoded(rows) for rows in (self.rows.train, self.rows.dev))
        self.too_long = long
        with warnings.catch_warnings():
            # peft asks transformers by a name that a later version of it will not have
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            trainer = _trainer_class()(
                model=_decoder(self.base_dir),
                args=self._arguments(),
                train_dataset=Dataset.from_list(train),
                eval_dataset=Dataset.from_list(dev),
                processing_class=encoder.tokenizer,
                peft_config=self._lora(),
                callbacks=[watch],
            )
        trainer.remove_callback(PrinterCallback)
        return trainer

    def _arguments(self) -> Any:
        from trl.trainer.sft_config import SFTConfig

        how = self.recipe.training
        return SFTConfig(
            output_dir=str(self.out / _CHECKPOINTS),
            per_device_train_batch_size=how.batch_size,
            per_device_eval_batch_size=how.batch_size,
            num_train_epochs=how.epochs,
            learning_rate=how.learning_rate,
            lr_scheduler_type="cosine_with_min_lr",
            lr_scheduler_kwargs={"min_lr_rate": 0.02},
            warmup_steps=how.warmup_share,
            weight_decay=how.weight_decay,
            adam_beta2=0.98,
            max_length=how.max_tokens,
            packing=how.packing,
            completion_only_loss=True,
            activation_checkpointing=False,
            bf16=False,  # see _trainer_class
            use_cpu=not torch.cuda.is_available(),
            seed=self.recipe.seed,
            eval_strategy="epoch",
            logging_steps=1,
            save_strategy="no",  # by the clock: see _Watch
            save_total_limit=1,
            disable_tqdm=True,
            report_to="none",
            dataloader_pin_memory=False,
        )

    def _lora(self) -> Any:
        from peft import LoraConfig

        lora = self.recipe.lora
        return LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets),
            layers_to_transform=None if lora.layers is None else list(lora.layers),
            task_type="CAUSAL_LM",
        )

    def _begin_anew(self) -> None:
        import shutil

        shutil.rmtree(self.out / _CHECKPOINTS, ignore_errors=True)
        (self.out / _BEST).unlink(missing_ok=True)
        self.note(0.0)

    def note(self, seconds: float) -> None:
        """Write what the checkpoints are of, and how long it took to come to the last one."""
        new = self.out / f"{_IDENTITY}.new"
        new.write_text(json.dumps({"of": self.identity, "seconds": seconds}) + "\n", "utf-8")
        new.replace(self.out / _IDENTITY)

    def _checkpoint(self) -> str:
        """The last whole one."""
        whole = [path.parent for path in (self.out / _CHECKPOINTS).glob(f"checkpoint-*/{_WRITTEN_LAST}")]
        try:
            noted = json.loads((self.out / _IDENTITY).read_text("utf-8"))
            of, self.seconds = noted["of"], float(noted["seconds"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{self.out} holds no checkpoint to resume from; start without --resume") from error
        if not whole:
            raise ConfigError(f"{self.out} holds no checkpoint to resume from; start without --resume")
        if of != self.identity:
            raise ConfigError(f"{self.out} is of another recipe or other rows: give --out another folder")
        return str(max(whole, key=lambda folder: int(folder.name.rpartition("-")[2])))

    def _save(self, model: Any) -> Path:
        card = AdapterCard(
            name=self.recipe.name,
            base_model=self.recipe.base_model,
            base_weights_sha256=weights_sha256(self.base_dir),
            task=", ".join(sorted({row.task for row in self.rows.train})),
            labels=(),
            bidirectional=False,
            temperature=1.0,
            max_tokens=self.recipe.training.max_tokens,
        )
        return adapter_folder.write(model, card, out=self.out)


@final
class _Watch(TrainerCallback):
    """Tells how far a run is, saves it by the clock, ends it when told to, and keeps the best epoch's weights."""

    def __init__(self, run: WritingRun, progress: Progress, stop: Stop) -> None:
        self._run, self._progress, self._stop = run, progress, stop
        self._patience = run.recipe.training.patience
        self._begun = self._saved = time.monotonic()
        self._before = run.seconds

    @property
    def seconds(self) -> float:
        """In training, those before an interruption too."""
        return self._before + time.monotonic() - self._begun

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Tell, save, end."""
        del args, kwargs
        memory.now_and_then()
        losses = [entry["loss"] for entry in state.log_history[-20:] if "loss" in entry]
        self._progress(state.global_step, state.max_steps, sum(losses) / max(1, len(losses)))
        stopped = self._stop.signal is not None
        if stopped or time.monotonic() - self._saved >= self._run.checkpoint_s:
            control.should_save, control.should_training_stop = True, stopped
            self._saved = time.monotonic()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """How long it took goes with the checkpoint."""
        del args, state, control, kwargs
        self._run.note(self.seconds)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """A run that was told to stop does not look at the held-back rows first."""
        del args, state, kwargs
        if self._stop.signal is not None:
            control.should_evaluate = False

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep the weights of the epoch with the smallest loss; stop where the last ones have gained nothing."""
        del args
        if self._patience is None or self._stop.signal is not None:
            return
        losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
        best = min(range(len(losses)), key=losses.__getitem__)
        if best == len(losses) - 1:
            trained = {name: p.detach().clone() for name, p in kwargs["model"].named_parameters() if p.requires_grad}
            torch.save(trained, self._run.out / _BEST)
        control.should_training_stop = len(losses) - 1 - best >= self._patience


def _trainer_class() -> Any:
    from peft.helpers import disable_input_dtype_casting
    from trl.trainer.sft_trainer import SFTTrainer

    class Trainer(SFTTrainer):
        """Computes logits where an answer's token is predicted, and nowhere else: a third less time on processors."""

        def compute_loss(self, model: Any, inputs: Any, *_: Any, **more: Any) -> Tensor:
            labels = functional.pad(inputs["labels"][:, 1:], (0, 1), value=_IGNORED)
            places = labels != _IGNORED
            seen = {k: v for k, v in inputs.items() if k in ("input_ids", "attention_mask", "position_ids")}
            # The adapters train in float32 and compute in bfloat16 beside the frozen bfloat16 base.
            with torch.autocast(labels.device.type, torch.bfloat16), disable_input_dtype_casting(model):
                decoder = model.base_model.model
                hidden = decoder.model(use_cache=False, **seen).last_hidden_state[places]
                logits = decoder.lm_head(hidden)
            loss = functional.cross_entropy(logits.float(), labels[places], reduction="sum")
            return loss / (more.get("num_items_in_batch") or places.sum().clamp(min=1))

        def prediction_step(self, model: Any, inputs: Any, *_: Any, **__: Any) -> tuple[Tensor, None, None]:
            with torch.no_grad():
                return self.compute_loss(model, self._prepare_inputs(inputs)), None, None

    return Trainer


def _history(logs: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """An entry for each epoch: mean loss of its steps, and loss on the held-back rows."""
    history, losses = [], []
    for entry in logs:
        if "loss" in entry:
            losses.append(entry["loss"])
        elif "eval_loss" in entry:
            epoch = math.ceil(entry["epoch"])
            history.append(
                {"epoch": epoch, "train_loss": sum(losses) / max(1, len(losses)), "dev_loss": entry["eval_loss"]}
            )
            losses = []
    return history


def _decoder(base_dir: Path) -> Any:
    from transformers import AutoModelForCausalLM

    # Plain attention: torch's fused one is ten times slower on its way back on this kind of processor.
    return AutoModelForCausalLM.from_pretrained(
        base_dir, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16, attn_implementation="eager"
    )
